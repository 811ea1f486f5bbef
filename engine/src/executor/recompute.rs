//! Rebuilds outputs that were not kept (`persist: never`), after a crash, when an unfinished step needs them.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Deps, Envelope, Frozen, attempt, identity::identity, keep::Outputs, load, slot::Slot};
use crate::{
    model::{AttemptKey, Digest, Fault, NodeIx},
    step::StepEnd,
};

/// Runs a pure step once more, if what it was made from is what it was; else the fault `recompute.changed`.
pub(crate) fn recompute<'a>(
    deps: &'a Deps,
    run: &'a Frozen,
    node: NodeIx,
    inputs: Digest,
) -> BoxFuture<'a, Result<Arc<Outputs>, Fault>> {
    Box::pin(async move {
        let node = run.node(node)?;
        let loaded = load::load_for(deps, run, node).await?;
        if identity(deps, run, node, &loaded)? != Some(inputs) {
            let text = format!("step `{}` did not keep its outputs, and what it read has changed since", node.id);
            return Err(Fault::user("recompute.changed", text).help("rerun from this step"));
        }
        let envelope = Envelope {
            run: run.id,
            node: node.ix,
            item: None,
            attempt: run.board.with(node.ix, |f| f.attempts).unwrap_or(1).max(1),
            key: AttemptKey::new(run.id, node.id.as_str(), None),
        };
        let slot = Slot::within(deps.services.clock.clone());
        let work = attempt::Work {
            deps,
            run,
            node,
            envelope: &envelope,
            loaded: &loaded,
            item: None,
            body: None,
            slot: &slot,
        };
        match attempt::run_kind(&work, None).await? {
            (StepEnd::Done(output), _) => Ok(Arc::new(output.values)),
            (StepEnd::Park(_), _) => {
                Err(Fault::internal("recompute.parked", format!("the pure step `{}` parked", node.id)))
            }
        }
    })
}
