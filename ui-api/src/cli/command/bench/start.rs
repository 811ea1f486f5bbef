//! The program from its start to its exit.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use millwork_engine::model::Fault;

use super::{
    figure::{Figure, median, ms},
    world::Bench,
};

pub(super) fn start(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let rounds = if bench.quick { 10 } else { 40 };
    let help = rounds_of(rounds, &["--help"], None)?;
    let mut figures = vec![Figure::new("--help", "<= 15 ms", ms(help), help.as_millis() < 15)];
    let hello = Path::new("examples/01_hello");
    figures.push(if hello.is_dir() {
        let home = bench.folder.join("hello");
        let took = rounds_of(rounds, &["run", "examples/01_hello"], Some(&home))?;
        Figure::new("run examples/01_hello", "<= 60 ms", ms(took), took.as_millis() < 60)
    } else {
        Figure::absent("run examples/01_hello", "not here: run it in Millwork's own folder")
    });
    Ok(figures)
}

pub(super) fn flights(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let file = "pipelines/flights_etl.yaml";
    if !Path::new(file).is_file() {
        return Ok(vec![Figure::absent("flights_etl", "not here: run it in Millwork's own folder")]);
    }
    let home = bench.folder.join("flights");
    let took = rounds_of(if bench.quick { 1 } else { 5 }, &["run", file], Some(&home))?;
    Ok(vec![Figure::new("flights_etl", "<= 3 s", ms(took), took.as_secs_f64() <= 3.0)])
}

/// The middle of some runs of this program, after one that warms the disk.
fn rounds_of(rounds: u32, args: &[&str], home: Option<&Path>) -> Result<Duration, Fault> {
    let failed = |e: String| Fault::external("bench.start", format!("`millwork {}`: {e}", args.join(" ")));
    let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let mut times = Vec::new();
    for round in 0..=rounds {
        let mut command = Command::new(&program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(home) = home {
            command.arg("--home").arg(home);
        }
        let begin = Instant::now();
        let status = command.status().map_err(|e| failed(e.to_string()))?;
        if !status.success() {
            return Err(failed(status.to_string()));
        }
        if round > 0 {
            times.push(begin.elapsed());
        }
    }
    Ok(median(times))
}
