//! What is recorded of a run. The log of these events is the run; everything else is derived.
//!
//! Every record carries [`VERSION`]. A log with an event that this build does not know refuses to
//! load; a variant is never removed and never changes its meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{ArtifactId, Digest, Fault, Labels, NodeIx, OwnerId, RunStatus, SkipReason, Timestamp, Wait};

mod origin;

pub use origin::{Cause, Interval, RunOrigin};

/// The version of the event format that this build writes.
pub const VERSION: u32 = 1;

/// An event as the store holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Position in the run's log, from 1, without holes.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Format version of `event`.
    pub version: u32,
    /// What happened.
    pub event: Event,
}

/// Where a step's outputs lie. Durable before the event that names them is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredOutputs {
    /// A JSON object with one member an output, inside the event.
    Inline(Json),
    /// The same, as a row written in the same transaction.
    Row {
        /// Digest of the JSON text.
        digest: Digest,
    },
    /// The same, as an artifact fsynced before.
    Artifact {
        /// Where.
        artifact: ArtifactId,
    },
    /// Not stored (`persist: never`): rebuilt after a crash if an unfinished step needs it.
    Recomputable {
        /// Digest of everything the outputs were made from.
        inputs: Digest,
    },
}

/// Items `from..=to` of a fan-out that ended the same way in one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRange {
    /// First item.
    pub from: u32,
    /// Last item.
    pub to: u32,
    /// How they ended.
    pub outcome: ItemOutcome,
}

/// An item's attempt that did not succeed and that another will follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRetry {
    /// Which item.
    pub item: u32,
    /// The attempt that failed, from 1.
    pub attempt: u32,
    /// When the next may start, jitter included.
    pub retry_at: Timestamp,
}

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemOutcome {
    /// Its outputs are durable.
    Succeeded,
    /// No attempt is left; quarantined in `failed_items`.
    Failed,
    /// Its `if` was false.
    Skipped,
    /// Stopped by request.
    Cancelled,
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run exists.
    RunCreated {
        /// What from.
        origin: Box<RunOrigin>,
    },
    /// A process took the run over.
    OwnerTaken {
        /// Which process.
        owner: OwnerId,
        /// Counts owners of this run; an append with an older epoch is refused.
        epoch: u64,
    },
    /// Steps may start.
    RunStarted,
    /// A step's `if` is true: it may start. Recorded so that it is evaluated once.
    ConditionHeld {
        /// Which step.
        node: NodeIx,
    },
    /// An attempt begins. Committed before it acts, unless its kind is pure.
    AttemptStarted {
        /// Which step.
        node: NodeIx,
        /// From 1.
        attempt: u32,
    },
    /// An attempt did not succeed and another will follow.
    AttemptFailed {
        /// Which step.
        node: NodeIx,
        /// Which attempt.
        attempt: u32,
        /// Why.
        fault: Fault,
        /// When the next may start, jitter included.
        retry_at: Timestamp,
    },
    /// The step's outputs are durable; it never runs again in this run.
    StepSucceeded {
        /// Which step.
        node: NodeIx,
        /// The attempt that succeeded; 0 where outputs were taken over or cached.
        attempt: u32,
        /// Where the outputs are.
        outputs: StoredOutputs,
        /// Labels of the outputs that have any.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, Labels>,
        /// Rows the step gave, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// Whether a cached or earlier result was taken instead of running.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reused: bool,
    },
    /// No attempt is left.
    StepFailed {
        /// Which step.
        node: NodeIx,
        /// The last attempt; 0 where none began.
        attempt: u32,
        /// Why.
        fault: Fault,
        /// What there is of the outputs, such as a fan-out's finished items.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<StoredOutputs>,
    },
    /// The step does not run.
    StepSkipped {
        /// Which step.
        node: NodeIx,
        /// Why not.
        reason: SkipReason,
    },
    /// The step was stopped by request.
    StepCancelled {
        /// Which step.
        node: NodeIx,
    },
    /// The step parks and holds no slot.
    StepWaiting {
        /// Which step.
        node: NodeIx,
        /// The attempt that parked.
        attempt: u32,
        /// What for.
        wait: Wait,
    },
    /// What a step waited for has come; it runs again with this answer.
    WaitEnded {
        /// Which step.
        node: NodeIx,
        /// The answer: `null` for a time, the form's values for an approval, outputs for a run.
        answer: Json,
        /// Who gave it, for people.
        by: String,
    },
    /// A fan-out knows its items.
    ItemsPlanned {
        /// Which step.
        node: NodeIx,
        /// How many.
        count: u32,
        /// Digest of the list, so that a resume can tell that it is the same.
        digest: Digest,
    },
    /// Items ended; their rows are in the same transaction.
    ItemsSettled {
        /// Which step.
        node: NodeIx,
        /// Which items and how.
        ranges: Vec<ItemRange>,
    },
    /// Attempts at items failed and others will follow.
    ItemsRetried {
        /// Which step.
        node: NodeIx,
        /// Which items and when.
        retries: Vec<ItemRetry>,
    },
    /// An iteration of `repeat` has outputs, which are durable; `until` is evaluated on them next.
    IterationEnded {
        /// Which step.
        node: NodeIx,
        /// The attempt that succeeded.
        attempt: u32,
        /// Where the outputs are.
        outputs: StoredOutputs,
        /// Labels of the outputs that have any.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, Labels>,
        /// Rows the step gave, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
    },
    /// An iteration of `repeat` ended and `until` is not true yet.
    RepeatScheduled {
        /// Which step.
        node: NodeIx,
        /// The iteration that ended, from 1.
        iteration: u32,
        /// When the next begins.
        at: Timestamp,
    },
    /// Somebody asked for the end of the run.
    CancelRequested {
        /// Who, for people.
        by: String,
    },
    /// The run's deadline has passed: as a cancel, but the run fails.
    DeadlineReached,
    /// The steps are over; `finally` or `on_failure` begins.
    ClosingStarted {
        /// The status that the run will have if closing goes well.
        outcome: RunStatus,
    },
    /// Work stopped before the end: a second Ctrl-C, a shutdown, a changed kind version.
    RunInterrupted {
        /// Why, for people.
        reason: String,
    },
    /// An interrupted or failed run goes on; steps that did not succeed are pending again.
    RunResumed {
        /// Who, for people.
        by: String,
    },
    /// The run is over.
    RunEnded {
        /// How; always final.
        status: RunStatus,
        /// Outputs of the pipeline, encoded.
        outputs: Json,
        /// The first fault, where it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
}

impl Event {
    /// The name of its kind, as it is written in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunCreated { .. } => "run_created",
            Self::OwnerTaken { .. } => "owner_taken",
            Self::RunStarted => "run_started",
            Self::ConditionHeld { .. } => "condition_held",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::StepSucceeded { .. } => "step_succeeded",
            Self::StepFailed { .. } => "step_failed",
            Self::StepSkipped { .. } => "step_skipped",
            Self::StepCancelled { .. } => "step_cancelled",
            Self::StepWaiting { .. } => "step_waiting",
            Self::WaitEnded { .. } => "wait_ended",
            Self::ItemsPlanned { .. } => "items_planned",
            Self::ItemsSettled { .. } => "items_settled",
            Self::ItemsRetried { .. } => "items_retried",
            Self::IterationEnded { .. } => "iteration_ended",
            Self::RepeatScheduled { .. } => "repeat_scheduled",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::DeadlineReached => "deadline_reached",
            Self::ClosingStarted { .. } => "closing_started",
            Self::RunInterrupted { .. } => "run_interrupted",
            Self::RunResumed { .. } => "run_resumed",
            Self::RunEnded { .. } => "run_ended",
        }
    }

    /// The step that it is about, if it is about one.
    pub fn node(&self) -> Option<NodeIx> {
        match self {
            Self::ConditionHeld { node, .. }
            | Self::AttemptStarted { node, .. }
            | Self::AttemptFailed { node, .. }
            | Self::StepSucceeded { node, .. }
            | Self::StepFailed { node, .. }
            | Self::StepSkipped { node, .. }
            | Self::StepCancelled { node, .. }
            | Self::StepWaiting { node, .. }
            | Self::WaitEnded { node, .. }
            | Self::ItemsPlanned { node, .. }
            | Self::ItemsSettled { node, .. }
            | Self::ItemsRetried { node, .. }
            | Self::IterationEnded { node, .. }
            | Self::RepeatScheduled { node, .. } => Some(*node),
            Self::RunCreated { .. }
            | Self::OwnerTaken { .. }
            | Self::RunStarted
            | Self::CancelRequested { .. }
            | Self::DeadlineReached
            | Self::ClosingStarted { .. }
            | Self::RunInterrupted { .. }
            | Self::RunResumed { .. }
            | Self::RunEnded { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ticket;

    #[test]
    fn a_run_that_takes_outputs_over_can_be_read_again() {
        let origin = RunOrigin {
            pipeline: "p".into(),
            revision: Digest::of(b"p"),
            inputs: serde_json::json!({}),
            labels: BTreeMap::new(),
            cause: Cause::Manual,
            only: vec![NodeIx(3)],
            reused: [(NodeIx(0), StoredOutputs::Inline(serde_json::json!({"n": 1})))].into(),
            reused_labels: [(NodeIx(0), [("n".to_owned(), Labels::none())].into())].into(),
            deadline: None,
            interval: None,
            event: None,
            ticket: Ticket::default(),
            asked: None,
        };
        let event = Event::RunCreated { origin: Box::new(origin) };
        let text = serde_json::to_string(&event).expect("JSON");
        assert_eq!(serde_json::from_str::<Event>(&text).expect("an event"), event);
    }
}
