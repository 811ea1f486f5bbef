//! Files of tables: which formats there are, how they are read, written and pinned.

mod format;
mod open;
mod pin;
mod read;
mod scans;
mod shape;
mod write;

pub use format::{Compression, Format, ScanOptions};
pub(crate) use open::Input;
pub(crate) use pin::{check_pin, expand, pin};
pub(crate) use read::{FileRead, count_rows, known_rows, read_into, schema_of};
pub use scans::DataScans;
pub(crate) use scans::{blocking, files_of};
pub(crate) use shape::conform;
pub(crate) use write::TableWriter;
