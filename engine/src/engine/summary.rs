//! How a run stands, for people and programs.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{RunSummary, StepSummary, inner::Inner};
use crate::{
    data::{decode, plain},
    executor::Frozen,
    model::{Fault, RunId, RunStatus, StepStatus, Timestamp},
    scheduler::Stand,
};

/// The summary of a run from what its driver left.
pub(super) fn of(run: &Frozen, stand: &Stand, now: Timestamp) -> RunSummary {
    let facts = run.board.all();
    let ended = facts.iter().filter_map(|facts| facts.ended_at).max();
    let status = stand.status.unwrap_or(RunStatus::Queued);
    let end = stand.ended_at.or(ended.filter(|_| status.is_final())).unwrap_or(now);
    let steps = run.plan.nodes.iter().zip(facts).map(|(node, facts)| StepSummary {
        node: node.ix,
        id: node.id.clone(),
        status: facts.status,
        attempts: facts.attempts,
        rows: facts.rows,
        took: facts.started_at.zip(facts.ended_at).map(|(from, to)| to.since(from)),
        fault: facts.fault,
    });
    let fault = stand.fault.clone().or_else(|| run.board.first_fault().map(|(_, fault)| fault));
    RunSummary {
        id: run.id,
        status,
        outputs: stand.outputs.as_ref().map_or_else(|| Json::Object(serde_json::Map::new()), shown),
        fault: fault.filter(|_| status != RunStatus::Succeeded),
        steps: steps.collect(),
        took: end.since(run.created_at),
    }
}

/// Encoded outputs as JSON for people.
fn shown(outputs: &Json) -> Json {
    match outputs {
        Json::Object(object) => Json::Object(
            object
                .iter()
                .map(|(name, json)| (name.clone(), decode(json).map_or(Json::Null, |value| plain(&value))))
                .collect(),
        ),
        _ => Json::Object(serde_json::Map::new()),
    }
}

/// A step's status in a sentence.
pub(super) fn word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "pending",
        StepStatus::Ready => "ready",
        StepStatus::Running => "running",
        StepStatus::Waiting => "waiting",
        StepStatus::Succeeded => "succeeded",
        StepStatus::Failed => "failed",
        StepStatus::Skipped => "skipped",
        StepStatus::Cancelled => "cancelled",
    }
}

impl Inner {
    pub(super) async fn summary(self: &Arc<Self>, run: RunId) -> Result<RunSummary, Fault> {
        let view = self.store.run(run).await?;
        let (frozen, state) = self.look(run).await?;
        let stand = Stand {
            status: Some(state.status()),
            outputs: state.run_outputs().cloned(),
            fault: state.fault().cloned(),
            ended_at: view.ended_at,
            ..Stand::default()
        };
        Ok(of(&frozen, &stand, self.clock.now()))
    }
}
