//! Where a run or a step stands. Written and read as these enums only.

use serde::{Deserialize, Serialize};

use super::{RunId, Timestamp};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Created; its concurrency group is full.
    Queued,
    /// Something runs or can run.
    Running,
    /// Nothing can go on before a time, a person or a budget lets it.
    Waiting,
    /// Stopped before its end; `resume` goes on.
    Interrupted,
    /// Ended well.
    Succeeded,
    /// Ended with a fault.
    Failed,
    /// Ended by request.
    Cancelled,
}

impl RunStatus {
    /// Whether nothing more happens unless somebody resumes it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Needs steps that have not ended.
    Pending,
    /// May start: when a slot is free, or after a retry's delay.
    Ready,
    /// An attempt is under way.
    Running,
    /// Parked; holds no slot.
    Waiting,
    /// Its outputs are durable.
    Succeeded,
    /// No attempt is left.
    Failed,
    /// Not needed, or not possible.
    Skipped,
    /// Stopped by request.
    Cancelled,
}

impl StepStatus {
    /// Whether the step has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped | Self::Cancelled)
    }
}

/// What a waiting step waits for, and so who can end the wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Wait {
    /// A time.
    Until {
        /// When it ends.
        at: Timestamp,
    },
    /// A person's answer to a prompt.
    Approval {
        /// What the person is asked.
        prompt: String,
        /// BLAKE3 of exactly what was shown, so that an answer cannot be given to something else.
        shown: super::Digest,
        /// When the wait gives up, if it does.
        until: Option<Timestamp>,
    },
    /// A sub-pipeline's run.
    Run {
        /// The child.
        run: RunId,
    },
    /// More budget.
    Budget {
        /// What ran out and where, for people.
        resource: String,
    },
}

impl Wait {
    /// What an answer to a wait for more budget was given to, in the place of a prompt's digest.
    pub fn budget_shown() -> super::Digest {
        super::Digest::of(b"more budget")
    }
}

/// Why a step was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its `if` was false.
    Condition,
    /// A step it needs failed or was cancelled.
    Upstream,
    /// The run was asked for other steps only (`--only`).
    NotSelected,
    /// The run is ending early: cancelled, or `fail_fast`.
    RunEnding,
}
