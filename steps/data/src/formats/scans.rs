use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{Arc, mpsc::SyncSender},
};

use arrow::{
    datatypes::{Schema, SchemaRef},
    record_batch::RecordBatch,
};
use async_trait::async_trait;
use millwork_engine::{
    data::{Scan, ScanReader},
    model::Fault,
};

use super::{FileRead, Format, Input, ScanOptions, check_pin, count_rows, read_into};

/// Reads the files of tables, each checked against its pin first.
#[derive(Debug, Default, Clone, Copy)]
pub struct DataScans;

/// The files of a scan as they are to be read.
pub(crate) fn files_of(scan: &Scan) -> Result<Vec<FileRead>, Fault> {
    let format = Format::parse(&scan.format)
        .ok_or_else(|| Fault::internal("table.format", format!("the format `{}` is not known", scan.format)))?;
    let options: ScanOptions = serde_json::from_value(scan.options.clone())
        .map_err(|e| Fault::internal("table.format", format!("options of a scan cannot be read: {e}")))?;
    let read = |path: &str| FileRead { input: Input::File(PathBuf::from(path)), format, options: options.clone() };
    Ok(scan.files.iter().map(|file| read(&file.path)).collect())
}

/// The columns named, in the order of the names.
pub(crate) fn narrow(schema: &SchemaRef, columns: Option<&[String]>) -> Result<SchemaRef, Fault> {
    let Some(columns) = columns else { return Ok(schema.clone()) };
    let fields = columns.iter().map(|name| {
        let field = schema.field_with_name(name);
        field.cloned().map_err(|_| Fault::user("table.column", format!("the table has no column `{name}`")))
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>, Fault>>()?)))
}

/// Reads the files of a scan one after the other, until it is enough.
fn each_batch(
    scan: &Scan,
    schema: &SchemaRef,
    wanted: &SchemaRef,
    see: &mut dyn FnMut(RecordBatch) -> ControlFlow<()>,
) -> Result<(), Fault> {
    for (file, pinned) in files_of(scan)?.iter().zip(&scan.files) {
        check_pin(pinned)?;
        let mut over = false;
        read_into(file, schema, wanted, &mut |batch| {
            let flow = see(batch);
            over = flow.is_break();
            flow
        })?;
        // A file that changed while it was read gave a mixture.
        check_pin(pinned)?;
        if over {
            break;
        }
    }
    Ok(())
}

#[async_trait]
impl ScanReader for DataScans {
    async fn read(
        &self,
        scan: &Scan,
        schema: &SchemaRef,
        columns: Option<&[String]>,
        limit: Option<u64>,
    ) -> Result<Vec<RecordBatch>, Fault> {
        let wanted = narrow(schema, columns)?;
        let (scan, schema) = (scan.clone(), schema.clone());
        blocking(move || {
            let mut left = limit.unwrap_or(u64::MAX);
            let mut batches = Vec::new();
            if left == 0 {
                return Ok(batches);
            }
            each_batch(&scan, &schema, &wanted, &mut |batch| {
                let rows = (batch.num_rows() as u64).min(left);
                left -= rows;
                batches.push(batch.slice(0, rows as usize));
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(batches)
        })
        .await
    }

    async fn send(&self, scan: &Scan, schema: &SchemaRef, to: SyncSender<RecordBatch>) -> Result<(), Fault> {
        let (scan, schema) = (scan.clone(), schema.clone());
        blocking(move || {
            each_batch(&scan, &schema, &schema, &mut |batch| match to.send(batch) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        })
        .await
    }

    async fn count(&self, scan: &Scan, schema: &SchemaRef) -> Result<u64, Fault> {
        let (scan, schema) = (scan.clone(), schema.clone());
        blocking(move || {
            let mut rows = 0;
            for (file, pinned) in files_of(&scan)?.iter().zip(&scan.files) {
                check_pin(pinned)?;
                rows += count_rows(file, &schema)?;
            }
            Ok(rows)
        })
        .await
    }
}

/// Runs blocking work beside the runtime's own threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(Fault::internal("table.stopped", format!("reading or writing was stopped: {e}"))),
    }
}
