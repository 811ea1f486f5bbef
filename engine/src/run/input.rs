use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::model::{Digest, Fault, Labels, NodeIx, OwnerId, Wait, event::StoredOutputs};

/// Something that the driver learnt.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// This process owns the run now. First input of every process, new run or not.
    Taken {
        /// Which process.
        owner: OwnerId,
        /// The epoch that the store gave it.
        epoch: u64,
    },
    /// Somebody asks an interrupted or failed run to go on.
    Resume {
        /// Who.
        by: String,
    },
    /// A step's `if` was evaluated (answer to [`Command::Evaluate`](super::Command::Evaluate)).
    Condition {
        /// Which step.
        node: NodeIx,
        /// Whether it holds.
        holds: Result<bool, Fault>,
    },
    /// A fan-out's list was evaluated (answer to [`Command::PlanItems`](super::Command::PlanItems)).
    Items {
        /// Which step.
        node: NodeIx,
        /// How many items, of what.
        planned: Result<Planned, Fault>,
    },
    /// An attempt of a step without items ended, its outputs durable.
    AttemptEnded {
        /// Which step.
        node: NodeIx,
        /// Which attempt.
        attempt: u32,
        /// How.
        end: AttemptEnd,
    },
    /// An attempt at an item ended; its row is in the same append as the events that come of it.
    ItemEnded {
        /// Which step.
        node: NodeIx,
        /// Which item.
        item: u32,
        /// How.
        end: ItemEnd,
    },
    /// The outputs of a fan-out were gathered (answer to [`Command::Gather`](super::Command::Gather)).
    Gathered {
        /// Which step.
        node: NodeIx,
        /// Where they are.
        outputs: Result<StoredOutputs, Fault>,
        /// Their labels.
        labels: BTreeMap<String, Labels>,
        /// Rows, for people.
        rows: Option<u64>,
    },
    /// `until` of an iteration was evaluated (answer to [`Command::CheckUntil`](super::Command::CheckUntil)).
    Until {
        /// Which step.
        node: NodeIx,
        /// The outputs of the iteration, and whether `until` holds for them.
        met: Result<bool, Fault>,
    },
    /// Time went by: retries, waits, deadlines and repetitions that are due go on.
    Tick,
    /// What a step waits for has come.
    Answer {
        /// Which step.
        node: NodeIx,
        /// The answer.
        answer: Json,
        /// Who gave it.
        by: String,
    },
    /// A cached result may be taken instead of running a step (in place of starting it).
    Reuse {
        /// Which step.
        node: NodeIx,
        /// Its outputs.
        outputs: StoredOutputs,
        /// Their labels.
        labels: BTreeMap<String, Labels>,
        /// Rows, for people.
        rows: Option<u64>,
    },
    /// First request to end: cancel, then `finally`.
    Cancel {
        /// Who asks.
        by: String,
    },
    /// Second request, or a shutdown: stop now; a resume goes on.
    Interrupt {
        /// Why.
        reason: String,
    },
    /// `outputs:` of the pipeline were evaluated (answer to [`Command::Finish`](super::Command::Finish)).
    Outputs {
        /// The object, encoded.
        outputs: Result<Json, Fault>,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptEnd {
    /// With outputs, which are durable.
    Succeeded {
        /// Where they are.
        outputs: StoredOutputs,
        /// Labels of those that have any.
        labels: BTreeMap<String, Labels>,
        /// Rows, for people.
        rows: Option<u64>,
    },
    /// Not.
    Failed(Fault),
    /// It waits.
    Parked(Wait),
    /// It was stopped by request.
    Cancelled,
}

/// How an attempt at an item ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemEnd {
    /// Its outputs are in its row.
    Succeeded,
    /// Not; whether it is tried again is decided by the step's policy and the attempts so far.
    Failed {
        /// Which attempt, from 1.
        attempt: u32,
        /// Why.
        fault: Fault,
    },
    /// Its `if` was false.
    Skipped,
    /// It was stopped by request.
    Cancelled,
}

/// A fan-out's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// How many.
    pub count: u32,
    /// Digest of the list.
    pub digest: Digest,
}
