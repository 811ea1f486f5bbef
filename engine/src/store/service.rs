//! What a running service keeps: small documents, a log of who did what, and the order of all commits.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::sync::watch;

use super::StoreError;
use crate::model::{Digest, Recorded, RunId, Timestamp};

/// What a document is about. Keys are unique within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// How far a schedule is seen to, and whether it is paused.
    Schedule,
    /// How far a reader of the feed has come.
    Cursor,
    /// A file that a trigger has taken.
    File,
    /// The content of a table or artifact that a trigger has last acted on.
    Content,
    /// A token, by the digest of its text.
    Token,
    /// A browser's session, by the digest of its text.
    Session,
    /// Something that people were told of.
    Notice,
    /// A revision of a pipeline that the catalog has seen.
    Revision,
    /// A range of times that is run afterwards.
    Backfill,
}

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its name within its kind.
    pub key: String,
    /// Raised by every write, from 1.
    pub version: u64,
    /// What it says.
    pub value: Json,
}

/// On what condition a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In any case.
    Always,
    /// If there is none of this key.
    Absent,
    /// If it has this version.
    Version(u64),
}

/// Small documents of the service.
#[async_trait]
pub trait Records: Send + Sync + fmt::Debug {
    /// A document.
    async fn record(&self, kind: RecordKind, key: &str) -> Result<Option<Record>, StoreError>;

    /// Documents whose keys begin with `prefix` and are greater than `after`, by key, at most `limit`.
    async fn records(
        &self,
        kind: RecordKind,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError>;

    /// Writes a document, or removes it (`None`). Whether the condition held; if it did not, nothing is written.
    async fn put_record(
        &self,
        kind: RecordKind,
        key: &str,
        value: Option<Json>,
        when: When,
    ) -> Result<bool, StoreError>;
}

/// Something that somebody did, for the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a token's name, `local`, or the service itself.
    pub actor: String,
    /// What, as `run.cancel`.
    pub action: String,
    /// On what: an id or a name.
    pub target: String,
    /// More of it; never a secret.
    pub detail: Json,
}

/// An entry as it stands in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// From 1, without gaps.
    pub seq: u64,
    /// What was done.
    pub entry: AuditEntry,
    /// The text of the entry, which was hashed.
    pub text: String,
    /// BLAKE3 of the hash before, `seq` in eight bytes (big endian) and the text.
    pub hash: Digest,
}

impl AuditRow {
    /// The hash before the first entry.
    pub const GENESIS: Digest = Digest::from_bytes([0; 32]);

    /// The hash of an entry that follows `before`.
    pub fn chained(before: Digest, seq: u64, text: &str) -> Digest {
        let mut bytes = Vec::with_capacity(40 + text.len());
        bytes.extend_from_slice(before.as_bytes());
        bytes.extend_from_slice(&seq.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
        Digest::of(&bytes)
    }
}

/// Who did what, appended only: each entry's hash covers all before it.
#[async_trait]
pub trait AuditLog: Send + Sync + fmt::Debug {
    /// Appends, and says under which number.
    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError>;

    /// Entries after a number, in order, at most `limit`.
    async fn audited(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError>;

    /// The number of the last entry; 0 if there is none.
    async fn audit_head(&self) -> Result<u64, StoreError>;
}

/// One commit of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedCommit {
    /// Its place among all commits of the store, rising.
    pub pos: u64,
    /// Of which run.
    pub run: RunId,
    /// Of which pipeline.
    pub pipeline: String,
    /// Of which revision.
    pub revision: Digest,
    /// Its events, in order.
    pub events: Vec<Recorded>,
}

/// Commits in the order in which they happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeedPage {
    /// Commits up to this place may be missing, because their runs were forgotten.
    pub floor: u64,
    /// The commits.
    pub commits: Vec<FeedCommit>,
}

/// All commits of all processes, in one order.
#[async_trait]
pub trait Feed: Send + Sync + fmt::Debug {
    /// Commits after a place, at most `limit`.
    async fn feed(&self, after: u64, limit: u32) -> Result<FeedPage, StoreError>;

    /// The place of the last commit; 0 if there is none.
    async fn feed_head(&self) -> Result<u64, StoreError>;

    /// Changes when this process has committed something. Commits of other processes show in [`Feed::feed`] only.
    fn feed_watch(&self) -> watch::Receiver<u64>;
}
