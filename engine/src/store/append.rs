use std::path::Path;

use serde_json::Value as Json;

use crate::model::{
    Digest, Fault, Name, NodeIx, Recorded, RunId, RunStatus, StepStatus, Timestamp, event::ItemOutcome,
};

/// One transaction on one run: events and all that must be durable with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The epoch of the owner that appends; another one in the store is [`StoreError::NotOwner`].
    pub epoch: u64,
    /// The `seq` of the last event before these; another one in the store is a conflict, unless the
    /// store already holds exactly these events, which is success.
    pub after: u64,
    /// Events, numbered from `after + 1`.
    pub events: Vec<Recorded>,
    /// Items that ended or will be tried again.
    pub items: Vec<ItemRow>,
    /// Outputs too large for an event and too small for an artifact.
    pub outputs: Vec<OutputRow>,
    /// How the run stands after these events: kept for lists.
    pub status: RunStatus,
    /// How the steps that changed stand: kept for lists.
    pub steps: Vec<(NodeIx, StepStatus)>,
    /// A snapshot of the machine after these events, if it is time for one.
    pub snapshot: Option<Vec<u8>>,
    /// `state:` values that become visible to later runs with this commit.
    pub state: Vec<(Name, Json)>,
}

/// One item, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRow {
    /// Which step.
    pub node: NodeIx,
    /// Which item.
    pub item: u32,
    /// How it ended.
    pub outcome: ItemOutcome,
    /// The attempts it took.
    pub attempts: u32,
    /// Its outputs, encoded; `None` where there are none.
    pub outputs: Option<Json>,
    /// Why it failed.
    pub fault: Option<Fault>,
}

/// Outputs kept as a row.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRow {
    /// Digest of `json`'s text: what the event names.
    pub digest: Digest,
    /// The text of the outputs object.
    pub json: String,
}

/// What an append led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The `seq` of the last event now.
    pub seq: u64,
    /// When the commit was done, by the store's clock.
    pub at: Timestamp,
}

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process owns the run.
    #[error("the run is owned by another process (epoch {current})")]
    NotOwner {
        /// The epoch in the store.
        current: u64,
    },
    /// The log has other events at this place.
    #[error("the run's log is at event {current}, not {expected}")]
    Conflict {
        /// Where it was expected to be.
        expected: u64,
        /// Where it is.
        current: u64,
    },
    /// There is no such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// It is not known whether it was done: read, or do the same again.
    #[error("the store did not answer in time")]
    Unknown,
    /// Full disk, broken file, and the like.
    #[error("the state cannot be written or read: {0}")]
    Broken(String),
    /// A log or a table of a newer Millwork.
    #[error("the state was written by a newer version: {0}")]
    Newer(String),
}

impl StoreError {
    /// Names the file that is in trouble.
    pub(super) fn at(self, file: &Path) -> Self {
        let named = |why: String| format!("`{}`: {why}", file.display());
        match self {
            Self::Broken(why) => Self::Broken(named(why)),
            Self::Newer(why) => Self::Newer(named(why)),
            other => other,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotOwner { .. } => Self::external("store.not_owner", error.to_string()),
            StoreError::Conflict { .. } => Self::internal("store.conflict", error.to_string()),
            StoreError::NoRun(_) => Self::user("store.no_run", error.to_string()),
            StoreError::Unknown => Self::external("store.unknown", error.to_string()),
            StoreError::Broken(_) => Self::external("store.broken", error.to_string())
                .help("look at the space and the rights of its disk; `millwork doctor` says what is wrong with it"),
            StoreError::Newer(_) => Self::user("store.newer", error.to_string())
                .help("use the Millwork that wrote it, or choose another folder with `--home`"),
        }
    }
}

/// Whether events are numbered on from `after`.
pub(super) fn numbered(after: u64, events: &[Recorded]) -> Result<(), StoreError> {
    match (after + 1..).zip(events).find(|(seq, event)| *seq != event.seq) {
        Some((seq, event)) => Err(StoreError::Conflict { expected: seq, current: event.seq }),
        None => Ok(()),
    }
}
