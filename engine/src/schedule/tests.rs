use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeZone, Timelike};
use chrono_tz::Tz;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{Calendar, CronLine, DstGap, DstOverlap};
use crate::model::Timestamp;

fn calendar(cron: &str, zone: &str, gap: DstGap, overlap: DstOverlap) -> Calendar {
    Calendar { cron: CronLine::parse(cron).expect(cron), zone: zone.parse().expect(zone), gap, overlap }
}

fn utc(text: &str) -> Timestamp {
    let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect(text);
    at.and_utc().into()
}

fn shown(at: Timestamp) -> String {
    at.to_datetime().format("%Y-%m-%d %H:%M").to_string()
}

fn ticks(calendar: &Calendar, after: &str, before: &str) -> Vec<String> {
    calendar.ticks(utc(after)).take_while(|at| *at < utc(before)).map(shown).collect()
}

#[test]
fn lines_mean_what_unix_says() {
    // From Thursday 2026-01-01 00:00 on, in UTC.
    for (cron, expected) in [
        ("30 4 * * *", ["2026-01-01 04:30", "2026-01-02 04:30", "2026-01-03 04:30"]),
        ("0 9 * * 1", ["2026-01-05 09:00", "2026-01-12 09:00", "2026-01-19 09:00"]),
        ("0 0 * * 0", ["2026-01-04 00:00", "2026-01-11 00:00", "2026-01-18 00:00"]),
        ("0 0 * * 7", ["2026-01-04 00:00", "2026-01-11 00:00", "2026-01-18 00:00"]),
        ("0 0 * * sun", ["2026-01-04 00:00", "2026-01-11 00:00", "2026-01-18 00:00"]),
        ("0 0 13 * 5", ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-13 00:00"]),
        ("0 0 */20 * 5", ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-16 00:00"]),
        ("0 0 L * *", ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"]),
        ("0 0 17W * *", ["2026-01-16 00:00", "2026-02-17 00:00", "2026-03-17 00:00"]),
        ("0 0 * * 5#2", ["2026-01-09 00:00", "2026-02-13 00:00", "2026-03-13 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("@midnight", ["2026-01-02 00:00", "2026-01-03 00:00", "2026-01-04 00:00"]),
        ("@yearly", ["2027-01-01 00:00", "2028-01-01 00:00", "2029-01-01 00:00"]),
        ("59 23 31 12 *", ["2026-12-31 23:59", "2027-12-31 23:59", "2028-12-31 23:59"]),
    ] {
        let calendar = calendar(cron, "UTC", DstGap::RunAfter, DstOverlap::Once);
        let found: Vec<_> = calendar.ticks(utc("2026-01-01 00:00")).take(3).map(shown).collect();
        assert_eq!(found, expected, "{cron}");
    }
    let never = calendar("0 0 31 2 *", "Europe/Berlin", DstGap::RunAfter, DstOverlap::Once);
    assert_eq!((never.next(utc("2026-01-01 00:00")), never.previous(utc("2026-01-01 00:00"))), (None, None));
}

#[test]
fn what_is_no_line_is_told() {
    for (text, why) in [
        ("", "it is empty"),
        ("* * * *", "it has 4 fields, not 5"),
        ("0 0 2 * * *", "it has 6 fields, not 5"),
        ("1, * * * *", "an element of the list `1,` is missing"),
        ("@daily @daily", "it has 2 fields, not 5"),
    ] {
        assert_eq!(CronLine::parse(text).unwrap_err(), why, "{text}");
    }
    for text in
        ["60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "@reboot", "a b c d e", "*/0 * * * *"]
    {
        assert!(CronLine::parse(text).is_err(), "{text}");
    }
}

/// Cron line, zone, from and to in UTC, and what runs under the rules `run_after, once`, `skip, once` and
/// `run_after, twice`.
type Case = (&'static str, &'static str, [&'static str; 2], [&'static [&'static str]; 3]);

const CHANGES: &[Case] = &[
    // Forward from 02:00 to 03:00 (07:00 UTC).
    (
        "30 2 * * *",
        "America/New_York",
        ["2026-03-07 12:00", "2026-03-09 12:00"],
        [&["2026-03-08 07:00", "2026-03-09 06:30"], &["2026-03-09 06:30"], &["2026-03-08 07:00", "2026-03-09 06:30"]],
    ),
    // What is moved and what comes then anyway are one.
    (
        "*/20 2,3 * * *",
        "America/New_York",
        ["2026-03-08 00:00", "2026-03-08 12:00"],
        [
            &["2026-03-08 07:00", "2026-03-08 07:20", "2026-03-08 07:40"],
            &["2026-03-08 07:00", "2026-03-08 07:20", "2026-03-08 07:40"],
            &["2026-03-08 07:00", "2026-03-08 07:20", "2026-03-08 07:40"],
        ],
    ),
    // By the hour, nothing is moved.
    (
        "30 */1 * * *",
        "America/New_York",
        ["2026-03-08 05:00", "2026-03-08 09:00"],
        [
            &["2026-03-08 05:30", "2026-03-08 06:30", "2026-03-08 07:30", "2026-03-08 08:30"],
            &["2026-03-08 05:30", "2026-03-08 06:30", "2026-03-08 07:30", "2026-03-08 08:30"],
            &["2026-03-08 05:30", "2026-03-08 06:30", "2026-03-08 07:30", "2026-03-08 08:30"],
        ],
    ),
    // Back from 02:00 to 01:00 (06:00 UTC).
    (
        "30 1 * * *",
        "America/New_York",
        ["2026-11-01 00:00", "2026-11-02 12:00"],
        [
            &["2026-11-01 05:30", "2026-11-02 06:30"],
            &["2026-11-01 05:30", "2026-11-02 06:30"],
            &["2026-11-01 05:30", "2026-11-01 06:30", "2026-11-02 06:30"],
        ],
    ),
    (
        "*/30 * * * *",
        "America/New_York",
        ["2026-11-01 04:59", "2026-11-01 07:29"],
        [
            &["2026-11-01 05:00", "2026-11-01 05:30", "2026-11-01 06:00", "2026-11-01 06:30", "2026-11-01 07:00"],
            &["2026-11-01 05:00", "2026-11-01 05:30", "2026-11-01 06:00", "2026-11-01 06:30", "2026-11-01 07:00"],
            &["2026-11-01 05:00", "2026-11-01 05:30", "2026-11-01 06:00", "2026-11-01 06:30", "2026-11-01 07:00"],
        ],
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        ["2026-03-28 12:00", "2026-03-30 12:00"],
        [&["2026-03-29 01:00", "2026-03-30 00:30"], &["2026-03-30 00:30"], &["2026-03-29 01:00", "2026-03-30 00:30"]],
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        ["2026-10-24 12:00", "2026-10-26 12:00"],
        [
            &["2026-10-25 00:30", "2026-10-26 01:30"],
            &["2026-10-25 00:30", "2026-10-26 01:30"],
            &["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-26 01:30"],
        ],
    ),
    // Half an hour: forward from 02:00 to 02:30 (15:30 UTC the day before), back from 02:00 to 01:30 (15:00 UTC).
    (
        "15 2 * * *",
        "Australia/Lord_Howe",
        ["2026-10-02 20:00", "2026-10-04 20:00"],
        [&["2026-10-03 15:30", "2026-10-04 15:15"], &["2026-10-04 15:15"], &["2026-10-03 15:30", "2026-10-04 15:15"]],
    ),
    (
        "45 1 * * *",
        "Australia/Lord_Howe",
        ["2026-04-04 00:00", "2026-04-05 20:00"],
        [
            &["2026-04-04 14:45", "2026-04-05 15:15"],
            &["2026-04-04 14:45", "2026-04-05 15:15"],
            &["2026-04-04 14:45", "2026-04-04 15:15", "2026-04-05 15:15"],
        ],
    ),
    // Midnight does not exist: forward from 00:00 to 01:00 (03:00 UTC).
    (
        "0 0 * * *",
        "America/Sao_Paulo",
        ["2018-11-03 00:00", "2018-11-05 12:00"],
        [
            &["2018-11-03 03:00", "2018-11-04 03:00", "2018-11-05 02:00"],
            &["2018-11-03 03:00", "2018-11-05 02:00"],
            &["2018-11-03 03:00", "2018-11-04 03:00", "2018-11-05 02:00"],
        ],
    ),
    // The last hour of a day comes twice: back from 00:00 to 23:00 (02:00 UTC).
    (
        "30 23 * * *",
        "America/Sao_Paulo",
        ["2018-02-17 12:00", "2018-02-19 12:00"],
        [
            &["2018-02-18 01:30", "2018-02-19 02:30"],
            &["2018-02-18 01:30", "2018-02-19 02:30"],
            &["2018-02-18 01:30", "2018-02-18 02:30", "2018-02-19 02:30"],
        ],
    ),
    // From 2019 on nothing changes there.
    (
        "0 0 * * *",
        "America/Sao_Paulo",
        ["2019-11-02 00:00", "2019-11-04 12:00"],
        [
            &["2019-11-02 03:00", "2019-11-03 03:00", "2019-11-04 03:00"],
            &["2019-11-02 03:00", "2019-11-03 03:00", "2019-11-04 03:00"],
            &["2019-11-02 03:00", "2019-11-03 03:00", "2019-11-04 03:00"],
        ],
    ),
    // The whole of 2011-12-30 was left out, at 10:00 UTC.
    (
        "0 9 * * *",
        "Pacific/Apia",
        ["2011-12-29 00:00", "2012-01-01 00:00"],
        [
            &["2011-12-29 19:00", "2011-12-30 10:00", "2011-12-30 19:00", "2011-12-31 19:00"],
            &["2011-12-29 19:00", "2011-12-30 19:00", "2011-12-31 19:00"],
            &["2011-12-29 19:00", "2011-12-30 10:00", "2011-12-30 19:00", "2011-12-31 19:00"],
        ],
    ),
];

#[test]
fn days_on_which_clocks_change() {
    let rules =
        [(DstGap::RunAfter, DstOverlap::Once), (DstGap::Skip, DstOverlap::Once), (DstGap::RunAfter, DstOverlap::Twice)];
    for (cron, zone, [from, to], expected) in CHANGES {
        for ((gap, overlap), expected) in rules.into_iter().zip(expected) {
            let calendar = calendar(cron, zone, gap, overlap);
            assert_eq!(ticks(&calendar, from, to), *expected, "{cron} {zone} {gap:?} {overlap:?}");
            for pair in expected.windows(2) {
                assert_eq!(calendar.previous(utc(pair[1])).map(shown).as_deref(), Some(pair[0]), "{cron} {zone}");
            }
        }
    }
}

fn random_field(rng: &mut StdRng, least: u32, most: u32) -> String {
    let one = |rng: &mut StdRng| rng.random_range(least..=most);
    match rng.random_range(0..6) {
        0 | 1 => "*".to_owned(),
        2 => format!("*/{}", rng.random_range(1..=most.min(30))),
        3 => format!("{},{}", one(rng), one(rng)),
        4 => {
            let (a, b) = (one(rng), one(rng));
            format!("{}-{}", a.min(b), a.max(b))
        }
        _ => one(rng).to_string(),
    }
}

/// Whether a number is in a field, by the plainest reading.
fn holds(field: &str, least: u32, number: u32) -> bool {
    field.split(',').any(|element| match (element.split_once('/'), element.split_once('-')) {
        (Some((_, step)), _) => (number - least).is_multiple_of(step.parse::<u32>().expect("a step")),
        (_, Some((a, b))) => (a.parse().expect("a number")..=b.parse::<u32>().expect("a number")).contains(&number),
        _ => element == "*" || element.parse() == Ok(number),
    })
}

fn matches(line: &str, local: NaiveDateTime) -> bool {
    let [minute, hour, day, month, weekday]: [&str; 5] =
        line.split(' ').collect::<Vec<_>>().try_into().expect("five fields");
    let (by_day, by_weekday) = (holds(day, 1, local.day()), holds(weekday, 0, local.weekday().num_days_from_sunday()));
    let on_day = if day == "*" || weekday == "*" { by_day && by_weekday } else { by_day || by_weekday };
    holds(minute, 0, local.minute()) && holds(hour, 0, local.hour()) && on_day && holds(month, 1, local.month())
}

/// Every minute of some days, looked at one by one, against the calendar; in zones and years with changes.
#[test]
fn random_lines_agree_with_looking_at_every_minute() {
    let seed = std::env::var("MILLWORK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
    let mut rng = StdRng::seed_from_u64(seed);
    let places =
        [("America/New_York", 2026, 3, 7), ("Europe/Berlin", 2026, 10, 24), ("Australia/Lord_Howe", 2026, 4, 4)];
    for _ in 0..150 {
        let fields = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let line = fields.map(|(least, most)| random_field(&mut rng, least, most)).join(" ");
        let (zone, year, month, day) = places[rng.random_range(0..places.len())];
        let calendar = calendar(&line, zone, DstGap::Skip, DstOverlap::Twice);
        let zone: Tz = zone.parse().expect("a zone");
        let start = NaiveDate::from_ymd_opt(year, month, day).and_then(|d| d.and_hms_opt(0, 0, 0)).expect("a day");
        let minutes = (0..3 * 24 * 60).map(|n| start + chrono::Duration::minutes(n));
        let expected: Vec<Timestamp> = minutes
            .filter(|utc| matches(&line, zone.from_utc_datetime(utc).naive_local()))
            .map(|utc| utc.and_utc().into())
            .collect();
        let from = Timestamp::from((start - chrono::Duration::minutes(1)).and_utc());
        let end = Timestamp::from((start + chrono::Duration::days(3)).and_utc());
        let found: Vec<Timestamp> = calendar.ticks(from).take_while(|at| *at < end).collect();
        assert_eq!(found, expected, "MILLWORK_SEED={seed}: {line} in {zone}");
        for pair in found.windows(2).take(20) {
            assert_eq!(calendar.previous(pair[1]), Some(pair[0]), "MILLWORK_SEED={seed}: {line} in {zone}");
        }
    }
}

#[test]
fn the_ends_of_time_have_calendars_too() {
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"] {
        for cron in ["* * * * *", "0 2 * * *", "@yearly"] {
            let calendar = calendar(cron, zone, DstGap::RunAfter, DstOverlap::Twice);
            for micros in [i64::MIN, i64::MIN + 1, -8_334_601_228_800_000_000, 8_210_266_876_799_999_999, i64::MAX] {
                let end = Timestamp::from_micros(micros);
                assert!(calendar.previous(end).is_none_or(|at| at < end), "{cron} {zone} {micros}");
                assert!(calendar.next(end).is_none_or(|at| at > end), "{cron} {zone} {micros}");
            }
        }
    }
}
