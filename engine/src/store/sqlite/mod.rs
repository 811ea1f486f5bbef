//! State in SQLite: one writer task, a pool of readers, several processes on one file.

mod backup;
mod batch;
mod codec;
mod connect;
mod group;
mod health;
mod known;
mod lists;
mod op;
mod reader;
mod service;
mod single;
mod store;
mod writer;

pub(super) use connect::commit_times;
pub use health::Health;
pub use store::SqliteStore;

#[cfg(test)]
mod tests;
