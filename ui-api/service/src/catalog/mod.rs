//! The pipelines of a folder: read, checked, and read again when they change.

mod entry;
mod files;
mod shelf;

pub use entry::{Checker, Entry, Standing};
pub use shelf::Catalog;
