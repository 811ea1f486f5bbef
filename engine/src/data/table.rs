use std::{
    fmt,
    sync::{Arc, mpsc::SyncSender},
};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::send_all;
use crate::model::{ArtifactId, Digest, Fault};

/// A re-readable table. No stream crosses a step boundary.
#[derive(Debug, Clone)]
pub struct Table {
    /// Columns.
    pub schema: SchemaRef,
    /// Rows, where known without reading.
    pub rows: Option<u64>,
    /// Where the rows are.
    pub form: TableForm,
}

/// The three forms of a table.
#[derive(Debug, Clone)]
pub enum TableForm {
    /// Files with pinned identity, read lazily so that projections and filters reach them.
    Scan(Arc<Scan>),
    /// In memory, shared, never copied.
    Batches(Arc<Vec<RecordBatch>>),
    /// Arrow IPC in the artifact store.
    Kept(ArtifactId),
}

/// Files to read and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Format's name, such as `parquet`; who reads it is found by this name.
    pub format: String,
    /// The files, in order.
    pub files: Vec<PinnedFile>,
    /// Options of the format (delimiter, header, compression), as the reader understands them.
    pub options: serde_json::Value,
}

/// A file whose content must not change between planning and reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedFile {
    /// Absolute path.
    pub path: String,
    /// What must still hold when it is read.
    pub pin: Pin,
}

/// What identifies a file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// Length and modification time.
    Stat {
        /// Bytes.
        bytes: u64,
        /// Nanoseconds since the epoch.
        modified_ns: i64,
    },
    /// Its bytes.
    Digest(Digest),
}

/// Reads tables of every form; the family that knows file formats implements it.
#[async_trait]
pub trait ScanReader: Send + Sync + fmt::Debug {
    /// Reads up to `limit` rows of the named columns (`None`: all) in batches.
    /// A pin that no longer holds is the fault `table.changed`.
    async fn read(
        &self,
        scan: &Scan,
        schema: &SchemaRef,
        columns: Option<&[String]>,
        limit: Option<u64>,
    ) -> Result<Vec<RecordBatch>, Fault>;

    /// Counts the rows.
    async fn count(&self, scan: &Scan, schema: &SchemaRef) -> Result<u64, Fault>;

    /// Sends all rows in batches; stops early where nobody takes them any more. Whoever can, reads no further ahead
    /// than they are taken.
    async fn send(&self, scan: &Scan, schema: &SchemaRef, to: SyncSender<RecordBatch>) -> Result<(), Fault> {
        send_all(self.read(scan, schema, None, None).await?, to).await
    }
}

impl Table {
    /// A table over batches. Without a batch it has no columns; see [`Table::empty`].
    pub fn from_batches(batches: Vec<RecordBatch>) -> Self {
        let schema = batches.first().map_or_else(|| Arc::new(arrow::datatypes::Schema::empty()), RecordBatch::schema);
        Self::with_schema(schema, batches)
    }

    /// A table over batches that all have `schema`.
    pub fn with_schema(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        let rows = batches.iter().map(|b| b.num_rows() as u64).sum();
        Self { schema, rows: Some(rows), form: TableForm::Batches(Arc::new(batches)) }
    }

    /// A table with columns and no row.
    pub fn empty(schema: SchemaRef) -> Self {
        Self::with_schema(schema, Vec::new())
    }

    /// The batches, if they are in memory.
    pub fn batches(&self) -> Option<&Arc<Vec<RecordBatch>>> {
        match &self.form {
            TableForm::Batches(batches) => Some(batches),
            TableForm::Scan(_) | TableForm::Kept(_) => None,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows {
            Some(rows) => write!(f, "table of {rows} rows and {} columns", self.schema.fields().len()),
            None => write!(f, "table of {} columns", self.schema.fields().len()),
        }
    }
}
