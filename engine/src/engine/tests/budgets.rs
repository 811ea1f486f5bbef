//! Budgets, and calls that are paid for once.

use serde_json::json;

use super::harness::{Lab, yaml};
use crate::{
    engine::{Engine, RunHandle, RunRequest},
    model::{Fault, RunStatus, StepStatus},
    step::Resource,
    store::Scope,
};

fn pipeline(budget: &str, calls: u32) -> String {
    format!(
        "version: 1\nname: paying\n{budget}\nsteps:\n  - id: pays\n    uses: act\n    with: {{act: pay, value: {calls}}}\n"
    )
}

async fn start(engine: &Engine, text: &str) -> RunHandle {
    engine.start(yaml(text), RunRequest::default()).await.expect("starts")
}

#[tokio::test]
async fn a_budget_that_is_used_up_fails_the_step() {
    let lab = Lab::new();
    lab.stage.0.gate.add_permits(100);
    let engine = lab.engine().await;
    let handle = start(&engine, &pipeline("budget: {tokens: 12, on_exceeded: fail}", 3)).await;
    let summary = handle.ended(true).await.expect("ends");
    let fault = summary.fault.expect("a fault");
    assert_eq!((summary.status, fault.code.as_str()), (RunStatus::Failed, "budget.exceeded"));
    assert_eq!(lab.stage.ran("paid"), 2, "the third call was not begun");
    let balance = engine.reader().balance(&Scope::Run(summary.id)).await.expect("a balance");
    assert_eq!((balance[0].resource, balance[0].settled, balance[0].reserved), (Resource::Tokens, 10, 0));
}

#[tokio::test]
async fn a_step_waits_for_more_budget_and_goes_on_when_it_is_granted() {
    let lab = Lab::new();
    lab.stage.0.gate.add_permits(100);
    let engine = lab.engine().await;
    let handle = start(&engine, &pipeline("budget: {tokens: 12}", 3)).await;
    let id = handle.id();
    let summary = handle.ended(true).await.expect("waits");
    assert_eq!((summary.status, summary.steps[0].status), (RunStatus::Waiting, StepStatus::Waiting));
    let none = engine.answer(id, "pays", json!({"values": {}}), "a test").await.expect_err("grants nothing");
    assert_eq!(none.code.as_str(), "budget.answer");
    // Another process answers and the next owner goes on; what was paid for is not paid for again.
    engine.close().await.expect("closes");
    let engine = lab.engine().await;
    engine.answer(id, "pays", json!({"values": {"tokens": "5"}}), "a test").await.expect("answers");
    let summary = engine.resume(id, "a test").await.expect("resumes").ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    assert_eq!((lab.stage.ran("paid"), lab.stage.ran("asked_again")), (3, 0));
}

#[tokio::test]
async fn a_step_has_a_budget_of_its_own() {
    let lab = Lab::new();
    lab.stage.0.gate.add_permits(100);
    let engine = lab.engine().await;
    let text = pipeline("", 3).replace("    uses: act", "    uses: act\n    budget: {tokens: 4, on_exceeded: fail}");
    let summary = start(&engine, &text).await.ended(true).await.expect("ends");
    assert_eq!(summary.fault.map(|fault| fault.code.to_string()).as_deref(), Some("budget.exceeded"));
    assert_eq!(lab.stage.ran("paid"), 0);
}

/// Kills the run while its nth call is under way, for each n; then once more in the call that is asked for again.
#[tokio::test]
async fn a_call_is_never_paid_for_twice_wherever_the_process_dies() {
    for dies_in in 1..=3 {
        for deaths in 1..=2 {
            let lab = Lab::new();
            let mut engine = lab.engine().await;
            let mut handle = start(&engine, &pipeline("budget: {tokens: 15}", 3)).await;
            let id = handle.id();
            lab.stage.0.gate.add_permits(dies_in - 1);
            for _ in 0..dies_in {
                lab.stage.0.begun.acquire().await.expect("open").forget();
            }
            for _ in 0..deaths {
                handle.abandon().await;
                drop(engine);
                engine = lab.engine().await;
                handle = engine.resume(id, "a test").await.expect("resumes");
                // The attempt of the life before may not be gone yet, and its answer would count.
                lab.stage.0.begun.acquire().await.expect("open").forget();
            }
            lab.stage.0.gate.add_permits(100);
            let summary = handle.ended(true).await.expect("ends");
            assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None), "{dies_in} {deaths}");
            assert_eq!(lab.stage.ran("paid"), 3, "{dies_in} {deaths}");
            assert_eq!(lab.stage.ran("asked_again"), deaths as u32, "{dies_in} {deaths}");
            let balance = engine.reader().balance(&Scope::Run(id)).await.expect("a balance");
            assert_eq!((balance[0].settled, balance[0].reserved), (15, 0), "{dies_in} {deaths}");
        }
    }
}

#[tokio::test]
async fn who_lost_the_run_begins_no_call() {
    let lab = Lab::new();
    let engine = lab.engine().await;
    let handle = start(&engine, &pipeline("", 2)).await;
    let id = handle.id();
    lab.stage.0.begun.acquire().await.expect("open").forget();
    // Another process takes the run over while the first one stands still in its first call.
    let taken = engine.reader().take(id, crate::model::OwnerId::generate(engine.inner.clock.now()), 1).await;
    assert_eq!(taken.expect("taken").epoch, 2);
    lab.stage.0.gate.add_permits(100);
    let lost: Fault = handle.ended(true).await.expect_err("it is not the owner");
    assert_eq!(lost.code.as_str(), "store.not_owner");
    assert_eq!(lab.stage.ran("paid"), 1, "the second call was not begun");
}
