//! Small pipelines: how long one takes, and how many a second.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use millwork_engine::{
    Durability,
    model::Fault,
    store::bench::{CommitTime, commit_time},
};
use tokio::task::JoinSet;

use super::{
    figure::{Figure, median, ms},
    kinds::Probe,
    wal,
    world::{Bench, open, plan, run},
};
use crate::cli::{open::block_on, words};

pub(super) const DURABILITIES: [(&str, Durability); 2] =
    [("power", Durability::Power), ("process", Durability::Process)];

const THREE: &str = "version: 1
name: three
steps:
  - {id: a, uses: bench.noop, with: {value: 1}}
  - {id: b, uses: bench.noop, with: {value: '${{ steps.a.outputs.value }}'}}
  - {id: c, uses: bench.noop, with: {value: '${{ steps.b.outputs.value }}'}}
";

/// What a pipeline of three steps costs the core.
pub(super) struct Core {
    /// The middle of all rounds.
    pub took: Duration,
    commits: u64,
    machine: CommitTime,
}

/// Runs three steps in a row.
pub(super) fn core(home: &Path, durability: Durability, rounds: u32) -> Result<Core, Fault> {
    block_on(async {
        let machine = commit_time(home, rounds, durability).await?;
        let (engine, _) = open(home, durability, Probe::default()).await?;
        let plan = plan(THREE)?;
        for _ in 0..20 {
            run(&engine, &plan).await?;
        }
        let (counted, salt) = wal::commits(home);
        run(&engine, &plan).await?;
        let commits = match wal::commits(home) {
            (now, same) if same == salt => now.saturating_sub(counted),
            (now, _) => now,
        };
        let mut times = Vec::new();
        for _ in 0..rounds {
            let begin = Instant::now();
            run(&engine, &plan).await?;
            times.push(begin.elapsed());
        }
        engine.close().await?;
        Ok(Core { took: median(times), commits, machine })
    })
}

/// Three steps in a row.
pub(super) fn three(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let rounds = if bench.quick { 40 } else { 200 };
    let mut figures = Vec::new();
    for (name, durability) in DURABILITIES {
        let Core { took, commits, machine } = core(&bench.folder.join(format!("three-{name}")), durability, rounds)?;
        let bar = Duration::from_micros(600) + 4 * machine.sqlite;
        let beside = format!(
            "fdatasync {}, SQLite commit {}, append {}",
            ms(machine.disk),
            ms(machine.sqlite),
            ms(machine.append)
        );
        let measure = format!("3 steps, {name}");
        figures.push(Figure::new(&measure, format!("<= {}", ms(bar)), ms(took), took <= bar).beside(beside));
        figures.push(Figure::new(&format!("{measure}: commits"), "<= 4", commits.to_string(), commits <= 4));
    }
    Ok(figures)
}

/// The same, many at once.
pub(super) fn in_flight(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let length = Duration::from_secs(if bench.quick { 1 } else { 5 });
    let mut figures = Vec::new();
    for ((name, durability), bar) in DURABILITIES.into_iter().zip([2000.0, 2500.0]) {
        let home = bench.folder.join(format!("load-{name}"));
        let (rate, machine) = block_on(async {
            let machine = commit_time(&home, 100, durability).await?;
            let (engine, _) = open(&home, durability, Probe::default()).await?;
            let plan = plan(THREE)?;
            let (begin, mut runners) = (Instant::now(), JoinSet::new());
            for _ in 0..64 {
                let (engine, plan) = (engine.clone(), plan.clone());
                runners.spawn(async move {
                    let mut done = 0_u64;
                    while begin.elapsed() < length {
                        run(&engine, &plan).await?;
                        done += 1;
                    }
                    Ok::<_, Fault>(done)
                });
            }
            let mut done = 0;
            while let Some(ended) = runners.join_next().await {
                done += ended.map_err(|e| Fault::internal("bench.load", e.to_string()))??;
            }
            let rate = done as f64 / begin.elapsed().as_secs_f64();
            engine.close().await?;
            Ok((rate, machine))
        })?;
        let alone = 1.0 / machine.sqlite.as_secs_f64();
        figures.push(
            Figure::new(
                &format!("64 in flight, {name}"),
                format!(">= {}/s", words::count(bar as u64)),
                format!("{}/s", words::count(rate as u64)),
                rate >= bar,
            )
            .beside(format!("SQLite alone: {} commits/s", words::count(alone as u64))),
        );
    }
    Ok(figures)
}
