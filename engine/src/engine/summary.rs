//! How a run stands, for people and programs.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{RunSummary, StepSummary, inner::Inner};
use crate::{
    data::{decode, plain},
    executor::Frozen,
    model::{Fault, NodeIx, RunId, RunStatus, StepStatus, Timestamp},
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
        wait: facts.wait,
        items: facts.planned.map(|_| facts.items),
    });
    let fault = stand.fault.clone().or_else(|| run.board.first_fault().map(|(_, fault)| fault));
    let fault = fault.filter(|_| status != RunStatus::Succeeded);
    RunSummary {
        id: run.id,
        status,
        outputs: stand.outputs.as_ref().map_or_else(|| Json::Object(serde_json::Map::new()), shown),
        failed_at: fault.as_ref().and_then(|fault| failed_at(run, fault)),
        fault,
        steps: steps.collect(),
        took: end.since(run.created_at),
    }
}

/// The step that a run's fault is of: of those that failed so, and were not allowed to, the first.
fn failed_at(run: &Frozen, fault: &Fault) -> Option<NodeIx> {
    let failed = run.plan.nodes.iter().zip(&run.plan.shape.nodes).filter_map(|(node, shape)| {
        let ended = run.board.with(node.ix, |facts| {
            let same = match facts.status {
                StepStatus::Failed => facts.fault.as_ref() == Some(fault),
                StepStatus::Cancelled => *fault == Fault::cancelled(),
                _ => false,
            };
            same.then_some(facts.ended_at)
        });
        Some((shape.continue_on_error, ended??, node.ix))
    });
    failed.min().map(|(_, _, node)| node)
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
