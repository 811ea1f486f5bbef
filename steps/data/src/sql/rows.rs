//! The rows of a result: in memory while they are few, in a file beyond.

use std::{fs::File, io::BufWriter, path::PathBuf, sync::Arc};

use arrow::{datatypes::SchemaRef, ipc::writer::FileWriter, record_batch::RecordBatch};
use millwork_engine::{
    data::{ArtifactStore, Table, TableForm},
    model::Fault,
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches on their way to the file.
const QUEUE: usize = 4;

/// Gathers a result.
pub(super) struct Rows {
    schema: SchemaRef,
    artifacts: Arc<dyn ArtifactStore>,
    /// Bytes that may be held in memory; no end if not given.
    most: Option<u64>,
    held: Vec<RecordBatch>,
    bytes: u64,
    rows: u64,
    spill: Option<Spill>,
}

/// A file in the making, written on a thread of its own.
struct Spill {
    path: PathBuf,
    /// `None` ends the file; a queue that closes without it gives the file up.
    queue: mpsc::Sender<Option<RecordBatch>>,
    written: JoinHandle<Result<(), Fault>>,
}

impl Rows {
    pub(super) fn new(schema: SchemaRef, artifacts: Arc<dyn ArtifactStore>, most: Option<u64>) -> Self {
        Self { schema, artifacts, most, held: Vec::new(), bytes: 0, rows: 0, spill: None }
    }

    /// Rows so far.
    pub(super) fn count(&self) -> u64 {
        self.rows
    }

    /// Adds rows. Says whether this is where the result became too big for memory.
    pub(super) async fn push(&mut self, batch: RecordBatch) -> Result<bool, Fault> {
        self.rows += batch.num_rows() as u64;
        if batch.num_rows() == 0 {
            return Ok(false);
        }
        if let Some(spill) = &self.spill {
            // A writer that is gone has failed; `finish` tells why.
            let _ = spill.queue.send(Some(batch)).await;
            return Ok(false);
        }
        self.bytes += batch.get_array_memory_size() as u64;
        self.held.push(batch);
        if self.most.is_none_or(|most| self.bytes <= most) {
            return Ok(false);
        }
        let spill = Spill::begin(&self.artifacts, self.schema.clone());
        for batch in self.held.drain(..) {
            let _ = spill.queue.send(Some(batch)).await;
        }
        self.spill = Some(spill);
        Ok(true)
    }

    /// The table: batches, or an artifact.
    pub(super) async fn finish(self) -> Result<Table, Fault> {
        let Some(Spill { path, queue, written }) = self.spill else {
            return Ok(Table::with_schema(self.schema, self.held));
        };
        let _ = queue.send(None).await;
        written.await.map_err(|e| Fault::internal("sql.spill", format!("writing a result was stopped: {e}")))??;
        let info = self.artifacts.adopt(path).await?;
        Ok(Table { schema: self.schema, rows: Some(self.rows), form: TableForm::Kept(info.id) })
    }
}

impl Spill {
    fn begin(artifacts: &Arc<dyn ArtifactStore>, schema: SchemaRef) -> Self {
        let path = artifacts.scratch().join(format!("result-{:032x}.arrow", rand::random::<u128>()));
        let (queue, batches) = mpsc::channel(QUEUE);
        let target = path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let written = write(&target, &schema, batches);
            if !matches!(written, Ok(true)) {
                let _ = std::fs::remove_file(&target);
            }
            written.map(drop)
        });
        Self { path, queue, written }
    }
}

/// Whether the file was ended in good order.
fn write(
    path: &std::path::Path,
    schema: &SchemaRef,
    mut batches: mpsc::Receiver<Option<RecordBatch>>,
) -> Result<bool, Fault> {
    let failed = |e: String| Fault::external("sql.spill", format!("a large result cannot be written: {e}"));
    let file = File::create_new(path).map_err(|e| failed(e.to_string()))?;
    let mut writer =
        FileWriter::try_new(BufWriter::with_capacity(1 << 20, file), schema).map_err(|e| failed(e.to_string()))?;
    while let Some(batch) = batches.blocking_recv() {
        match batch {
            Some(batch) => writer.write(&batch).map_err(|e| failed(e.to_string()))?,
            None => return writer.finish().map(|()| true).map_err(|e| failed(e.to_string())),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use millwork_engine::{data::read_kept, model::Timestamp, store::LocalArtifacts};

    use super::*;

    fn batch(from: i64) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 1_000));
        RecordBatch::try_from_iter([("n", column)]).expect("a batch")
    }

    async fn gather(most: Option<u64>, ends: bool) -> (tempfile::TempDir, Arc<dyn ArtifactStore>, Option<Table>) {
        let home = tempfile::tempdir().expect("a folder");
        let store = LocalArtifacts::open(home.path(), Timestamp::from_micros(0)).expect("a store");
        let store: Arc<dyn ArtifactStore> = Arc::new(store);
        let mut rows = Rows::new(batch(0).schema(), store.clone(), most);
        let mut spilled = 0;
        for n in 0..20 {
            spilled += u32::from(rows.push(batch(n * 1_000)).await.expect("taken"));
        }
        assert_eq!((rows.count(), spilled), (20_000, u32::from(most.is_some())));
        if ends {
            let table = rows.finish().await.expect("finished");
            return (home, store, Some(table));
        }
        let spill = rows.spill.take().expect("spilled");
        drop(spill.queue);
        spill.written.await.expect("joined").expect("given up in good order");
        (home, store, None)
    }

    #[tokio::test]
    async fn few_rows_stay_in_memory_and_many_go_to_a_file() {
        let (_home, _, table) = gather(None, true).await;
        assert_eq!(table.expect("a table").batches().map(|batches| batches.len()), Some(20));
        let (_home, store, table) = gather(Some(50_000), true).await;
        let table = table.expect("a table");
        let TableForm::Kept(id) = table.form else { panic!("in memory") };
        assert_eq!(table.rows, Some(20_000));
        let found = read_kept(&store, id).await.expect("readable");
        assert_eq!(found, (0..20).map(|n| batch(n * 1_000)).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_result_that_is_given_up_leaves_no_file() {
        let (_home, store, _) = gather(Some(50_000), false).await;
        assert_eq!(std::fs::read_dir(store.scratch()).expect("a folder").count(), 0);
    }
}
