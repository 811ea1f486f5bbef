use serde_json::Value as Json;

use crate::model::{Digest, NodeIx, Recorded, RunId, RunStatus, StepStatus, Timestamp, event::ItemOutcome};

use super::ItemRow;

pub use crate::step::Entry;

/// A run for lists.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// Which.
    pub id: RunId,
    /// Its pipeline's name.
    pub pipeline: String,
    /// Its frozen bundle.
    pub revision: Digest,
    /// How it stands.
    pub status: RunStatus,
    /// The run whose step started it.
    pub parent: Option<RunId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it began: it may have waited for its turn before.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The last event.
    pub seq: u64,
    /// Counts its owners.
    pub epoch: u64,
}

/// A step for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepView {
    /// Which.
    pub node: NodeIx,
    /// How it stands.
    pub status: StepStatus,
}

/// Which runs to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// In one of these states; empty means any.
    pub statuses: Vec<RunStatus>,
    /// Children of this run.
    pub parent: Option<RunId>,
    /// Only runs that no step of another started.
    pub top: bool,
    /// Not older than this id; ids begin with the time of their creation.
    pub since: Option<RunId>,
    /// At most this many.
    pub limit: u32,
    /// Older than the last one of the page before.
    pub after: Option<Cursor>,
}

/// A place in a list of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub RunId);

/// Which items of a step to list, by number.
#[derive(Debug, Clone, Copy, Default)]
pub struct ItemFilter {
    /// Only those that ended so.
    pub outcome: Option<ItemOutcome>,
    /// From this item on.
    pub from: u32,
    /// At most this many.
    pub limit: u32,
}

/// An item as stored.
pub type ItemView = ItemRow;

/// What recovery needs: the newest snapshot and the events after it.
#[derive(Debug, Clone, Default)]
pub struct RunLog {
    /// Snapshot and the `seq` of the last event in it.
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// Events after it, in order.
    pub events: Vec<Recorded>,
    /// The values of `state:` that the pipeline's earlier runs left.
    pub state: Vec<(String, Json)>,
}
