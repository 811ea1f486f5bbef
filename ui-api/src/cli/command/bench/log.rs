//! A long log: how soon the next step begins after the process was killed.

use std::time::Instant;

use millwork_engine::model::Fault;

use super::{
    child::Spawned,
    figure::{Figure, ms},
    world::Bench,
};
use crate::cli::words;

/// Events in the log.
pub(super) fn events(quick: bool) -> u64 {
    if quick { 10_000 } else { 100_000 }
}

pub(super) fn resume(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let home = bench.folder.join("log");
    let mut killed = Spawned::new("log", &home, bench.quick)?;
    let written = killed.number("hanging")?;
    killed.kill()?;
    let begin = Instant::now();
    let mut resumed = Spawned::new("resume", &home, bench.quick)?;
    resumed.number("begun")?;
    let next = begin.elapsed();
    resumed.finish()?;
    let measure = format!("resume with {} events", words::count(written));
    Ok(vec![
        Figure::new(&measure, "< 1 s", ms(next), next.as_secs_f64() < 1.0).beside("from the start of the new process"),
    ])
}
