//! Head starts: pure consumers begin before what they read is durable.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::harness::{Builder, HeldArtifacts, Lab};
use crate::{
    engine::RunRequest,
    model::{RunStatus, StepStatus},
};

async fn diamond(fails: bool) -> (Lab, Arc<HeldArtifacts>, crate::engine::RunHandle) {
    let mut lab = Lab::new();
    let held = Arc::new(HeldArtifacts { inner: lab.artifacts.clone(), gate: Semaphore::new(0), fails });
    lab.artifacts = held.clone();
    let engine = lab.engine().await;
    let mut b = Builder::new();
    b.step("source", "act", "table", "5", |_, _| {});
    b.step("pure", "pure", "rows", "${{ steps.source.outputs.table }}", |_, _| {});
    b.step("effect", "act", "rows", "${{ steps.source.outputs.table }}", |_, _| {});
    let handle = engine.start(b.plan(), RunRequest::default()).await.expect("starts");
    // The pure consumer has begun, and nothing of the source is durable.
    lab.stage.0.begun.acquire().await.expect("open").forget();
    (lab, held, handle)
}

#[tokio::test]
async fn a_pure_consumer_begins_before_its_producer_is_durable_and_shares_its_buffers() {
    let (lab, held, handle) = diamond(false).await;
    assert!(lab.stage.buffer("source").is_some());
    assert_eq!(lab.stage.buffer("pure"), lab.stage.buffer("source"), "no copy was made");
    assert_eq!(lab.stage.ran("effect"), 0, "a consumer with an effect waits");
    let status = |step: usize| {
        let run = handle.run.clone();
        run.board.status(crate::model::NodeIx(step as u32))
    };
    assert_eq!((status(0), status(1)), (StepStatus::Running, StepStatus::Pending));
    held.gate.add_permits(100);
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    assert_eq!((lab.stage.ran("pure"), lab.stage.ran("effect")), (1, 1));
}

#[tokio::test]
async fn a_head_start_is_dropped_where_what_it_read_cannot_be_kept() {
    let (lab, held, handle) = diamond(true).await;
    held.gate.add_permits(100);
    let summary = handle.ended(false).await.expect("ends");
    let statuses: Vec<_> = summary.steps.iter().map(|step| step.status).collect();
    assert_eq!(statuses, [StepStatus::Failed, StepStatus::Skipped, StepStatus::Skipped]);
    assert_eq!(summary.fault.map(|fault| fault.code.to_string()).as_deref(), Some("test.disk"));
    assert_eq!(lab.stage.ran("effect"), 0);
}
