//! Layer 6: durable state, behind narrow traits with one conformance suite; owners, the doorbell
//! between processes, and artifacts on disk.

mod append;
mod artifacts;
pub mod bench;
mod doorbell;
mod durability;
mod home;
mod ledger;
mod memory;
mod named;
mod owners;
mod query;
mod service;
mod sqlite;
mod traits;

pub use append::{Append, Committed, ItemRow, OutputRow, StoreError};
pub use artifacts::{LocalArtifacts, Swept};
pub use doorbell::Doorbell;
pub use durability::Durability;
pub use ledger::{Balance, Ledger, Scope, Unsettled};
pub use memory::MemoryStore;
pub(crate) use owners::unusable;
pub use owners::{Holder, OwnerLock, ServeLock};
pub use query::{Cursor, Entry, ItemFilter, ItemView, RunFilter, RunLog, RunView, StepView};
pub use service::{AuditEntry, AuditLog, AuditRow, Feed, FeedCommit, FeedPage, Record, RecordKind, Records, When};
pub use sqlite::{Health, SqliteStore};
pub use traits::{
    CacheEntry, Doomed, NewRun, OwnerRecord, Request, RequestKind, Requests, RunReader, RunWriter, StateStore,
};
