//! Layer 7: where an attempt runs. It is given an envelope, references and never data; loads what its
//! step reads, resolves, builds and runs it on the compute runtime, and makes its outputs durable.

mod attempt;
mod board;
mod body;
mod env;
mod envelope;
mod evaluate;
mod fan;
mod frozen;
mod gather;
mod guard;
mod identity;
mod items;
mod keep;
mod load;
mod logs;
mod memory;
mod park;
mod permits;
mod recompute;
mod runtime;
mod scrub;
mod slot;
mod update;
mod watchdog;

pub use board::{Board, ItemCounts, StepFacts};
pub use envelope::Envelope;
pub use evaluate::{Alone, StateValues, condition, eval_alone, pipeline_outputs, until};
pub(crate) use frozen::EVENT;
pub use frozen::Frozen;
pub use gather::{Gathered, gather};
pub use keep::{Kept, Outputs, keep};
pub use logs::{LogLine, LogPage, LogPlace, LogQuery, Logs};
pub use memory::MemoryShares;
pub use runtime::{COMPUTE, ChildEnds, Deps, Executor, Report, Reporter};
pub use scrub::Scrubber;
pub use update::{Update, Updates};

use crate::{
    crash::crash_point,
    model::{Digest, Fault, NodeIx},
    run::Planned,
};

/// Evaluates what a fan-out goes over.
pub async fn plan_items(deps: &Deps, run: &Frozen, node: NodeIx) -> Result<Planned, Fault> {
    let items = load::items(deps, run, run.node(node)?).await.map_err(|fault| run.scrubber.fault(fault))?;
    crash_point("items.planned");
    Ok(Planned { count: items.count, digest: items.digest })
}

/// Outputs of a step, tables ready to be read.
pub async fn step_outputs(deps: &Deps, run: &Frozen, node: NodeIx) -> Result<std::sync::Arc<Outputs>, Fault> {
    load::outputs(deps, run, node).await
}

/// Outputs from where they are kept.
pub(crate) async fn stored_outputs(deps: &Deps, stored: &crate::model::event::StoredOutputs) -> Result<Outputs, Fault> {
    load::stored_outputs(deps, stored).await
}

/// Whether stored outputs can still be read.
pub async fn verify_stored(deps: &Deps, stored: &crate::model::event::StoredOutputs) -> Result<(), Fault> {
    load::stored_outputs(deps, stored).await.map(drop)
}

/// The identity of a step's work, for the cache.
pub async fn fingerprint(deps: &Deps, run: &Frozen, node: NodeIx) -> Result<Option<Digest>, Fault> {
    let node = run.node(node)?;
    let loaded = load::load_for(deps, run, node).await?;
    identity::identity(deps, run, node, &loaded)
}
