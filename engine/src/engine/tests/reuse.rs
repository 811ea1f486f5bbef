//! Results that are taken over: the cache, reruns, stand-ins, and what is rebuilt after a crash.

use std::collections::BTreeMap;

use super::{
    harness::{Lab, yaml, yaml_of},
    kinds::{newer_registry, registry},
};
use crate::{
    data::Value,
    engine::{RunRequest, RunSummary},
    model::{Name, RunStatus},
};

const CACHED: &str = r#"
version: 1
name: cached
inputs:
  n: {type: int, default: 1}
secrets: [TOKEN]
steps:
  - id: once
    uses: pure
    cache: true
    with: {act: echo, value: "${{ inputs.n }}", token: "${{ secrets.TOKEN }}"}
outputs:
  n: ${{ steps.once.outputs.value }}
"#;

async fn run(lab: &Lab, text: &str, n: i64) -> RunSummary {
    let engine = lab.engine().await;
    let registry = if lab.newer { newer_registry() } else { registry() };
    let request = RunRequest { inputs: [("n".to_owned(), Value::Int(n))].into(), ..RunRequest::default() };
    let summary = engine.start(yaml_of(text, &registry), request).await.expect("starts").ended(false).await;
    summary.expect("ends")
}

#[tokio::test]
async fn a_cached_result_is_taken_only_where_all_that_made_it_is_equal() {
    let mut lab = Lab::new();
    for (what, n, ran) in [("first", 1, 1), ("equal", 1, 1), ("other input", 2, 2), ("first again", 1, 2)] {
        let summary = run(&lab, CACHED, n).await;
        assert_eq!((summary.status, summary.outputs["n"].as_i64()), (RunStatus::Succeeded, Some(n)), "{what}");
        assert_eq!(lab.stage.ran("once"), ran, "{what}");
    }
    *lab.secret_version.lock().expect("not poisoned") = 2;
    run(&lab, CACHED, 1).await;
    assert_eq!(lab.stage.ran("once"), 3, "another version of the secret");
    lab.newer = true;
    run(&lab, CACHED, 1).await;
    assert_eq!(lab.stage.ran("once"), 4, "another version of the kind");
}

const LABELLED: &str = r#"
version: 1
name: labelled
steps:
  - id: page
    uses: act
    with: {act: taint, value: text}
  - id: reads
    uses: act
    with: {act: echo, value: "about ${{ steps.page.outputs.value }}"}
  - id: apart
    uses: act
    with: {act: echo, value: 1}
  - id: last
    uses: act
    with: {act: fail, value: "${{ steps.reads.outputs.value }}"}
"#;

#[tokio::test]
async fn labels_follow_values_and_stay_with_what_is_reused() {
    let lab = Lab::new();
    let engine = lab.on_disk().await;
    let handle = engine.start(yaml(LABELLED), RunRequest::default()).await.expect("starts");
    let (first, id) = (handle.run.clone(), handle.id());
    handle.ended(false).await.expect("ends");
    let untrusted = |run: &crate::executor::Frozen, step: &str| {
        let facts = run.board.facts(run.find(step).expect("a step"));
        facts.labels.get("value").map(|labels| labels.untrusted.iter().cloned().collect::<Vec<_>>())
    };
    for (step, expected) in
        [("page", Some(vec!["web".to_owned()])), ("reads", Some(vec!["web".to_owned()])), ("apart", None)]
    {
        assert_eq!(untrusted(&first, step), expected, "{step}");
    }
    let handle = engine.rerun(id, "last", None).await.expect("reruns");
    let (second, again) = (handle.run.clone(), handle.id());
    handle.ended(false).await.expect("ends");
    assert_eq!(untrusted(&second, "reads"), Some(vec!["web".to_owned()]), "as the run itself has it");
    let (read, _) = engine.inner.look(again).await.expect("a run");
    assert_eq!(untrusted(&read, "reads"), Some(vec!["web".to_owned()]), "as another process reads it");
    assert_eq!(lab.stage.ran("reads"), 1);
}

#[tokio::test]
async fn a_step_that_is_stood_in_for_does_not_run() {
    let lab = Lab::new();
    let engine = lab.engine().await;
    let name = |name: &str| Name::new(name).expect("a name");
    let given = BTreeMap::from([(name("page"), BTreeMap::from([(name("value"), Value::from("given"))]))]);
    let request = RunRequest { given, ..RunRequest::default() };
    let handle = engine.start(yaml(LABELLED), request).await.expect("starts");
    handle.ended(false).await.expect("ends");
    assert_eq!((lab.stage.ran("page"), lab.stage.ran("reads")), (0, 1));
}

const UNKEPT: &str = r#"
version: 1
name: unkept
inputs:
  n: {type: int, default: 3}
secrets: [TOKEN]
steps:
  - id: big
    uses: pure
    persist: never
    with: {act: echo, value: "${{ inputs.n }}", token: "${{ secrets.TOKEN }}"}
  - id: gate
    uses: act
    with: {act: gate, value: "${{ steps.big.outputs.value }}"}
outputs:
  n: ${{ steps.gate.outputs.value }}
"#;

#[tokio::test]
async fn what_was_not_kept_is_rebuilt_after_a_crash_unless_its_inputs_changed() {
    for changed in [false, true] {
        let lab = Lab::new();
        let engine = lab.engine().await;
        let handle = engine.start(yaml(UNKEPT), RunRequest::default()).await.expect("starts");
        let id = handle.id();
        lab.stage.0.begun.acquire().await.expect("open").forget();
        handle.abandon().await;
        drop(engine);
        if changed {
            *lab.secret_version.lock().expect("not poisoned") = 2;
        }
        lab.stage.0.gate.add_permits(100);
        let engine = lab.engine().await;
        let summary = engine.resume(id, "a test").await.expect("resumes").ended(false).await.expect("ends");
        let code = summary.fault.map(|fault| fault.code.to_string());
        if changed {
            assert_eq!((summary.status, code.as_deref()), (RunStatus::Failed, Some("recompute.changed")));
            assert_eq!(lab.stage.ran("big"), 1);
        } else {
            assert_eq!((summary.status, code), (RunStatus::Succeeded, None));
            assert_eq!((summary.outputs["n"].as_i64(), lab.stage.ran("big")), (Some(3), 2));
        }
    }
}

#[tokio::test]
async fn a_run_is_not_resumed_by_kinds_of_another_version() {
    let mut lab = Lab::new();
    let engine = lab.engine().await;
    let handle = engine.start(yaml(UNKEPT), RunRequest::default()).await.expect("starts");
    let id = handle.id();
    lab.stage.0.begun.acquire().await.expect("open").forget();
    handle.abandon().await;
    drop(engine);
    lab.newer = true;
    let refused = lab.engine().await.resume(id, "a test").await.expect_err("refused");
    assert_eq!(refused.code.as_str(), "kind.version");
    assert_eq!(refused.message, "the run was frozen with version 1 of `pure`, which is version 2 here");
}
