use millwork_engine::{ItemCounts, RunLook, executor::StepFacts, graph::PlanNode, model::StepStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::{FaultView, WaitView, seconds, time, word};

/// Items of a fan-out by their state.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ItemsView {
    /// All.
    pub total: u32,
    /// Ended well.
    pub succeeded: u32,
    /// Failed for good.
    pub failed: u32,
    /// Their `if` was false.
    pub skipped: u32,
    /// Were stopped.
    pub cancelled: u32,
    /// Under way, or between two attempts.
    pub running: u32,
}

impl ItemsView {
    pub(crate) fn new(counts: ItemCounts, running: u32) -> Self {
        let ItemCounts { total, succeeded, failed, skipped, cancelled } = counts;
        Self { total, succeeded, failed, skipped, cancelled, running }
    }
}

/// A step of a run. What there is not is left out: a run may have many thousand of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StepView {
    /// Its id.
    pub id: String,
    /// Its number.
    pub ix: u32,
    /// `pending`, `ready`, `running`, `waiting`, `succeeded`, `failed`, `skipped` or `cancelled`.
    pub status: String,
    /// Attempts begun.
    pub attempts: u32,
    /// When the first began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Seconds between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_s: Option<f64>,
    /// Rows it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Whether an earlier result was taken.
    pub reused: bool,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultView>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitView>,
    /// Its items, if it is a fan-out that knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemsView>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<String>,
}

impl StepView {
    pub(crate) fn new(look: &RunLook, node: &PlanNode, facts: &StepFacts) -> Self {
        let status = facts.status;
        Self {
            id: node.id.to_string(),
            ix: node.ix.0,
            status: word(status),
            attempts: facts.attempts,
            started_at: facts.started_at.map(time),
            ended_at: facts.ended_at.map(time),
            took_s: facts.started_at.zip(facts.ended_at).map(|(from, to)| seconds(to.since(from))),
            rows: facts.rows,
            reused: facts.reused,
            fault: facts.fault.as_ref().filter(|_| status != StepStatus::Succeeded).map(FaultView::from),
            wait: facts.wait.as_ref().filter(|_| status == StepStatus::Waiting).map(WaitView::from),
            items: facts.planned.map(|_| ItemsView::new(facts.items, look.state.items_under_way(node.ix))),
            skip_reason: facts.skipped.map(word),
        }
    }
}

/// Steps of a run by their state.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub(crate) struct StepsView {
    /// All.
    pub total: u32,
    /// Did not begin.
    pub pending: u32,
    /// May begin, or wait for another try.
    pub ready: u32,
    /// Under way.
    pub running: u32,
    /// Wait for something.
    pub waiting: u32,
    /// Ended well.
    pub succeeded: u32,
    /// Failed for good.
    pub failed: u32,
    /// Did not have to run.
    pub skipped: u32,
    /// Were stopped.
    pub cancelled: u32,
}

impl StepsView {
    pub(crate) fn of(statuses: impl Iterator<Item = StepStatus>) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            counts.total += 1;
            *match status {
                StepStatus::Pending => &mut counts.pending,
                StepStatus::Ready => &mut counts.ready,
                StepStatus::Running => &mut counts.running,
                StepStatus::Waiting => &mut counts.waiting,
                StepStatus::Succeeded => &mut counts.succeeded,
                StepStatus::Failed => &mut counts.failed,
                StepStatus::Skipped => &mut counts.skipped,
                StepStatus::Cancelled => &mut counts.cancelled,
            } += 1;
        }
        counts
    }
}
