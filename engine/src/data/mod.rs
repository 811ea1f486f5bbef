//! Layer 1: values, their types, tables and artifacts.

mod artifact;
mod encode;
mod kept;
mod table;
mod types;
mod value;

pub use artifact::{ArtifactInfo, ArtifactStore, damaged_artifact, unopened_artifact};
pub use encode::{decode, encode, from_plain, plain};
pub use kept::{read_kept, send_all, send_kept, write_kept};
pub use table::{Pin, PinnedFile, Scan, ScanReader, Table, TableForm};
pub use types::{ObjectType, TableType, Type};
pub use value::{FileRef, FromValue, Map, Value};
