//! Runs of times: one each, about the time before it, in the days of the schedule's zone.

use std::sync::Arc;

use serde_json::json;

use super::{harness::Lab, kinds::registry};
use crate::{
    engine::{Started, Tick},
    graph::{CheckOptions, Plan, check_text},
    model::{RunStatus, Timestamp},
    spec::read_source,
};

fn checked(text: &str) -> Result<Arc<Plan>, Vec<String>> {
    let source = read_source("p.yaml", text.as_bytes()).expect("a text");
    let include = |_: &str| Err("nothing is included".to_owned());
    let options = CheckOptions { read_files: false, strict: false, include: &include, around: &[] };
    let checked = check_text(&source, std::path::Path::new("."), &registry(), options);
    checked.plan.ok_or_else(|| checked.diagnostics.iter().map(|problem| problem.message.clone()).collect())
}

const NIGHTLY: &str = "version: 1
name: nightly
on:
  schedule:
    - {cron: '0 2 * * *', timezone: Asia/Ho_Chi_Minh, inputs: {until: '${{ run.interval.end }}', by: 7}}
inputs:
  day: {type: date, default: '${{ run.interval.start ?? today() }}'}
  until: {type: timestamp}
  by: {type: float, default: 1}
steps:
  - {id: a, uses: pure, with: {act: echo, value: '${{ [inputs.day, inputs.until, inputs.by, run.interval.start] }}'}}
outputs: {seen: '${{ steps.a.outputs.value }}'}
";

fn utc(text: &str) -> Timestamp {
    text.parse::<chrono::DateTime<chrono::Utc>>().expect(text).into()
}

#[tokio::test]
async fn a_time_has_one_run_and_it_knows_its_interval() {
    let lab = Lab::new();
    let engine = lab.engine().await;
    let plan = checked(NIGHTLY).expect("a plan");
    // 02:00 on the 10th there; the run is about the day from 02:00 on the 9th.
    let tick = Tick { schedule: 0, at: utc("2026-03-09T19:00:00Z"), again: None };
    let Started::Now(handle) = engine.start_tick(plan.clone(), &tick, false).await.expect("a run") else {
        panic!("there was none before");
    };
    let id = handle.id();
    let ended = handle.ended(false).await.expect("an end");
    assert_eq!(ended.status, RunStatus::Succeeded, "{ended:?}");
    let seen = json!(["2026-03-09", "2026-03-09T19:00:00Z", 7.0, "2026-03-08T19:00:00Z"]);
    assert_eq!(ended.outputs, json!({"seen": seen}));
    match engine.start_tick(plan.clone(), &tick, true).await.expect("an answer") {
        Started::Before(run) => assert_eq!(run, id),
        Started::Now(_) => panic!("a second run of the same time"),
    }
    let again = Tick { again: Some("mended".to_owned()), ..tick };
    let Started::Now(second) = engine.start_tick(plan.clone(), &again, true).await.expect("a run") else {
        panic!("another name is another run");
    };
    let second = second.ended(false).await.expect("an end");
    assert_eq!((second.outputs, second.id != id), (ended.outputs, true));
    // Two at once: one of them starts it.
    let next = Tick { schedule: 0, at: utc("2026-03-10T19:00:00Z"), again: None };
    let (a, b) =
        tokio::join!(engine.start_tick(plan.clone(), &next, false), engine.start_tick(plan.clone(), &next, false));
    let started = [a.expect("an answer"), b.expect("an answer")];
    assert_eq!(started.iter().filter(|one| matches!(one, Started::Now(_))).count(), 1);
    let missing = Tick { schedule: 1, ..next };
    assert_eq!(engine.start_tick(plan, &missing, false).await.unwrap_err().code.as_str(), "schedule.none");
    engine.close().await.expect("a close");
}

#[test]
fn inputs_of_triggers_are_checked() {
    let wrong = NIGHTLY.replace("by: 7", "by: seven").replace("until: '${{ run.interval.end }}'", "untill: 1");
    assert_eq!(
        checked(&wrong).unwrap_err(),
        [
            "this trigger gives no value for the input `until`, which has no default",
            "the pipeline has no input `untill`",
            "expected float, found string",
        ]
    );
}
