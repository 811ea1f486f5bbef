//! `table.write`: a table as files.

mod config;
mod kind;
mod partition;
mod save;

pub use kind::TableWrite;
pub(crate) use save::Mode;
