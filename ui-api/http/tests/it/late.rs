//! Runs that are late: told of once, and no longer when they have succeeded.

use std::sync::Arc;

use chrono::TimeDelta;
use millwork_engine::{model::ManualClock, store::RecordKind};
use millwork_service::ticker::Late;
use serde_json::{Value as Json, json};

use crate::{
    place::{Place, Setup, each, text, within},
    sse::Stream,
};

/// Runs every night, and should be done by six in the morning.
fn nightly(name: &str) -> String {
    format!(
        "version: 1\nname: {name}\non: {{schedule: {{cron: \"0 2 * * *\", finish_by: \"06:00\"}}}}\nsteps:\n  \
         - id: stand\n    uses: gate\n    with: {{value: {name}}}\n"
    )
}

const ALARM: &str = r#"
version: 1
name: alarm
on: {pipeline: {name: "*", status: late, inputs: {what: "${{ event.pipeline }}, ${{ date(event.at) }}: ${{ event.status }}"}}}
inputs: {what: {type: string}}
steps:
  - id: say
    uses: scripted
    with: {value: "${{ inputs.what }}"}
outputs: {what: "${{ inputs.what }}"}
"#;

/// Waits until so many runs of some pipelines have come to a status.
async fn next(stream: &mut Stream, pipelines: &[&str], status: &str, mut count: usize) {
    while count > 0 {
        let event = stream.next().await.expect("a stream without an end");
        let data = &event.data;
        let about = data["pipeline"].as_str().is_some_and(|name| pipelines.contains(&name));
        count -= usize::from(event.name == "run" && data["status"] == status && about);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_late_is_told_of_once() {
    let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let start = start.date_naive().and_hms_opt(20, 0, 0).expect("a time").and_utc();
    let clock = Arc::new(ManualClock::new(start.into()));
    let setup = Setup { clock: clock.clone(), ..Setup::default() };
    let place = Place::with(setup, &[&nightly("copy"), &nightly("stuck"), ALARM]).await;
    let store = place.service.engine().reader();
    // Times count from when a schedule is first looked at.
    within("schedules are seen", async {
        while store.record(RecordKind::Cursor, "late/stuck/0").await.expect("a state").is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut stream = place.stream("/events", None).await;
    let at = |night: i64, hour| clock.set((start + TimeDelta::hours(24 * night - 24 + hour)).into());
    at(1, 6);
    next(&mut stream, &["copy", "stuck"], "running", 2).await;
    at(1, 10);
    next(&mut stream, &["alarm"], "succeeded", 2).await;
    assert_eq!(late(&place).await, [("copy".to_owned(), json!("running")), ("stuck".to_owned(), json!("running"))]);
    place.gates.open("copy");
    next(&mut stream, &["copy"], "succeeded", 1).await;
    assert_eq!(late(&place).await, [("stuck".to_owned(), json!("running"))]);
    // In the next night one is done in time, the other is skipped, for its last run is not over.
    at(2, 6);
    next(&mut stream, &["copy"], "succeeded", 1).await;
    at(2, 10);
    next(&mut stream, &["alarm"], "succeeded", 1).await;
    assert_eq!(late(&place).await, [("stuck".to_owned(), Json::Null)]);
    let runs = place.good("/runs?pipeline=alarm&limit=100").await;
    let mut said = Vec::new();
    for run in each(&runs["items"], "id") {
        let run = place.good(&format!("/runs/{run}")).await;
        assert_eq!(run["cause"]["kind"], "late");
        said.push(text(&run["outputs"]["what"]));
    }
    said.sort();
    let day = |n| (start + TimeDelta::days(n)).format("%Y-%m-%d").to_string();
    assert_eq!(
        said,
        [
            format!("copy, {}: running", day(1)),
            format!("stuck, {}: running", day(1)),
            format!("stuck, {}: missing", day(2))
        ]
    );
}

/// By when it should have been done counts, not when it began.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_take_days_is_late_for_a_day() {
    let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let clock = Arc::new(ManualClock::new(start.into()));
    let slow = nightly("slow").replace("06:00", "50h");
    let place = Place::with(Setup { clock: clock.clone(), ..Setup::default() }, &[&slow]).await;
    let store = place.service.engine().reader();
    let known = async |count: usize| {
        within("the schedule is seen", async {
            let notices = || store.records(RecordKind::Notice, "late/", None, 20);
            while store.record(RecordKind::Cursor, "late/slow/0").await.expect("a state").is_none()
                || notices().await.expect("a state").len() < count
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    known(0).await;
    clock.set((start + TimeDelta::hours(76)).into());
    known(1).await;
    assert_eq!(late(&place).await.len(), 1);
    clock.set((start + TimeDelta::hours(76 + 24 * 20)).into());
    known(11).await;
    // The one whose time is over for less than a day.
    assert_eq!(late(&place).await.len(), 1);
}

async fn late(place: &Place) -> Vec<(String, Json)> {
    let overview = place.good("/overview").await;
    let late = overview["late"].as_array().expect("a list").clone();
    late.iter().map(|late| (text(&late["pipeline"]), late["status"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_a_schedule_did_not_have_are_not_late() {
    let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let clock = Arc::new(ManualClock::new(start.into()));
    let text = |cron: &str| nightly("copy").replace("0 2 * * *", cron);
    let place = Place::with(Setup { clock: clock.clone(), ..Setup::default() }, &[&text("0 0 1 1 *")]).await;
    let store = place.service.engine().reader();
    let looked = async || store.record(RecordKind::Cursor, "late/copy/0").await.expect("a state");
    let changed = async |before: Option<Json>| {
        within("the schedule is seen", async {
            while looked().await.map(|record| record.value) == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        looked().await.map(|record| record.value)
    };
    let first = changed(None).await;
    clock.set((start + TimeDelta::days(3)).into());
    std::fs::write(place.folder.path().join("p0.yaml"), text("0 2 * * *")).expect("a file");
    place.service.reload("test").await;
    changed(first).await;
    assert_eq!(late(&place).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_a_pause_are_not_late_but_what_ran_before_is() {
    let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let start = start.date_naive().and_hms_opt(20, 0, 0).expect("a time").and_utc();
    let clock = Arc::new(ManualClock::new(start.into()));
    let place = Place::with(Setup { clock: clock.clone(), ..Setup::default() }, &[&nightly("copy"), ALARM]).await;
    let store = place.service.engine().reader();
    within("the schedule is seen", async {
        while store.record(RecordKind::Cursor, "late/copy/0").await.expect("a state").is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut stream = place.stream("/events", None).await;
    let at = |night: i64, hour| clock.set((start + TimeDelta::hours(24 * night - 24 + hour)).into());
    at(1, 6);
    next(&mut stream, &["copy"], "running", 1).await;
    at(1, 7);
    place.service.ticker().pause("copy", 0, Some("somebody")).await.expect("paused");
    at(1, 10);
    next(&mut stream, &["alarm"], "succeeded", 1).await;
    assert_eq!(late(&place).await, [("copy".to_owned(), json!("running"))]);
    place.gates.open("copy");
    next(&mut stream, &["copy"], "succeeded", 1).await;
    // The next night falls into the pause, which is over before its run would have been late.
    at(2, 7);
    place.service.ticker().pause("copy", 0, None).await.expect("goes on");
    at(2, 11);
    // As a process that was started meanwhile.
    let service = &place.service;
    let (engine, catalog) = (service.engine().clone(), service.catalog().clone());
    let mut again = Late::new(engine, clock, catalog, service.desk().clone(), service.ticker().clone());
    let third = start + TimeDelta::hours(48 + 10);
    assert_eq!(again.look().await.expect("looked"), Some(third.into()));
    assert_eq!(late(&place).await, []);
    assert_eq!(place.good("/runs?pipeline=alarm").await["items"].as_array().map(Vec::len), Some(1));
}
