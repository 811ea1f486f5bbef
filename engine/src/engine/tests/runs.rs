use std::time::Duration;

use serde_json::json;

use super::harness::{Builder, Lab, ints};
use crate::{
    engine::RunRequest,
    model::{RetryPolicy, RunStatus, StepStatus},
    spec::{Persist, Spanned},
};

fn statuses(summary: &crate::engine::RunSummary) -> Vec<StepStatus> {
    summary.steps.iter().map(|step| step.status).collect()
}

#[tokio::test]
async fn a_diamond_passes_values_and_tables_along() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("source", "pure", "table", "5", |_, _| {});
    b.step("left", "pure", "rows", "${{ steps.source.outputs.table }}", |_, _| {});
    b.step("right", "act", "echo", "${{ steps.source.outputs.table.rows }}", |_, _| {});
    b.step("sum", "pure", "echo", "${{ steps.left.outputs.value + steps.right.outputs.value }}", |_, _| {});
    b.output("sum", "${{ steps.sum.outputs.value }}");
    b.output("table", "${{ steps.source.outputs.table }}");
    let summary = lab.run(b.plan()).await;
    assert_eq!((summary.status, summary.fault.clone()), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["sum"], json!(10));
    assert_eq!(summary.steps[0].rows, Some(5));
    for step in ["source", "left", "right", "sum"] {
        assert_eq!(lab.stage.ran(step), 1, "{step}");
    }
    // As another process sees it.
    let engine = lab.engine().await;
    engine.inner.know_plan(&lab_plan(&summary, &lab).await);
    assert_eq!(engine.summary(summary.id).await.expect("a summary").outputs, summary.outputs);
    let outputs = engine.outputs(summary.id, "source").await.expect("outputs");
    assert_eq!(outputs.values().next().and_then(|v| v.as_table()).and_then(|t| t.rows), Some(5));
}

/// The plan of a run made by hand cannot be checked again from its text; it is rebuilt the same.
async fn lab_plan(_: &crate::engine::RunSummary, _: &Lab) -> std::sync::Arc<crate::graph::Plan> {
    let mut b = Builder::new();
    b.step("source", "pure", "table", "5", |_, _| {});
    b.step("left", "pure", "rows", "${{ steps.source.outputs.table }}", |_, _| {});
    b.step("right", "act", "echo", "${{ steps.source.outputs.table.rows }}", |_, _| {});
    b.step("sum", "pure", "echo", "${{ steps.left.outputs.value + steps.right.outputs.value }}", |_, _| {});
    b.output("sum", "${{ steps.sum.outputs.value }}");
    b.output("table", "${{ steps.source.outputs.table }}");
    b.plan()
}

#[tokio::test]
async fn faults_retries_panics_and_wrong_outputs() {
    let retry =
        RetryPolicy { max_attempts: 3, delay: Duration::from_millis(1), jitter: false, ..RetryPolicy::default() };
    for (act, retries, status, attempts, code) in [
        ("flaky", true, StepStatus::Succeeded, 3, None),
        ("flaky", false, StepStatus::Failed, 1, Some("test.failed")),
        ("fail", true, StepStatus::Failed, 3, Some("test.failed")),
        ("panic", false, StepStatus::Failed, 1, Some("step.panic")),
        ("wrong", false, StepStatus::Failed, 1, Some("step.output")),
    ] {
        let lab = Lab::new();
        let mut b = Builder::new();
        b.step("only", "act", act, "1", |_, step| {
            if retries {
                step.retry = retry.clone();
            }
        });
        let summary = lab.run(b.plan()).await;
        let step = &summary.steps[0];
        let found = step.fault.as_ref().map(|fault| fault.code.as_str().to_owned());
        assert_eq!((step.status, step.attempts, found.as_deref()), (status, attempts, code), "{act}");
    }
}

#[tokio::test]
async fn a_timeout_is_a_fault_and_a_secret_is_masked() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("slow", "act", "hang", "", |_, step| step.timeout = Some(Duration::from_millis(5)));
    b.spec.secrets.push(Spanned::new("TOKEN".to_owned(), crate::diag::Span::default()));
    b.step("leak", "act", "leak", "", |b, step| {
        let word = b.made("x", "act", "${{ secrets.TOKEN }}", "");
        let (Some(with), Some(made)) = (&mut step.with, word.with) else { return };
        let (crate::spec::NodeKind::Map(entries), crate::spec::NodeKind::Map(made)) = (&mut with.kind, made.kind)
        else {
            return;
        };
        entries.extend(made.into_iter().map(|(mut key, node)| {
            key.text = "token".into();
            (key, node)
        }));
    });
    let summary = lab.run(b.plan()).await;
    let faults: Vec<_> =
        summary.steps.iter().filter_map(|s| s.fault.as_ref()).map(|f| (f.code.as_str(), f.message.as_str())).collect();
    assert_eq!(faults[0].0, "timeout");
    assert_eq!(faults[1], ("test.leak", "refused ***"));
    let logs = lab.engine().await.logs(summary.id, Some("leak"), None).await.expect("logs");
    assert_eq!(logs.iter().map(|l| l.text.as_str()).collect::<Vec<_>>(), ["the token is ***"]);
}

#[tokio::test]
async fn conditions_skip_and_always_runs() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("bad", "act", "fail", "", |_, _| {});
    b.step("after", "act", "echo", "1", |b, step| {
        step.needs.push(Spanned::new(crate::model::Name::new("bad").expect("a name"), b.expr("1").span));
    });
    b.step("off", "act", "echo", "1", |b, step| step.condition = Some(b.expr("1 > 2")));
    b.step("cleanup", "act", "echo", "1", |b, step| {
        step.needs.push(Spanned::new(crate::model::Name::new("bad").expect("a name"), b.expr("1").span));
        step.condition = Some(b.expr("failed('bad')"));
    });
    let summary = lab.run(b.plan()).await;
    use StepStatus::{Failed, Skipped, Succeeded};
    assert_eq!(statuses(&summary), [Failed, Skipped, Skipped, Succeeded]);
    assert_eq!(summary.status, RunStatus::Failed);
}

#[tokio::test]
async fn a_fan_out_gathers_what_succeeded_and_names_what_failed() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("numbers", "pure", "echo", "${{ [0, 1, 2, 3, 4] }}", |_, _| {});
    b.step("each", "act", "odd_fails", "${{ item }}", |b, step| b.for_each(step, "steps.numbers.outputs.value", 0.5));
    b.step("tables", "pure", "table", "${{ item }}", |b, step| b.for_each(step, "[2, 3]", 1.0));
    b.output("values", "${{ steps.each.outputs.value }}");
    b.output("failed", "${{ steps.each.outputs.failed_items.rows }}");
    b.output("rows", "${{ steps.tables.outputs.table.rows }}");
    let summary = lab.run(b.plan()).await;
    assert_eq!((summary.status, summary.fault.clone()), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs, json!({"values": [0, null, 2, null, 4], "failed": 2, "rows": 5}));
}

#[tokio::test]
async fn repeat_goes_on_until_its_condition_holds_or_its_limit_is_reached() {
    for (until, max, status) in
        [("outputs.value == 7", 3, RunStatus::Succeeded), ("outputs.value == 8", 3, RunStatus::Failed)]
    {
        let lab = Lab::new();
        let mut b = Builder::new();
        b.step("poll", "act", "echo", "7", |b, step| b.repeat(step, until, max));
        let summary = lab.run(b.plan()).await;
        assert_eq!(summary.status, status);
        assert_eq!(lab.stage.ran("poll"), if status == RunStatus::Succeeded { 1 } else { 3 });
    }
}

#[tokio::test]
async fn cancel_stops_and_a_second_one_interrupts() {
    let lab = Lab::new();
    let plan = || {
        let mut b = Builder::new();
        b.step("hang", "act", "hang", "", |_, _| {});
        b.step("after", "act", "echo", "${{ steps.hang.outputs.value }}", |_, _| {});
        b.plan()
    };
    let engine = lab.engine().await;
    let handle = engine.start(plan(), RunRequest::default()).await.expect("starts");
    lab.stage.0.begun.acquire().await.expect("open").forget();
    engine.cancel(handle.id(), "a person").await.expect("cancels");
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!((summary.status, statuses(&summary)[0]), (RunStatus::Cancelled, StepStatus::Cancelled));

    let handle = engine.start(plan(), RunRequest::default()).await.expect("starts");
    lab.stage.0.begun.acquire().await.expect("open").forget();
    let id = handle.id();
    handle.interrupt("a shutdown");
    assert_eq!(handle.ended(false).await.expect("ends").status, RunStatus::Interrupted);
    let resumed = engine.resume(id, "a person").await.expect("resumes");
    lab.stage.0.begun.acquire().await.expect("open").forget();
    resumed.cancel("a person");
    assert_eq!(resumed.ended(false).await.expect("ends").status, RunStatus::Cancelled);
}

#[tokio::test]
async fn after_a_crash_what_succeeded_does_not_run_again() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("first", "act", "table", "3", |_, _| {});
    b.step("lost", "pure", "echo", "${{ steps.first.outputs.table.rows }}", |_, step| step.persist = Persist::Never);
    b.step("gate", "act", "gate", "${{ steps.lost.outputs.value }}", |_, _| {});
    b.step("last", "act", "echo", "${{ steps.gate.outputs.value + steps.lost.outputs.value }}", |_, _| {});
    b.output("last", "${{ steps.last.outputs.value }}");
    let plan = b.plan();
    let handle = lab.engine().await.start(plan.clone(), RunRequest::default()).await.expect("starts");
    let id = handle.id();
    lab.stage.0.begun.acquire().await.expect("open").forget();
    handle.abandon().await;

    let engine = lab.engine().await;
    engine.inner.know_plan(&plan);
    let handle = engine.resume(id, "a person").await.expect("resumes");
    lab.stage.0.gate.add_permits(2);
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault.clone()), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["last"], json!(6));
    let ran = ["first", "lost", "gate", "last"].map(|step| lab.stage.ran(step));
    assert_eq!(ran, [1, 2, 2, 1], "what was not kept is rebuilt, what was not recorded runs again");
}

#[tokio::test]
async fn an_approval_waits_and_goes_on_with_the_answer() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("review", "act", "approve", "", |_, _| {});
    b.output("note", "${{ steps.review.outputs.value }}");
    let plan = b.plan();
    let engine = lab.engine().await;
    let handle = engine.start(plan.clone(), RunRequest::default()).await.expect("starts");
    let id = handle.id();
    assert_eq!(handle.ended(true).await.expect("waits").status, RunStatus::Waiting);
    let wrong = engine.answer(id, "nobody", json!({}), "a person").await.expect_err("a fault");
    assert_eq!(wrong.code.as_str(), "step.unknown");
    let live = engine.inner.live(id).expect("still driven");
    engine.answer(id, "review", json!({"note": "yes"}), "a person").await.expect("answers");
    live.clone().settled(false).await.expect("ends");
    assert_eq!(engine.summary(id).await.expect("a summary").outputs["note"], json!("yes"));
}

#[tokio::test]
async fn a_cached_result_is_taken_and_a_rerun_reuses_what_is_equal() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("costly", "pure", "echo", "41", |_, step| step.cache = true);
    b.step("next", "act", "echo", "${{ steps.costly.outputs.value + 1 }}", |_, _| {});
    b.output("next", "${{ steps.next.outputs.value }}");
    let plan = b.plan();
    let first = lab.run(plan.clone()).await;
    // The entry is written beside the run.
    while lab.store.live_artifacts(&crate::store::Doomed::default()).await.is_err() {}
    let engine = lab.engine().await;
    let rerun = engine.rerun_plan(first.id, "next", Some(plan.clone())).await;
    engine.inner.know_plan(&plan);
    let rerun = match rerun {
        Ok(rerun) => rerun,
        Err(_) => engine.rerun_plan(first.id, "next", None).await.expect("a plan"),
    };
    assert_eq!(rerun.reused.iter().map(|n| n.as_str()).collect::<Vec<_>>(), ["costly"]);
    let again = engine.rerun(first.id, "next", None).await.expect("starts").ended(false).await.expect("ends");
    assert_eq!(again.outputs["next"], json!(42));
    assert_eq!((lab.stage.ran("costly"), lab.stage.ran("next")), (1, 2));
}

#[tokio::test]
async fn given_steps_do_not_run_and_only_selects() {
    let lab = Lab::new();
    let mut b = Builder::new();
    b.step("numbers", "act", "fail", "", |_, _| {});
    b.step("each", "pure", "echo", "${{ item }}", |b, step| b.for_each(step, "steps.numbers.outputs.value", 1.0));
    b.step("other", "act", "fail", "", |_, _| {});
    b.output("all", "${{ steps.each.outputs.value }}");
    let name = |text| crate::model::Name::new(text).expect("a name");
    let request = RunRequest {
        only: vec![name("each")],
        given: [(name("numbers"), [(name("value"), ints([4, 5]))].into())].into(),
        ..RunRequest::default()
    };
    let handle = lab.engine().await.start(b.plan(), request).await.expect("starts");
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault.clone()), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["all"], json!([4, 5]));
    assert_eq!((lab.stage.ran("numbers"), lab.stage.ran("other")), (0, 0));
}
