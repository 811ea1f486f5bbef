//! `sql` beside the query engine that it stands on.

use std::{sync::Arc, time::Duration};

use millwork_engine::{
    model::{Fault, Timestamp},
    step::TableAccess,
    store::LocalArtifacts,
};
use millwork_steps::data::bench::{QUERIES, bare, ours, tables};
use rustix::time::{ClockId, clock_gettime};

use super::{
    figure::{Figure, median, middle},
    world::Bench,
};

/// CPU time of this process so far, all threads.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

pub(super) fn sql(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let scale = if bench.quick { bench.scale.min(0.05) } else { bench.scale };
    let pairs = if bench.quick { 2 } else { 3 };
    bench.output.say(format!("generating TPC-H at scale {scale}"));
    let tables = tables(scale)?;
    let artifacts = LocalArtifacts::open(&bench.folder.join("sql"), Timestamp::default())?;
    let access = TableAccess::new(Arc::new(artifacts), millwork_steps::scans());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Fault::external("cli.runtime", e.to_string()))?;
    let (mut ratios, mut sums) = (Vec::new(), [Duration::ZERO; 2]);
    for (index, query) in QUERIES.iter().enumerate() {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        // Once each unmeasured; then pairs, each side first in turn.
        for pair in 0..=pairs {
            for side in 0..2 {
                let begin = cpu();
                if (side + pair) % 2 == 0 {
                    runtime.block_on(ours(query, &tables, &access, bench.folder, None))?;
                    with.push(cpu().saturating_sub(begin));
                } else {
                    runtime.block_on(bare(query, &tables))?;
                    without.push(cpu().saturating_sub(begin));
                }
            }
        }
        let (with, without) = (median(with.split_off(1)), median(without.split_off(1)));
        let ratio = with.as_secs_f64() / without.as_secs_f64().max(1e-9);
        bench.output.say(format!("query {}: {with:.1?} against {without:.1?}, {ratio:.3}", index + 1));
        ratios.push(ratio);
        sums[0] += with;
        sums[1] += without;
    }
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    let ratio = middle(ratios);
    Ok(vec![
        Figure::new(
            &format!("sql, 22 TPC-H queries at scale {scale}, CPU"),
            "<= 1.05 x DataFusion",
            format!("{ratio:.3} x"),
            ratio <= 1.05,
        )
        .beside(format!("{:.1?} against {:.1?} in all; worst query {worst:.2} x", sums[0], sums[1])),
    ])
}
