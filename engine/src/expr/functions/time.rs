use std::fmt::Write as _;

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
    format::{Item, StrftimeItems},
};
use chrono_tz::Tz;

use super::{Answer, Entry, LiteralProblem, Problem, Work, because, text::reason};
use crate::{data::Value, expr::ops, model::units::parse_duration};

const G: &str = "time";

const PART: &[&str] = &["(time: date) -> int", "(time: timestamp, timezone: string = 'UTC') -> int"];

pub(super) const TABLE: &[Entry] = &[
    Entry::pure(
        "date",
        G,
        &["(text: string) -> date", "(time: timestamp, timezone: string = 'UTC') -> date", "(date: date) -> date"],
        "a day, from text such as 2024-02-29 or from a moment",
        date,
    )
    .folded()
    .literals(second_timezone),
    Entry::pure(
        "timestamp",
        G,
        &[
            "(text: string) -> timestamp",
            "(date: date) -> timestamp",
            "(seconds: int) -> timestamp",
            "(time: timestamp) -> timestamp",
        ],
        "a moment, from text such as 2024-02-29T12:00:00Z, a day's beginning in UTC, or seconds since 1970",
        timestamp,
    )
    .folded(),
    Entry::pure(
        "duration",
        G,
        &["(text: string) -> duration"],
        "a length of time, from text such as 1h30m or PT10M",
        duration,
    )
    .folded(),
    Entry::pure("now", G, &["() -> timestamp"], "the run's present, the same in every attempt of a step", now).timed(),
    Entry::pure("today", G, &["(timezone: string = 'UTC') -> date"], "the day of the run's present", today)
        .timed()
        .literals(first_timezone),
    Entry::pure(
        "format_date",
        G,
        &[
            "(time: date, format: string) -> string",
            "(time: timestamp, format: string, timezone: string = 'UTC') -> string",
        ],
        "a day or moment as text, in strftime's words: %Y-%m-%d %H:%M:%S",
        format_date,
    )
    .literals(format_literals),
    Entry::pure(
        "parse_date",
        G,
        &["(text: string, format: string) -> date"],
        "a day from text in strftime's words",
        parse_date,
    )
    .literals(parse_literals),
    Entry::pure(
        "in_timezone",
        G,
        &["(time: timestamp, timezone: string) -> string"],
        "a moment as text with the offset of a time zone",
        in_timezone,
    )
    .literals(second_timezone),
    Entry::pure("year", G, PART, "the year", year).literals(second_timezone),
    Entry::pure("month", G, PART, "the month, from 1", month).literals(second_timezone),
    Entry::pure("day", G, PART, "the day of the month, from 1", day).literals(second_timezone),
    Entry::pure("hour", G, &["(time: timestamp, timezone: string = 'UTC') -> int"], "the hour, from 0", hour)
        .literals(second_timezone),
    Entry::pure("weekday", G, PART, "the day of the week, from 1 (Monday) to 7 (Sunday)", weekday)
        .literals(second_timezone),
    Entry::pure(
        "add_days",
        G,
        &["(time: date, days: int) -> date", "(time: timestamp, days: int) -> timestamp"],
        "the time so many days later, earlier if negative",
        add_days,
    ),
    Entry::pure(
        "add_months",
        G,
        &["(date: date, months: int) -> date"],
        "the day so many months later, or the month's last day if it has no such day",
        add_months,
    ),
    Entry::pure("seconds", G, &["(length: duration) -> float"], "a length of time in seconds", seconds),
];

fn date(_: &mut Work<'_>, args: &[Value]) -> Answer {
    Ok(Value::Date(match args {
        [Value::Date(d)] => *d,
        [Value::String(text)] => text
            .trim()
            .parse()
            .map_err(|_| because("expr.date", "the text is not a date, which is written year-month-day: 2024-02-29"))?,
        [Value::Timestamp(..), ..] => local(args)?.date(),
        _ => return Err(Problem::Types),
    }))
}

fn timestamp(_: &mut Work<'_>, args: &[Value]) -> Answer {
    Ok(Value::Timestamp(match args {
        [Value::Timestamp(t)] => *t,
        [Value::Date(d)] => d.and_time(NaiveTime::MIN).and_utc(),
        [Value::Int(seconds)] => DateTime::from_timestamp(*seconds, 0)
            .ok_or_else(|| because("expr.date", "so many seconds since 1970 are not a moment that can be held"))?,
        [Value::String(text)] => read_timestamp(text.trim()).ok_or_else(|| {
            because("expr.date", "the text is not a timestamp, which is written 2024-02-29T12:00:00Z")
        })?,
        _ => return Err(Problem::Types),
    }))
}

fn read_timestamp(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(t) = DateTime::parse_from_rfc3339(text) {
        return Some(t.with_timezone(&Utc));
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"] {
        if let Ok(t) = NaiveDateTime::parse_from_str(text, format) {
            return Some(t.and_utc());
        }
    }
    text.parse::<NaiveDate>().ok().map(|d| d.and_time(NaiveTime::MIN).and_utc())
}

fn duration(_: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(text)] = args else { return Err(Problem::Types) };
    let (sign, rest) = match text.trim().strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim()),
    };
    let length = parse_duration(rest).map_err(|error| because("expr.date", format!("the length of time {error}")))?;
    let micros =
        i64::try_from(length.as_micros()).map_err(|_| because("expr.overflow", "the length of time is too large"))?;
    Ok(Value::Duration(TimeDelta::microseconds(sign * micros)))
}

fn now(work: &mut Work<'_>, _: &[Value]) -> Answer {
    Ok(Value::Timestamp(work.now()?))
}

fn today(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let now = Value::Timestamp(work.now()?);
    match args {
        [] => Ok(Value::Date(local(&[now])?.date())),
        [zone] => Ok(Value::Date(local(&[now, zone.clone()])?.date())),
        _ => Err(Problem::Types),
    }
}

fn zone(name: &str) -> Result<Tz, Problem> {
    name.parse().map_err(|_| {
        because("expr.argument", "there is no time zone of that name; names are those of IANA, such as Europe/Paris")
    })
}

fn first_timezone(args: &[Option<&Value>]) -> Result<(), LiteralProblem> {
    zone_literal(args, 0)
}

fn second_timezone(args: &[Option<&Value>]) -> Result<(), LiteralProblem> {
    zone_literal(args, 1)
}

fn zone_literal(args: &[Option<&Value>], arg: usize) -> Result<(), LiteralProblem> {
    match args.get(arg) {
        Some(Some(Value::String(name))) => zone(name).map(|_| ()).map_err(|problem| (arg, reason(problem))),
        _ => Ok(()),
    }
}

/// The wall clock's date and time of a day or of a moment in a zone.
fn local(args: &[Value]) -> Result<NaiveDateTime, Problem> {
    match args {
        [Value::Date(d)] => Ok(d.and_time(NaiveTime::MIN)),
        [Value::Timestamp(t)] => Ok(t.naive_utc()),
        [Value::Timestamp(t), Value::String(name)] => {
            let offset = zone(name)?.offset_from_utc_datetime(&t.naive_utc()).fix();
            t.naive_utc()
                .checked_add_offset(offset)
                .ok_or_else(|| because("expr.overflow", "the moment is at the end of what can be held"))
        }
        _ => Err(Problem::Types),
    }
}

/// The parts of a format, if all are understood.
fn items(format: &str) -> Result<Vec<Item<'_>>, Problem> {
    if format.len() > 1024 {
        return Err(because("expr.argument", "the format is longer than 1 KiB"));
    }
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if items.contains(&Item::Error) {
        return Err(because("expr.argument", "the format has a `%` that is not understood; see strftime"));
    }
    Ok(items)
}

fn format_literals(args: &[Option<&Value>]) -> Result<(), LiteralProblem> {
    if let Some(Some(Value::String(format))) = args.get(1) {
        items(format).map_err(|problem| (1, reason(problem)))?;
    }
    zone_literal(args, 2)
}

fn parse_literals(args: &[Option<&Value>]) -> Result<(), LiteralProblem> {
    match args.get(1) {
        Some(Some(Value::String(format))) => items(format).map(|_| ()).map_err(|problem| (1, reason(problem))),
        _ => Ok(()),
    }
}

fn format_date(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let (Some(time), Some(Value::String(format))) = (args.first(), args.get(1)) else { return Err(Problem::Types) };
    let items = items(format)?;
    let mut out = String::new();
    let written = match (time, args.get(2)) {
        (Value::Date(d), None) => write!(out, "{}", d.format_with_items(items.iter())),
        (Value::Timestamp(t), None) => write!(out, "{}", t.format_with_items(items.iter())),
        (Value::Timestamp(t), Some(Value::String(name))) => {
            // Refuses a moment whose local time cannot be held.
            local(&[time.clone(), Value::String(name.clone())])?;
            write!(out, "{}", t.with_timezone(&zone(name)?).format_with_items(items.iter()))
        }
        _ => return Err(Problem::Types),
    };
    written
        .map_err(|_| because("expr.date", "the format asks for a time of day or a zone, which a date does not have"))?;
    work.text(out)
}

fn parse_date(_: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(text), Value::String(format)] = args else { return Err(Problem::Types) };
    items(format)?;
    NaiveDate::parse_from_str(text, format)
        .map(Value::Date)
        .map_err(|_| because("expr.date", "the text is not a date in this format"))
}

fn in_timezone(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [time @ Value::Timestamp(t), Value::String(name)] = args else { return Err(Problem::Types) };
    local(&[time.clone(), Value::String(name.clone())])?;
    work.text(t.with_timezone(&zone(name)?).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false))
}

fn year(_: &mut Work<'_>, args: &[Value]) -> Answer {
    Ok(Value::Int(i64::from(local(args)?.year())))
}

fn month(_: &mut Work<'_>, args: &[Value]) -> Answer {
    Ok(Value::Int(i64::from(local(args)?.month())))
}

fn day(_: &mut Work<'_>, args: &[Value]) -> Answer {
    Ok(Value::Int(i64::from(local(args)?.day())))
}

fn hour(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::Timestamp(_), ..] => Ok(Value::Int(i64::from(local(args)?.hour()))),
        _ => Err(Problem::Types),
    }
}

fn weekday(_: &mut Work<'_>, args: &[Value]) -> Answer {
    Ok(Value::Int(i64::from(local(args)?.weekday().number_from_monday())))
}

fn beyond() -> Problem {
    because("expr.overflow", "the result is beyond the dates that can be held")
}

fn add_days(_: &mut Work<'_>, args: &[Value]) -> Answer {
    let [time, Value::Int(days)] = args else { return Err(Problem::Types) };
    let shift = TimeDelta::try_days(*days).ok_or_else(beyond)?;
    match time {
        Value::Date(d) => d.checked_add_signed(shift).map(Value::Date).ok_or_else(beyond),
        Value::Timestamp(t) => t.checked_add_signed(shift).map(Value::Timestamp).ok_or_else(beyond),
        _ => Err(Problem::Types),
    }
}

fn add_months(_: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::Date(d), Value::Int(months)] = args else { return Err(Problem::Types) };
    let count = chrono::Months::new(u32::try_from(months.unsigned_abs()).map_err(|_| beyond())?);
    let moved = if *months < 0 { d.checked_sub_months(count) } else { d.checked_add_months(count) };
    moved.map(Value::Date).ok_or_else(beyond)
}

fn seconds(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::Duration(t)] => Ok(Value::Float(ops::seconds(*t))),
        _ => Err(Problem::Types),
    }
}
