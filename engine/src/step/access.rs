use std::{
    fmt,
    sync::{Arc, mpsc::SyncSender},
};

use arrow::record_batch::RecordBatch;

use crate::{
    data::{ArtifactStore, ScanReader, Table, TableForm, send_all, send_kept},
    model::Fault,
};

/// Reads tables of any form. Cheap to clone.
#[derive(Clone)]
pub struct TableAccess {
    artifacts: Arc<dyn ArtifactStore>,
    scans: Arc<dyn ScanReader>,
}

impl TableAccess {
    /// Access through these.
    pub fn new(artifacts: Arc<dyn ArtifactStore>, scans: Arc<dyn ScanReader>) -> Self {
        Self { artifacts, scans }
    }

    /// The artifact store.
    pub fn artifacts(&self) -> &Arc<dyn ArtifactStore> {
        &self.artifacts
    }

    /// Up to `limit` rows of the named columns (`None`: all), in batches. Batches in memory are shared.
    pub async fn read(
        &self,
        table: &Table,
        columns: Option<&[String]>,
        limit: Option<u64>,
    ) -> Result<Vec<RecordBatch>, Fault> {
        match &table.form {
            TableForm::Scan(scan) => self.scans.read(scan, &table.schema, columns, limit).await,
            TableForm::Batches(batches) => project(batches, columns, limit),
            TableForm::Kept(artifact) => {
                let batches = crate::data::read_kept(&self.artifacts, *artifact).await?;
                project(&batches, columns, limit)
            }
        }
    }

    /// Sends all rows in batches, few at once, as long as somebody takes them.
    pub async fn send(&self, table: &Table, to: SyncSender<RecordBatch>) -> Result<(), Fault> {
        match &table.form {
            TableForm::Scan(scan) => self.scans.send(scan, &table.schema, to).await,
            TableForm::Batches(batches) => send_all(batches.to_vec(), to).await,
            TableForm::Kept(artifact) => send_kept(&self.artifacts, *artifact, to).await,
        }
    }

    /// How many rows there are; counts them where that is not known.
    pub async fn count(&self, table: &Table) -> Result<u64, Fault> {
        match (&table.rows, &table.form) {
            (Some(rows), _) => Ok(*rows),
            (None, TableForm::Scan(scan)) => self.scans.count(scan, &table.schema).await,
            (None, _) => Ok(self.read(table, Some(&[]), None).await?.iter().map(|b| b.num_rows() as u64).sum()),
        }
    }
}

fn project(batches: &[RecordBatch], columns: Option<&[String]>, limit: Option<u64>) -> Result<Vec<RecordBatch>, Fault> {
    let mut left = limit.unwrap_or(u64::MAX);
    let mut taken = Vec::with_capacity(batches.len());
    for batch in batches {
        if left == 0 {
            break;
        }
        let rows = (batch.num_rows() as u64).min(left);
        left -= rows;
        let batch = if rows == batch.num_rows() as u64 { batch.clone() } else { batch.slice(0, rows as usize) };
        taken.push(match columns {
            None => batch,
            Some(names) => {
                let indices: Result<Vec<_>, _> = names.iter().map(|name| batch.schema().index_of(name)).collect();
                let projected = indices.and_then(|indices| batch.project(&indices));
                projected.map_err(|e| Fault::user("table.column", format!("a column cannot be read: {e}")))?
            }
        });
    }
    Ok(taken)
}

impl fmt::Debug for TableAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TableAccess")
    }
}
