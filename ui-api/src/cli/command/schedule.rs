use std::path::Path;

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use millwork_engine::{
    diag::Source,
    model::{Clock, Fault, SystemClock, Timestamp},
    schedule::{Calendar, Catchup, DstGap, DstOverlap, Falls},
    spec::{Overlap, ScheduleSpec, Spanned, TriggerSpec},
};
use serde_json::json;

use crate::cli::{
    Exit, load,
    output::{Output, Tone},
    workspace::Workspace,
};

/// Why a line of the preview is not like the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    /// Clocks skip the time; it runs after the gap.
    Moved,
    /// Clocks skip the time, and it does not run.
    Skipped,
    /// Clocks show the time twice; it runs the first time alone.
    FirstOnly,
    /// The first run of two at the same time.
    First,
    /// The second.
    Second,
    /// Another time falls on the same moment: there is one run.
    Same,
}

impl Odd {
    const fn word(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Skipped => "skipped",
            Self::FirstOnly => "first_only",
            Self::First => "first",
            Self::Second => "second",
            Self::Same => "same",
        }
    }

    fn told(self, local: NaiveDateTime) -> String {
        let time = local.format("%H:%M");
        match self {
            Self::Moved => format!("clocks skip {time}: runs after the gap"),
            Self::Skipped => format!("clocks skip {time}: does not run"),
            Self::FirstOnly => format!("clocks show {time} twice: runs the first time"),
            Self::First => format!("clocks show {time} twice: the first run"),
            Self::Second => format!("clocks show {time} twice: the second run"),
            Self::Same => format!("clocks skip {time}: runs after the gap, where a run is already"),
        }
    }
}

/// A line of the preview: a run, or a time without one.
struct Line {
    local: NaiveDateTime,
    at: Option<Timestamp>,
    odd: Option<Odd>,
}

/// The times of a year on which a pipeline's schedules start it, odd days marked.
pub(super) fn preview(
    output: &Output,
    path: &Path,
    year: Option<i32>,
    only_odd: bool,
    json: bool,
) -> Result<Exit, Fault> {
    let file = load::file_of(path)?;
    let workspace = Workspace::of_file(output, &file)?;
    let checked = load::check(&file, &millwork_steps::registry(), true, false, &workspace)?;
    load::show(output, &checked);
    let plan = checked.plan.ok_or_else(|| {
        Fault::user("pipeline.problems", format!("{} has problems, so its schedules are not shown", file.display()))
    })?;
    let schedules = plan.spec.triggers.iter().filter_map(|trigger| match &trigger.value {
        TriggerSpec::Schedule(schedule) => Some((trigger, &**schedule)),
        _ => None,
    });
    let schedules: Vec<(&Spanned<TriggerSpec>, &ScheduleSpec)> = schedules.collect();
    if schedules.is_empty() {
        let fault = Fault::user("schedule.none", format!("{} has no schedule", file.display()));
        return Err(fault.help("write one: `on: {schedule: [{cron: \"0 2 * * *\", timezone: Europe/Berlin}]}`"));
    }
    let year = year.unwrap_or_else(|| SystemClock.now().to_datetime().year());
    for (ix, (trigger, schedule)) in schedules.into_iter().enumerate() {
        let lines = lines(&schedule.calendar, year)?;
        if json {
            for line in lines.filter(|line| !only_odd || line.odd.is_some()) {
                output.json(&json!({
                    "schedule": ix,
                    "cron": schedule.calendar.cron.as_str(),
                    "timezone": schedule.calendar.zone.name(),
                    "local": line.local.format("%Y-%m-%dT%H:%M").to_string(),
                    "at": line.at.map(|at| at.to_string()),
                    "odd": line.odd.map(Odd::word),
                }));
            }
            continue;
        }
        head(output, &checked.source, trigger, schedule);
        let (mut runs, mut odd) = (0_u64, 0_u64);
        for line in lines {
            runs += u64::from(line.at.is_some());
            odd += u64::from(line.odd.is_some());
            if !only_odd || line.odd.is_some() {
                show(output, &schedule.calendar, &line);
            }
        }
        let odd = if odd == 0 { "none odd".to_owned() } else { format!("{odd} odd") };
        output.result(format!("{} in {year}, {odd}", load::plural(runs as usize, "run")));
    }
    Ok(Exit::Ok)
}

fn lines(calendar: &Calendar, year: i32) -> Result<impl Iterator<Item = Line>, Fault> {
    let first = NaiveDate::from_ymd_opt(year, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let first = first.filter(|_| (1900..=2400).contains(&year)).ok_or_else(|| {
        Fault::user("schedule.year", format!("there is nothing to tell of the year {year}"))
            .help("give one from 1900 to 2400")
    })?;
    let mut last = None;
    let occurrences = calendar.occurrences(first).take_while(move |found| found.local.year() == year);
    Ok(occurrences.flat_map(move |found| {
        let line = |at, odd| Line { local: found.local, at, odd };
        let lines = match found.falls {
            Falls::Once(at) if last == Some(at) => vec![],
            Falls::Once(at) => vec![line(Some(at), None)],
            Falls::Moved(at) if last == Some(at) => vec![line(None, Some(Odd::Same))],
            Falls::Moved(at) => vec![line(Some(at), Some(Odd::Moved))],
            Falls::Nowhere => vec![line(None, Some(Odd::Skipped))],
            Falls::First(at) => vec![line(Some(at), Some(Odd::FirstOnly))],
            Falls::Twice(first, second) => {
                vec![line(Some(first), Some(Odd::First)), line(Some(second), Some(Odd::Second))]
            }
        };
        last = found.falls.moments().next().or(last);
        lines
    }))
}

fn head(output: &Output, source: &Source, trigger: &Spanned<TriggerSpec>, schedule: &ScheduleSpec) {
    let calendar = &schedule.calendar;
    let at = source.position(trigger.span.start);
    let catchup = match schedule.catchup {
        Catchup::None => "times missed are lost".to_owned(),
        Catchup::Latest => "of times missed the last one runs".to_owned(),
        Catchup::All { limit } => format!("times missed all run, {limit} at most"),
    };
    let overlap = match schedule.overlap {
        Overlap::Skip => "skips a time while a run is not over",
        Overlap::Queue => "queues behind a run that is not over",
        Overlap::Cancel => "cancels a run that is not over",
        Overlap::Allow => "runs beside a run that is not over",
    };
    let gap = match calendar.gap {
        _ if calendar.cron.is_by_the_hour() => "goes by the hour, whatever clocks show".to_owned(),
        gap => format!(
            "times that clocks skip {}, times they show twice run {}",
            if gap == DstGap::Skip { "do not run" } else { "run after the gap" },
            if calendar.overlap == DstOverlap::Twice { "twice" } else { "once" },
        ),
    };
    let title = format!("{}:{}: `{}` in {}", source.name(), at.line, calendar.cron, calendar.zone.name());
    output.result(output.paint(Tone::Strong, &title));
    output.result(format!("  {catchup}; {overlap}\n  {gap}"));
}

fn show(output: &Output, calendar: &Calendar, line: &Line) {
    let mark =
        line.odd.map_or_else(String::new, |odd| output.paint(Tone::Warn, format!("  ! {}", odd.told(line.local))));
    match line.at {
        Some(at) => {
            let there = at.to_datetime().with_timezone(&calendar.zone);
            output.result(format!("{}{mark}", there.format("%Y-%m-%d %a %H:%M %:z")));
        }
        None => output.result(format!("{} {:5}       {mark}", line.local.format("%Y-%m-%d %a"), "-")),
    }
}

#[cfg(test)]
mod tests {
    use millwork_engine::schedule::CronLine;

    use super::*;

    #[test]
    fn odd_days_of_a_year() {
        let shown = |cron: &str, gap, overlap| -> Vec<String> {
            let zone = "Europe/Berlin".parse().expect("a zone");
            let calendar = Calendar { cron: CronLine::parse(cron).expect(cron), zone, gap, overlap };
            let odd = lines(&calendar, 2027).expect("a year").filter(|line| line.odd.is_some());
            odd.map(|line| format!("{} {}", line.local.format("%m-%d %H:%M"), line.odd.map_or("", Odd::word))).collect()
        };
        let (after, skip) = (DstGap::RunAfter, DstGap::Skip);
        let (once, twice) = (DstOverlap::Once, DstOverlap::Twice);
        assert_eq!(shown("30 2 * * *", after, once), ["03-28 02:30 moved", "10-31 02:30 first_only"]);
        assert_eq!(
            shown("30 2 * * *", skip, twice),
            ["03-28 02:30 skipped", "10-31 02:30 first", "10-31 02:30 second"]
        );
        assert_eq!(
            shown("*/30 2,3 * * *", after, once),
            ["03-28 02:00 moved", "03-28 02:30 same", "10-31 02:00 first_only", "10-31 02:30 first_only"]
        );
        assert_eq!(shown("0 9 * * *", after, once), [""; 0]);
    }
}
