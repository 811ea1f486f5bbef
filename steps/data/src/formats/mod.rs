//! Files of tables: which formats there are, how they are read, written and pinned.

mod convert;
mod csv;
mod fault;
mod format;
mod open;
mod pin;
mod quotes;
mod read;
mod scans;
mod shape;
mod texts;
mod union;
mod widen;
mod write;

pub(crate) use csv::names as csv_names;
pub(crate) use fault::{shown, unfit};
pub use format::{Compression, Format, ScanOptions};
pub(crate) use open::Input;
pub(crate) use pin::{check_pin, expand, pin};
pub(crate) use read::{FileRead, about, count_rows, read_into};
pub use scans::DataScans;
pub(crate) use scans::{blocking, files_of};
pub(crate) use shape::conform;
pub(crate) use union::{Union, once, surely};
pub(crate) use write::TableWriter;
