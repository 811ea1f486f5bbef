//! Times of schedules, and runs for those that are past.

use std::fs;

use crate::{
    cli::{folder, millwork, text},
    program::empty,
};

const DAILY: &str = "version: 1
name: daily
on:
  schedule:
    - {cron: '30 2 * * *', timezone: Europe/Berlin}
    - {cron: '0 9 * * 1', inputs: {kind: weekly}}
inputs:
  day: {type: date, default: '${{ run.interval.start ?? today() }}'}
  kind: {type: string, default: daily}
steps:
  - id: note
    uses: shell
    with: {command: [sh, -c, 'echo \"$DAY $KIND\" >> \"$LEDGER\"']}
    env: {DAY: '${{ inputs.day }}', KIND: '${{ inputs.kind }}', LEDGER: LEDGER_FILE}
";

#[test]
fn a_year_is_listed_and_odd_days_are_marked() {
    let here = folder(&[("p.yaml", DAILY)]);
    let all = millwork(here.path(), &["schedule", "preview", "p.yaml", "--year", "2027"]);
    let shown = text(&all.stdout);
    assert!(shown.contains("2027-03-28 Sun 03:00 +02:00  ! clocks skip 02:30: runs after the gap\n"), "{shown}");
    assert!(shown.contains("365 runs in 2027, 2 odd\n") && shown.contains("52 runs in 2027, none odd\n"), "{shown}");
    let odd = millwork(here.path(), &["schedule", "preview", "p.yaml", "--year", "2027", "--odd", "--json"]);
    let odd = text(&odd.stdout);
    let expected = "{\"schedule\":0,\"cron\":\"30 2 * * *\",\"timezone\":\"Europe/Berlin\",\"local\":\"2027-10-31T02:30\",\
                    \"at\":\"2027-10-31T00:30:00Z\",\"odd\":\"first_only\"}";
    assert_eq!((odd.lines().count(), odd.lines().last()), (2, Some(expected)));
}

#[test]
fn a_backfill_goes_on_where_it_was_killed_and_runs_each_time_once() {
    let place = empty();
    let ledger = place.path().join("ledger");
    let pipeline = DAILY.replace("LEDGER_FILE", &ledger.display().to_string());
    fs::write(place.path().join("p.yaml"), pipeline).expect("a file");
    let words = ["schedule", "backfill", "p.yaml", "--from", "2027-03-27", "--to", "2027-03-31", "--concurrency", "2"];
    let with = |more: &[&str], crash: Option<&str>| place.do_it(&[&words, more].concat(), crash);

    let dry = with(&["--dry-run"], None);
    assert_eq!((dry.status.code(), dry.stdout.matches("would run").count()), (Some(0), 4), "{dry:?}");
    assert!(dry.stdout.contains("2027-03-28 Sun 03:00 +02:00  would run") && !ledger.exists(), "{dry:?}");

    assert!(with(&[], Some("create.after")).was_killed());
    let done = with(&[], None);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(done.stdout.matches("succeeded").count(), 4, "{done:?}");
    let days = |kind: &str| -> Vec<String> {
        let mut days: Vec<String> = fs::read_to_string(&ledger).expect("a ledger").lines().map(str::to_owned).collect();
        days.retain(|day| day.ends_with(kind));
        days.sort();
        days
    };
    // Each is about the day before: from the time before to its own.
    let expected = ["2027-03-26 daily", "2027-03-27 daily", "2027-03-28 daily", "2027-03-29 daily"];
    assert_eq!(days("daily"), expected);

    let again = with(&[], None);
    assert_eq!((again.status.code(), again.stdout.matches("succeeded already, run_").count()), (Some(0), 4));
    assert_eq!(days("daily"), expected);
    let mended = with(&["--again", "mended"], None);
    assert_eq!((mended.status.code(), days("daily").len()), (Some(0), 8), "{mended:?}");
    let weekly = with(&["--schedule", "1"], None);
    assert_eq!((weekly.status.code(), days("weekly")), (Some(0), vec!["2027-03-22 weekly".to_owned()]), "{weekly:?}");
    let none = with(&["--schedule", "2"], None);
    assert!(none.stderr.contains("it has 2 schedules, which count from 0"), "{none:?}");
}

#[test]
fn a_range_that_is_none_is_told() {
    let here = folder(&[("p.yaml", DAILY)]);
    for (from, to, why) in [
        ("2027-03-27", "2027-03-27", "`--to` is not after `--from`"),
        ("2027-02-30", "2027-03-27", "`2027-02-30` is no day and no moment"),
    ] {
        let told = millwork(here.path(), &["schedule", "backfill", "p.yaml", "--from", from, "--to", to]);
        assert_eq!(told.status.code(), Some(2), "{told:?}");
        assert!(text(&told.stderr).contains(why), "{told:?}");
    }
}
