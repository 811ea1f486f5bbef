//! Layer 6: durable state, behind narrow traits with one conformance suite.

mod append;
mod query;
mod traits;

pub use append::{Append, Committed, ItemRow, OutputRow, StoreError};
pub use query::{Cursor, Entry, ItemFilter, ItemView, RunFilter, RunLog, RunView, StepView};
pub use traits::{CacheEntry, NewRun, OwnerRecord, Request, RequestKind, Requests, RunReader, RunWriter, StateStore};
