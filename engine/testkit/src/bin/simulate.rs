//! `simulate --seeds N --from S`: runs the run machine's simulation and prints the seeds that break a rule.
#![allow(clippy::print_stdout, reason = "what it finds is for people to read")]

use std::{process::ExitCode, time::Instant};

use millwork_testkit::simulation::simulate;

fn main() -> ExitCode {
    let (mut seeds, mut from, mut show) = (2_000_u64, 0_u64, 60_usize);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|text| text.parse::<u64>().ok());
        match (word.as_str(), number) {
            ("--seeds", Some(number)) => seeds = number,
            ("--from", Some(number)) => from = number,
            ("--show", Some(number)) => show = number as usize,
            _ => {
                println!("usage: simulate [--seeds N] [--from S] [--show LINES]");
                return ExitCode::from(2);
            }
        }
    }
    let begun = Instant::now();
    let (mut events, mut crashes, mut compared, mut failing) = (0, 0_u64, 0_u64, Vec::new());
    for seed in from..from.saturating_add(seeds) {
        match simulate(seed) {
            Ok(report) => {
                events += report.events;
                crashes += u64::from(report.crashes);
                compared += u64::from(report.compared);
            }
            Err(violation) => failing.push(violation),
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{seeds} seeds in {seconds:.1} s ({:.0} a second): {events} events, {crashes} crashes, {compared} compared",
        seeds as f64 / seconds
    );
    for violation in &failing {
        println!("seed {} breaks {:?}: {}", violation.seed, violation.broken.rule, short(&violation.broken.what));
    }
    // The shortest story is the one to read.
    if let Some(violation) = failing.iter().min_by_key(|violation| violation.trace.len()) {
        let first = violation.trace.len().saturating_sub(show);
        println!("\nseed {}:", violation.seed);
        violation.trace[first..].iter().for_each(|line| println!("{line}"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
