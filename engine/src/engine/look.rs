use std::sync::Arc;

use super::inner::Inner;
use crate::{
    executor::StepFacts,
    graph::Plan,
    model::{Fault, RunId, Timestamp, event::RunOrigin},
    run::RunState,
};

/// A run as it stands in the store: all that is known of it and its steps.
#[derive(Debug)]
pub struct RunLook {
    /// Its plan, from its frozen bundle.
    pub plan: Arc<Plan>,
    /// What it was created from.
    pub origin: RunOrigin,
    /// When.
    pub created_at: Timestamp,
    /// What is known of each step, in the order of the plan.
    pub facts: Vec<StepFacts>,
    /// The machine's state after the last event.
    pub state: RunState,
}

impl Inner {
    pub(super) async fn run_look(&self, run: RunId) -> Result<RunLook, Fault> {
        let (frozen, state) = self.look(run).await?;
        let facts = frozen.board.all();
        let (plan, origin, created_at) = (frozen.plan, frozen.origin, frozen.created_at);
        Ok(RunLook { plan, origin, created_at, facts, state })
    }
}
