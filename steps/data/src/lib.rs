//! Tables and what works on them: read, write, sql, check, report.

pub mod bench;
mod check;
#[cfg(test)]
mod checked;
mod formats;
mod permit;
mod read;
mod report;
mod sql;
mod write;

use std::sync::Arc;

use millwork_engine::{data::ScanReader, step::Registry};

pub use check::TableCheck;
pub use formats::{Compression, DataScans, Format, ScanOptions};
pub use read::TableRead;
pub use report::Report;
pub use sql::Sql;
pub use write::TableWrite;

/// Adds the kinds of this family.
pub fn register(registry: &mut Registry) {
    registry
        .register::<TableRead>()
        .register::<TableWrite>()
        .register::<Sql>()
        .register::<TableCheck>()
        .register::<Report>();
}

/// Reads the files of tables.
pub fn scans() -> Arc<dyn ScanReader> {
    Arc::new(DataScans)
}
