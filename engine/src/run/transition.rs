use crate::model::{Event, NodeIx, RunStatus, StepStatus};

/// An event that does not fit the state: a broken log, a log of a newer build, or a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalMove {
    /// The step cannot do that from where it stands.
    #[error("step {} is {status:?}: it cannot take `{event}`", node.0)]
    Step {
        /// Which step.
        node: NodeIx,
        /// How it stands.
        status: StepStatus,
        /// Which event.
        event: &'static str,
    },
    /// The run cannot do that from where it stands.
    #[error("the run is {status:?}: it cannot take `{event}`")]
    Run {
        /// How it stands.
        status: RunStatus,
        /// Which event.
        event: &'static str,
    },
    /// The log has a hole.
    #[error("event {got} follows event {after} in the log")]
    Gap {
        /// The last event applied.
        after: u64,
        /// The event given.
        got: u64,
    },
    /// The event is of a newer format.
    #[error("an event has format version {0}, which this build does not know")]
    Newer(u32),
    /// The plan has no such step.
    #[error("the plan has no step {}", .0.0)]
    NoStep(NodeIx),
    /// A number in the event is not what it must be.
    #[error("`{event}` of step {} does not fit: {why}", node.0)]
    Detail {
        /// Which step.
        node: NodeIx,
        /// Which event.
        event: &'static str,
        /// Why not.
        why: &'static str,
    },
}

/// Where a step stands after an event about it. The one table of moves: both the decisions and the
/// recovery from a log go through it.
pub fn next(node: NodeIx, status: StepStatus, event: &Event) -> Result<StepStatus, IllegalMove> {
    use StepStatus::{Cancelled, Failed, Pending, Ready, Running, Skipped, Succeeded, Waiting};
    let to = match (event, status) {
        (Event::ConditionHeld { .. }, Pending) => Some(Ready),
        (Event::AttemptStarted { .. }, Ready) => Some(Running),
        (Event::AttemptFailed { .. } | Event::RepeatScheduled { .. }, Running) => Some(Ready),
        (Event::StepSucceeded { reused: true, .. }, Pending | Ready | Running) => Some(Succeeded),
        (Event::StepSucceeded { reused: false, .. }, Running) => Some(Succeeded),
        (Event::StepFailed { .. }, Pending | Ready | Running | Waiting) => Some(Failed),
        (Event::StepSkipped { .. }, Pending | Ready) => Some(Skipped),
        (Event::StepCancelled { .. }, Ready | Running | Waiting) => Some(Cancelled),
        (Event::StepWaiting { .. }, Running) => Some(Waiting),
        (Event::WaitEnded { .. }, Waiting) => Some(Ready),
        (
            Event::ItemsPlanned { .. }
            | Event::ItemsSettled { .. }
            | Event::ItemsRetried { .. }
            | Event::IterationEnded { .. },
            Running,
        ) => Some(Running),
        (
            Event::ConditionHeld { .. }
            | Event::AttemptStarted { .. }
            | Event::AttemptFailed { .. }
            | Event::RepeatScheduled { .. }
            | Event::StepSucceeded { .. }
            | Event::StepFailed { .. }
            | Event::StepSkipped { .. }
            | Event::StepCancelled { .. }
            | Event::StepWaiting { .. }
            | Event::WaitEnded { .. }
            | Event::ItemsPlanned { .. }
            | Event::ItemsSettled { .. }
            | Event::ItemsRetried { .. }
            | Event::IterationEnded { .. },
            _,
        ) => None,
        (
            Event::RunCreated { .. }
            | Event::OwnerTaken { .. }
            | Event::RunStarted
            | Event::CancelRequested { .. }
            | Event::DeadlineReached
            | Event::ClosingStarted { .. }
            | Event::RunInterrupted { .. }
            | Event::RunResumed { .. }
            | Event::RunEnded { .. },
            _,
        ) => Some(status),
    };
    to.ok_or_else(|| IllegalMove::Step { node, status, event: event.name() })
}
