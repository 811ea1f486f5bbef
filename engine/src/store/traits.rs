use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    graph::Bundle,
    model::{ArtifactId, Digest, NodeIx, OwnerId, Recorded, RunId, RunStatus, Timestamp, event::StoredOutputs},
    step::JournalStore,
};

use super::{
    Append, AuditLog, Committed, Feed, ItemFilter, ItemView, Ledger, Records, RunFilter, RunLog, RunView, StepView,
    StoreError,
};

/// A run to be created: its bundle, its first events, its owner, all in one transaction.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Which.
    pub id: RunId,
    /// The pipeline's name.
    pub pipeline: String,
    /// The frozen bundle; stored unless its digest is known.
    pub bundle: Bundle,
    /// The run that asked for it, with the step and item: a second child for the same is refused by
    /// giving back the first.
    pub parent: Option<(RunId, NodeIx, Option<u32>)>,
    /// A name of the caller's for what is to be done: a second run of the same key is refused by giving
    /// back the first.
    pub key: Option<String>,
    /// The process that owns it from the start.
    pub owner: OwnerId,
    /// Its first events, from `seq` 1.
    pub events: Vec<Recorded>,
    /// How it stands after them.
    pub status: RunStatus,
}

/// The owner of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerRecord {
    /// The process.
    pub owner: OwnerId,
    /// Counts owners.
    pub epoch: u64,
}

/// What a process asks of the one that owns a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RequestKind {
    /// Cancel; a second one interrupts.
    Cancel,
    /// Stop now.
    Interrupt,
    /// Answer an approval.
    Answer {
        /// Which step.
        node: NodeIx,
        /// What was shown when the answer was given.
        shown: Digest,
        /// The form's values.
        answer: Json,
    },
}

/// A request in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Rising.
    pub id: i64,
    /// Of which run.
    pub run: RunId,
    /// What.
    pub kind: RequestKind,
    /// Who, for people.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A result that a later run may take (`cache: true`).
#[derive(Debug, Clone, PartialEq)]
pub struct CacheEntry {
    /// Where the outputs are.
    pub outputs: StoredOutputs,
    /// Labels, encoded.
    pub labels: Json,
    /// Rows, for people.
    pub rows: Option<u64>,
    /// The run that made it.
    pub run: RunId,
}

/// What `gc` forgets, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doomed {
    /// Runs.
    pub runs: Vec<RunId>,
    /// Cached results of runs whose ids are lower, which is to say older.
    pub cached_before: Option<RunId>,
}

/// Writes runs. Every call returns after its commit.
#[async_trait]
pub trait RunWriter: Send + Sync + fmt::Debug {
    /// Creates a run at epoch 1. If the same parent step already has a child, or a run has the
    /// same key, the id of that run comes back.
    async fn create(&self, run: NewRun) -> Result<RunId, StoreError>;

    /// Appends; see [`Append`].
    async fn append(&self, append: Append) -> Result<Committed, StoreError>;

    /// Makes a process the owner and raises the epoch, if the epoch is still `after`: the caller holds proof
    /// that the owner of that epoch is dead, of no other. [`StoreError::NotOwner`] if another was quicker.
    async fn take(&self, run: RunId, owner: OwnerId, after: u64) -> Result<OwnerRecord, StoreError>;

    /// Forgets a run that ended: log, items, journal, outputs. Bundles and artifacts go by `gc`.
    async fn forget(&self, run: RunId) -> Result<(), StoreError>;

    /// Removes cached results of runs with lower ids than this one, then bundles and output rows that no run
    /// and no cached result names any more; says how many of these.
    async fn sweep(&self, cached_before: Option<RunId>) -> Result<u64, StoreError>;

    /// Puts a result into the cache.
    async fn cache(&self, fingerprint: Digest, entry: CacheEntry) -> Result<(), StoreError>;
}

/// Reads runs; holds no snapshot long.
#[async_trait]
pub trait RunReader: Send + Sync + fmt::Debug {
    /// One run.
    async fn run(&self, run: RunId) -> Result<RunView, StoreError>;

    /// The current owner.
    async fn owner(&self, run: RunId) -> Result<OwnerRecord, StoreError>;

    /// Runs, newest first.
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunView>, StoreError>;

    /// Steps that changed from pending.
    async fn steps(&self, run: RunId) -> Result<Vec<StepView>, StoreError>;

    /// The newest snapshot and the events after it.
    async fn log(&self, run: RunId) -> Result<RunLog, StoreError>;

    /// Events after `seq`, at most `limit`.
    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError>;

    /// Items of a step, by number.
    async fn items(&self, run: RunId, node: NodeIx, filter: &ItemFilter) -> Result<Vec<ItemView>, StoreError>;

    /// Outputs kept as a row.
    async fn outputs(&self, digest: Digest) -> Result<String, StoreError>;

    /// The run of a key, unless it was forgotten.
    async fn run_of_key(&self, key: &str) -> Result<Option<RunId>, StoreError>;

    /// A frozen bundle.
    async fn bundle(&self, revision: Digest) -> Result<Bundle, StoreError>;

    /// A cached result.
    async fn cached(&self, fingerprint: Digest) -> Result<Option<CacheEntry>, StoreError>;

    /// The value that a pipeline's earlier runs left under a name of `state:`.
    async fn state(&self, pipeline: &str) -> Result<Vec<(String, Json)>, StoreError>;

    /// Every artifact that a run, the cache, a journal or a `state:` value names, as if what is doomed were gone.
    async fn live_artifacts(&self, without: &Doomed) -> Result<Vec<ArtifactId>, StoreError>;
}

/// Requests from process to process.
#[async_trait]
pub trait Requests: Send + Sync + fmt::Debug {
    /// Puts a request in.
    async fn request(&self, run: RunId, kind: RequestKind, by: &str, at: Timestamp) -> Result<i64, StoreError>;

    /// Requests of these runs with a greater id, in order.
    async fn requests(&self, run: RunId, after: i64) -> Result<Vec<Request>, StoreError>;
}

/// Everything that a backend gives.
pub trait StateStore: RunWriter + RunReader + Requests + JournalStore + Ledger + Records + AuditLog + Feed {}

impl<T: RunWriter + RunReader + Requests + JournalStore + Ledger + Records + AuditLog + Feed> StateStore for T {}
