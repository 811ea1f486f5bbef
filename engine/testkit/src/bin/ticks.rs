//! `ticks`: for every JSON line `{"cron", "zone", "gap", "overlap", "after", "count"}` on standard input, the next
//! moments of the calendar as a JSON list of seconds since 1970, or `null` where the line is refused. Another program
//! compares them with an independent implementation.

use std::io::{BufRead, Write};

use millwork_engine::{
    model::Timestamp,
    schedule::{Calendar, CronLine, DstGap, DstOverlap},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Asked {
    cron: String,
    zone: String,
    gap: String,
    overlap: String,
    after: i64,
    count: usize,
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let asked: Asked = serde_json::from_str(&line?)?;
        writeln!(out, "{}", serde_json::to_string(&answer(&asked))?)?;
    }
    out.flush()
}

fn answer(asked: &Asked) -> Option<Vec<i64>> {
    let calendar = Calendar {
        cron: CronLine::parse(&asked.cron).ok()?,
        zone: asked.zone.parse().ok()?,
        gap: if asked.gap == "skip" { DstGap::Skip } else { DstGap::RunAfter },
        overlap: if asked.overlap == "twice" { DstOverlap::Twice } else { DstOverlap::Once },
    };
    let after = Timestamp::from_micros(asked.after * 1_000_000);
    Some(calendar.ticks(after).take(asked.count).map(|at| at.as_micros() / 1_000_000).collect())
}
