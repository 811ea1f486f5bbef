use std::{fmt, future::Future, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use tracing::Instrument as _;

use crate::model::{Digest, Fault, NodeIx, RunId};

/// Where a journal entry belongs: a run, a step of it, an item of that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JournalKey {
    /// The run.
    pub run: RunId,
    /// The step; `None`: the whole run.
    pub node: Option<NodeIx>,
    /// The item, inside a fan-out.
    pub item: Option<u32>,
    /// The author's key.
    pub key: String,
}

/// What is reserved and spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Billionths of a US dollar.
    NanoUsd,
    /// Model tokens.
    Tokens,
}

/// Amounts set aside before a call: its worst case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation(pub Vec<(Resource, u64)>);

/// Amounts that a call really took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement(pub Vec<(Resource, u64)>);

/// A journal entry as it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// Nothing is recorded under the key.
    Absent,
    /// An effect was begun and its end is not recorded: the process died in between.
    Intended {
        /// Digest of the request.
        request: Digest,
    },
    /// The result.
    Done {
        /// Digest of the request.
        request: Digest,
        /// What it gave.
        result: Json,
    },
}

/// Durable storage of journals; every call returns after its commit.
#[async_trait]
pub trait JournalStore: Send + Sync + fmt::Debug {
    /// What stands under a key.
    async fn entry(&self, key: &JournalKey) -> Result<Entry, Fault>;

    /// Records an intent and its reservation in one transaction. A budget that does not suffice is
    /// the fault `budget.exceeded`; an epoch that is not that of the run's owner is `store.not_owner`,
    /// so that a process which lost its run begins no call. The same intent again changes nothing.
    async fn intend(&self, key: &JournalKey, request: Digest, reserve: &Reservation, epoch: u64) -> Result<(), Fault>;

    /// Records a result, and settles what was reserved, in one transaction.
    async fn finish(&self, key: &JournalKey, request: Digest, result: &Json, settle: &Settlement) -> Result<(), Fault>;
}

/// The journal of one attempt's scope. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    store: Arc<dyn JournalStore>,
    run: RunId,
    node: NodeIx,
    item: Option<u32>,
    epoch: u64,
}

impl Journal {
    /// The journal of a step, or of one item, as the owner of this epoch writes it.
    pub fn new(store: Arc<dyn JournalStore>, run: RunId, node: NodeIx, item: Option<u32>, epoch: u64) -> Self {
        Self { store, run, node, item, epoch }
    }

    /// The step that the journal belongs to.
    pub fn node(&self) -> NodeIx {
        self.node
    }

    /// Does a part without an effect at most once per success: one commit, after it.
    pub async fn once<T, F>(&self, key: &str, request: Digest, part: F) -> Result<T, Fault>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, Fault>>,
    {
        let key = self.key(key);
        if let Some(done) = self.replay(&key, request).await? {
            return Ok(done);
        }
        let value = part.await?;
        self.store.finish(&key, request, &to_json(&value)?, &Settlement::default()).await?;
        Ok(value)
    }

    /// Does a part with an effect or a price: intent and reservation are committed, then the part
    /// runs, then result and settlement are committed. `again` is true where an earlier attempt
    /// began and its end is not known: the part must deduplicate, or say what it risks.
    pub async fn effect<T, F, Fut>(&self, key: &str, request: Digest, reserve: Reservation, part: F) -> Result<T, Fault>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(bool) -> Fut,
        Fut: Future<Output = Result<(T, Settlement), Fault>>,
    {
        let key = self.key(key);
        let again = match self.store.entry(&key).await? {
            Entry::Done { request: before, result } => return from_json(&key, before, request, result),
            Entry::Intended { request: before } if before != request => return Err(changed(&key)),
            Entry::Intended { .. } => true,
            Entry::Absent => false,
        };
        // Also where the intent stands already: only the run's owner may begin the call.
        self.store.intend(&key, request, &reserve, self.epoch).await?;
        let span = tracing::info_span!("call", otel.kind = "client", key = key.key, again);
        let (value, settle) = part(again).instrument(span).await?;
        self.store.finish(&key, request, &to_json(&value)?, &settle).await?;
        Ok(value)
    }

    fn key(&self, key: &str) -> JournalKey {
        JournalKey { run: self.run, node: Some(self.node), item: self.item, key: key.to_owned() }
    }

    async fn replay<T: DeserializeOwned>(&self, key: &JournalKey, request: Digest) -> Result<Option<T>, Fault> {
        match self.store.entry(key).await? {
            Entry::Done { request: before, result } => from_json(key, before, request, result).map(Some),
            Entry::Absent | Entry::Intended { .. } => Ok(None),
        }
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<Json, Fault> {
    serde_json::to_value(value).map_err(|e| Fault::internal("journal.unwritable", format!("a journal result: {e}")))
}

fn from_json<T: DeserializeOwned>(key: &JournalKey, before: Digest, now: Digest, json: Json) -> Result<T, Fault> {
    if before != now {
        return Err(changed(key));
    }
    serde_json::from_value(json).map_err(|e| Fault::internal("journal.unreadable", format!("`{}`: {e}", key.key)))
}

fn changed(key: &JournalKey) -> Fault {
    Fault::user("journal.changed", format!("the request behind the journal key `{}` is not what it was", key.key))
        .help("the step did other work under the same key in an earlier attempt; rerun it from the start")
}
