//! A run that is looked at again and again.

use super::{
    harness::{Lab, yaml},
    limits::GATED,
};
use crate::{
    engine::{Engine, RunRequest},
    model::{RunId, RunStatus},
};

/// Looks, and compares with what the whole log says.
async fn look(engine: &Engine, run: RunId) -> u64 {
    loop {
        let look = engine.look(run).await.expect("a look");
        let (frozen, state) = engine.inner.look(run).await.expect("a run");
        if look.state.seq() == state.seq() {
            assert_eq!(look.facts, frozen.board.all());
            assert_eq!(look.state.status(), state.status());
            return state.seq();
        }
    }
}

#[tokio::test]
async fn a_look_goes_on_from_the_one_before() {
    let lab = Lab::new();
    let engine = lab.engine().await;
    let handle = engine.start(yaml(GATED), RunRequest::default()).await.expect("starts");
    let id = handle.id();
    look(&engine, id).await;
    lab.stage.0.begun.acquire().await.expect("open").forget();
    let before = look(&engine, id).await;
    let (one, same) = (engine.look(id).await.expect("a look"), engine.look(id).await.expect("a look"));
    assert!(one.state.seq() != same.state.seq() || std::sync::Arc::ptr_eq(&one, &same), "nothing is read again");
    handle.abandon().await;
    look(&engine, id).await;
    lab.stage.0.gate.add_permits(100);
    let summary = engine.resume(id, "a test").await.expect("resumes").ended(false).await.expect("ends");
    assert_eq!(summary.status, RunStatus::Succeeded);
    assert!(look(&engine, id).await > before);
    assert!(engine.look(id).await.expect("a look").step("each").is_some_and(|(_, facts)| facts.items.succeeded == 3));
}
