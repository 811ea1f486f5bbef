//! The pipelines of a folder: read, checked, and read again when they change.

mod entry;
mod files;
mod shelf;
mod startable;

pub use entry::{Checker, Entry, Standing};
pub use shelf::Catalog;
pub use startable::Startable;
