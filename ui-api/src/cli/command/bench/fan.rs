//! Many steps at once, and many items.

use std::{fmt::Write as _, time::Instant};

use millwork_engine::{Durability, model::Fault};

use super::{
    child::Spawned,
    figure::{Figure, median, ms},
    files,
    kinds::Probe,
    world::{Bench, open, plan, run},
};
use crate::cli::{open::block_on, words};

/// Forty steps that need nothing.
pub(super) fn forty(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let mut text = "version: 1\nname: forty\nsteps:\n".to_owned();
    for n in 0..40 {
        let _ = writeln!(text, "  - {{id: s{n}, uses: bench.noop}}");
    }
    let took = block_on(async {
        let (engine, _) = open(&bench.folder.join("forty"), Durability::Power, Probe::default()).await?;
        let plan = plan(&text)?;
        let mut times = Vec::new();
        for round in 0..(if bench.quick { 20 } else { 60 }) {
            let begin = Instant::now();
            run(&engine, &plan).await?;
            if round >= 5 {
                times.push(begin.elapsed());
            }
        }
        engine.close().await?;
        Ok(median(times))
    })?;
    Ok(vec![Figure::new("40 steps fanned out", "<= 10 ms", ms(took), took.as_millis() < 10)])
}

/// Items of the big fan-out.
pub(super) fn items(quick: bool) -> u64 {
    if quick { 10_000 } else { 100_000 }
}

/// A fan-out in a process of its own; once to its end, once killed halfway.
pub(super) fn hundred_thousand(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let items = items(bench.quick);
    let home = bench.folder.join("fan-whole");
    let mut whole = Spawned::new("fan-out", &home, bench.quick)?;
    let idle = whole.number("idle")?;
    let [micros, peak] = [whole.number("micros")?, whole.number("peak")?];
    whole.finish()?;
    let rate = items as f64 / (micros as f64 / 1e6);
    let extra = peak.saturating_sub(idle);
    let each = files::size_of(&home) as f64 / items as f64;

    let home = bench.folder.join("fan-killed");
    let mut killed = Spawned::new("fan-out", &home, bench.quick)?;
    while killed.number("settled")? < items / 2 {}
    killed.kill()?;
    let begin = Instant::now();
    let mut resumed = Spawned::new("resume", &home, bench.quick)?;
    resumed.number("begun")?;
    let next = begin.elapsed();
    resumed.finish()?;

    let name = format!("{} items", words::count(items));
    Ok(vec![
        Figure::new(&name, ">= 15,000/s", format!("{}/s", words::count(rate as u64)), rate >= 15_000.0),
        Figure::new(
            &format!("{name}: memory over idle"),
            "<= 150 MB",
            format!("{} MB", extra / 1_000_000),
            extra <= 150_000_000,
        )
        .beside(format!("idle {} MB", idle / 1_000_000)),
        Figure::new(&format!("{name}: disk"), "<= 150 B an item", format!("{each:.0} B"), each <= 150.0)
            .beside("everything in the home, outputs included"),
        Figure::new(&format!("{name}: next after kill -9 halfway"), "< 1 s", ms(next), next.as_secs_f64() < 1.0)
            .beside("from the start of the new process"),
    ])
}
