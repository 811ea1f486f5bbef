//! Steps that do not stop, and items that wait.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::json;

use super::{
    harness::{Builder, Lab, try_yaml, yaml},
    kinds::registry,
};
use crate::{
    engine::RunRequest,
    model::{RunStatus, StepStatus},
    store::RunFilter,
};

#[tokio::test]
async fn steps_that_block_their_threads_delay_neither_timeout_nor_cancel() {
    let lab = Lab::new();
    let engine = lab.engine().await;
    let mut b = Builder::new();
    // As many as may run at once.
    b.step("late", "act", "block", "", |_, step| step.timeout = Some(Duration::from_millis(5)));
    b.step("stubborn", "act", "block", "", |_, _| {});
    b.spec.order = crate::spec::Order::Graph;
    let handle = engine.start(b.plan(), RunRequest::default()).await.expect("starts");
    for _ in 0..2 {
        lab.stage.0.begun.acquire().await.expect("open").forget();
    }
    handle.cancel("a test");
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!(lab.stage.ran("returned"), 0, "the run ended before its steps returned");
    let by_id = |id: &str| summary.steps.iter().find(|step| step.id.as_str() == id).expect("a step");
    assert!(matches!(by_id("late").status, StepStatus::Failed | StepStatus::Cancelled));
    assert_eq!(by_id("stubborn").status, StepStatus::Cancelled);
    let mut left = engine.inner.hub.executor.stragglers();
    left.sort();
    assert_eq!(left, ["step `late`", "step `stubborn`"]);
    let logs = engine.logs(summary.id, Some("stubborn"), None).await.expect("logs");
    assert!(logs.iter().any(|line| line.text.contains("did not stop when asked")), "{logs:?}");

    // They have the only permits until they return.
    let mut b = Builder::new();
    b.step("next", "act", "echo", "1", |_, _| {});
    let next = engine.start(b.plan(), RunRequest::default()).await.expect("starts");
    assert_eq!(lab.stage.ran("next"), 0);
    lab.stage.0.unblocked.store(true, Ordering::Release);
    assert_eq!(next.ended(false).await.expect("ends").status, RunStatus::Succeeded);
    while lab.stage.ran("returned") < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_timeout_of_a_step_that_blocks_is_told_at_once_and_names_it() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("late", "act", "block", "", |_, step| {
        step.timeout = Some(Duration::from_millis(5));
        step.retry.max_attempts = 3;
        step.retry.delay = Duration::from_millis(1);
    });
    let summary = lab.run(b.plan()).await;
    let fault = summary.fault.expect("a fault");
    assert_eq!(fault.code.as_str(), "timeout");
    assert!(fault.help.as_deref().is_some_and(|help| help.contains("keeps its slot")), "{fault:?}");
    assert_eq!(summary.steps[0].attempts, 1, "no second attempt beside the first");
    lab.stage.0.unblocked.store(true, Ordering::Release);
}

const CHILDREN: &str = r#"
version: 1
name: parents
steps:
  - id: each
    for_each: "[1, 2, 3, 4, 5, 6, 7, 8]"
    uses: act
    with: {act: child, value: "${{ item }}"}
  - id: naps
    for_each: "[1, 2, 3]"
    steps:
      - id: nap
        uses: act
        with: {act: nap, value: "${{ item }}"}
outputs:
  doubled: ${{ steps.each.outputs.value }}
  naps: ${{ steps.naps.items.succeeded }}
"#;

#[tokio::test]
async fn items_that_wait_for_children_and_times_hold_no_permit() {
    let lab = Lab::new();
    // More children at once than there are permits: each would wait for another's.
    let summary = lab.run(yaml(CHILDREN)).await;
    assert_eq!((summary.status, summary.fault.clone()), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs, json!({"doubled": [2, 4, 6, 8, 10, 12, 14, 16], "naps": 3}));
}

pub(super) const GATED: &str = r#"
version: 1
name: parents
steps:
  - id: each
    for_each: "[1, 2, 3]"
    steps:
      - id: sub
        uses: act
        with: {act: child, value: "${{ item }}"}
      - id: gate
        uses: act
        with: {act: gate, value: "${{ steps.sub.outputs.value }}"}
outputs:
  doubled: ${{ steps.each.outputs.value }}
"#;

#[tokio::test]
async fn after_a_crash_an_item_finds_the_child_that_it_started() {
    let lab = Lab::new();
    let engine = lab.engine().await;
    let handle = engine.start(yaml(GATED), RunRequest::default()).await.expect("starts");
    let id = handle.id();
    lab.stage.0.begun.acquire().await.expect("open").forget();
    handle.abandon().await;
    drop(engine);
    lab.stage.0.gate.add_permits(100);
    let engine = lab.engine().await;
    let summary = engine.resume(id, "a test").await.expect("resumes").ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault.clone()), (RunStatus::Succeeded, None));
    let filter = RunFilter { parent: Some(id), limit: 10, ..RunFilter::default() };
    assert_eq!(engine.reader().runs(&filter).await.expect("runs").len(), 3, "one child an item");
    assert_eq!(lab.stage.ran("twice"), 3, "each child's work was done once");
}

#[test]
fn a_question_inside_a_fan_out_is_refused_at_check() {
    let one = "version: 1\nname: p\nsteps:\n  - id: each\n    for_each: '[1, 2]'\n";
    let asks = "uses: act\n    with: {act: approve}\n";
    let body = format!("steps:\n      - id: ask\n        {}", asks.replace("\n    ", "\n        "));
    for (text, refused) in [
        (format!("{one}    {asks}"), true),
        (format!("{one}    {body}"), true),
        (format!("version: 1\nname: p\nsteps:\n  - id: ask\n    {asks}"), false),
    ] {
        let found = try_yaml(&text, &registry()).err().map(|fault| fault.message);
        assert_eq!(found.as_ref().is_some_and(|m| m.contains("waits for a person")), refused, "{text}\n{found:?}");
    }
}

#[tokio::test]
async fn a_deadline_inside_a_body_ends_all_tries() {
    let lab = Lab::new();
    let text = "version: 1\nname: p\nsteps:\n  - id: each\n    for_each: '[1]'\n    steps:\n      - id: slow\n        uses: act\n        deadline: 10ms\n        with: {act: hang}\n";
    let engine = lab.engine().await;
    let handle = engine.start(yaml(text), RunRequest::default()).await.expect("starts");
    let id = handle.id();
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!(summary.status, RunStatus::Failed);
    let filter = crate::store::ItemFilter { limit: 10, ..Default::default() };
    let items = engine.reader().items(id, crate::model::NodeIx(0), &filter).await.expect("items");
    let codes: Vec<_> = items.iter().filter_map(|item| item.fault.as_ref()).map(|f| f.code.to_string()).collect();
    assert_eq!(codes, ["deadline"]);
    assert_eq!(lab.stage.ran("slow.0"), 1);
}

#[tokio::test]
async fn a_run_goes_on_though_a_file_that_its_check_looked_at_is_gone() {
    let lab = Lab::new();
    let file = lab.home.join("source.csv");
    std::fs::write(&file, "a\n1\n").expect("written");
    let text = format!(
        "version: 1\nname: p\nsteps:\n  - id: source\n    uses: act\n    with: {{act: 'looks at {}', value: 1}}\n  \
         - id: gate\n    uses: act\n    needs: source\n    with: {{act: gate}}\n",
        file.display()
    );
    let engine = lab.engine().await;
    let handle = engine.start(yaml(&text), RunRequest::default()).await.expect("starts");
    let id = handle.id();
    lab.stage.0.begun.acquire().await.expect("open").forget();
    handle.abandon().await;
    drop(engine);
    std::fs::remove_file(&file).expect("removed");
    lab.stage.0.gate.add_permits(100);
    let engine = lab.engine().await;
    let summary = engine.resume(id, "a test").await.expect("resumes").ended(false).await.expect("ends");
    assert_eq!((summary.status, lab.stage.ran("source")), (RunStatus::Succeeded, 1));
}
