//! Runs of pipelines in YAML, over a home folder.

use std::time::Duration;

use serde_json::json;

use super::harness::{Lab, yaml};
use crate::{
    data::Value,
    engine::RunRequest,
    model::{RunStatus, StepStatus},
};

const BODY: &str = r#"
version: 1
name: bodies
inputs:
  names: {type: list<string>, default: [a, b]}
steps:
  - id: each
    for_each: ${{ inputs.names }}
    steps:
      - id: one
        uses: act
        with: {act: echo, value: "${{ item }}1"}
      - id: two
        uses: act
        retry: {max_attempts: 3, delay: 1ms}
        with: {act: flaky, value: "${{ steps.one.outputs.value }}2"}
outputs:
  items: ${{ steps.each.items.succeeded }}
"#;

#[tokio::test]
async fn a_body_of_several_steps_runs_within_each_item() {
    let lab = Lab::new();
    let engine = lab.on_disk().await;
    let request = RunRequest { inputs: [("names".to_owned(), Value::from("x, y, z"))].into(), ..RunRequest::default() };
    let handle = engine.start(yaml(BODY), request).await.expect("starts");
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault.clone()), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["items"], json!(3));
    assert_eq!((lab.stage.ran("one.0"), lab.stage.ran("two.0")), (1, 3));
    engine.close().await.expect("closes");
}

const PARENT: &str = r"
version: 1
name: parent
steps:
  - id: sub
    uses: act
    with: {act: child, value: 21}
outputs:
  doubled: ${{ steps.sub.outputs.value }}
";

#[tokio::test]
async fn a_sub_pipeline_is_a_run_of_its_own_and_answers_its_parent() {
    let lab = Lab::new();
    let engine = lab.on_disk().await;
    let handle = engine.start(yaml(PARENT), RunRequest::default()).await.expect("starts");
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault.clone()), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["doubled"], json!(42));
    let filter = crate::store::RunFilter { parent: Some(summary.id), limit: 10, ..Default::default() };
    let children = engine.reader().runs(&filter).await.expect("runs");
    assert_eq!(children.iter().map(|run| run.status).collect::<Vec<_>>(), [RunStatus::Succeeded]);
    engine.close().await.expect("closes");
}

const GATED: &str = r#"
version: 1
name: gated
steps:
  - id: first
    uses: act
    with: {act: table, value: 3}
  - id: gate
    uses: act
    with: {act: gate, value: "${{ steps.first.outputs.table.rows }}"}
outputs:
  rows: ${{ steps.gate.outputs.value }}
  table: ${{ steps.first.outputs.table }}
"#;

#[tokio::test]
async fn a_run_is_owned_by_one_engine_and_taken_over_when_that_is_gone() {
    let lab = Lab::new();
    let first = lab.on_disk().await;
    let handle = first.start(yaml(GATED), RunRequest::default()).await.expect("starts");
    let id = handle.id();
    lab.stage.0.begun.acquire().await.expect("open").forget();

    let second = lab.on_disk().await;
    let refused = second.resume(id, "a person").await.expect_err("owned");
    assert_eq!(refused.code.as_str(), "run.owned");
    assert_eq!(second.summary(id).await.expect("a summary").steps[0].status, StepStatus::Succeeded);
    handle.abandon().await;
    drop(first);
    let mut resumed = Err(refused);
    while resumed.is_err() {
        // The first engine's lock goes with its last attempt.
        lab.stage.0.gate.add_permits(1);
        tokio::task::yield_now().await;
        resumed = second.resume(id, "a person").await;
    }
    lab.stage.0.gate.add_permits(1);
    let summary = resumed.expect("resumes").ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.outputs["rows"].clone()), (RunStatus::Succeeded, json!(3)));
    assert_eq!(lab.stage.ran("first"), 1);
    let outputs = second.outputs(id, "first").await.expect("outputs");
    assert!(outputs.values().any(|value| value.as_table().is_some_and(|table| table.rows == Some(3))));

    let report = second.gc(crate::engine::Keep::all(Duration::ZERO), true).await.expect("counts");
    assert_eq!(report.runs, 1);
    second.gc(crate::engine::Keep::all(Duration::ZERO), false).await.expect("forgets");
    assert_eq!(second.summary(id).await.expect_err("gone").code.as_str(), "store.no_run");
    second.close().await.expect("closes");
}

#[tokio::test]
async fn another_process_cancels_through_the_requests() {
    let lab = Lab::new();
    let first = lab.on_disk().await;
    let handle = first.start(yaml(GATED), RunRequest::default()).await.expect("starts");
    lab.stage.0.begun.acquire().await.expect("open").forget();
    let second = lab.on_disk().await;
    second.cancel(handle.id(), "another").await.expect("asks");
    lab.stage.0.gate.add_permits(1);
    let summary = handle.ended(false).await.expect("ends");
    // The step may have ended before the request was heard.
    assert!(matches!(summary.status, RunStatus::Cancelled | RunStatus::Succeeded));
}

#[tokio::test]
async fn inputs_are_checked_before_anything_runs() {
    let lab = Lab::new();
    let engine = lab.engine().await;
    for (name, value, code) in [("nmaes", Value::from("x"), "input.unknown"), ("names", Value::Int(3), "input.type")] {
        let request = RunRequest { inputs: [(name.to_owned(), value)].into(), ..RunRequest::default() };
        assert_eq!(engine.start(yaml(BODY), request).await.expect_err("a fault").code.as_str(), code);
    }
}
