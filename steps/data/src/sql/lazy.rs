//! Tables that are read while a query runs, each part a stream of its own.

use std::{
    fmt,
    fs::File,
    io::BufReader,
    ops::{ControlFlow, Range},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    compute::concat,
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::reader::FileReader,
    record_batch::{RecordBatch, RecordBatchOptions},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::DataFusionError,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, TableType},
    physical_plan::{
        ExecutionPlan,
        stream::RecordBatchReceiverStream,
        streaming::{PartitionStream, StreamingTableExec},
    },
};
use millwork_engine::{
    data::{PinnedFile, damaged_artifact, unopened_artifact},
    model::{ArtifactId, Fault},
};

use crate::formats::{FileRead, check_pin, conform, read_into};

/// Takes a batch, and says whether more are wanted.
pub(super) type Each<'a> = dyn FnMut(RecordBatch) -> ControlFlow<()> + 'a;

/// Rows that one thread reads in order.
pub(super) trait Part: Send + Sync {
    /// Gives the rows with the columns of `wanted`. Blocks.
    fn read(&self, wanted: &SchemaRef, each: &mut Each<'_>) -> Result<(), Fault>;
}

/// A file of text or Arrow IPC as it was when the run saw it first.
pub(super) struct FilePart {
    pub(super) file: FileRead,
    pub(super) pinned: PinnedFile,
    pub(super) schema: SchemaRef,
}

impl Part for FilePart {
    fn read(&self, wanted: &SchemaRef, each: &mut Each<'_>) -> Result<(), Fault> {
        check_pin(&self.pinned)?;
        read_into(&self.file, &self.schema, wanted, each)?;
        check_pin(&self.pinned)
    }
}

/// Neighbouring batches of a table in the artifact store, of which one at a time is in memory.
pub(super) struct KeptPart {
    path: PathBuf,
    artifact: ArtifactId,
    schema: SchemaRef,
    batches: Range<usize>,
}

impl KeptPart {
    /// A table in up to `most` parts.
    pub(super) fn split(
        path: &Path,
        artifact: ArtifactId,
        schema: &SchemaRef,
        most: usize,
    ) -> Result<Vec<Self>, Fault> {
        let batches = Self::open(path, artifact, None)?.num_batches();
        let each = batches.div_ceil(most).max(1);
        let part = |from| {
            let batches = from..batches.min(from + each);
            Self { path: path.to_owned(), artifact, schema: schema.clone(), batches }
        };
        Ok((0..batches.max(1)).step_by(each).map(part).collect())
    }

    fn open(path: &Path, id: ArtifactId, columns: Option<Vec<usize>>) -> Result<FileReader<BufReader<File>>, Fault> {
        let file = File::open(path).map_err(|e| unopened_artifact(id, &e))?;
        FileReader::try_new(BufReader::new(file), columns).map_err(|e| damaged_artifact(id, e))
    }
}

impl Part for KeptPart {
    fn read(&self, wanted: &SchemaRef, each: &mut Each<'_>) -> Result<(), Fault> {
        let failed = |e: ArrowError| damaged_artifact(self.artifact, e);
        let columns = wanted.fields().iter().map(|field| self.schema.index_of(field.name()));
        let columns: Vec<usize> = columns.collect::<Result<_, _>>().map_err(failed)?;
        let mut reader = Self::open(&self.path, self.artifact, Some(columns))?;
        if self.batches.is_empty() {
            return Ok(());
        }
        reader.set_index(self.batches.start).map_err(failed)?;
        let part = wanted.fields().len() < self.schema.fields().len();
        for batch in reader.take(self.batches.len()) {
            let batch = batch.map_err(failed)?;
            let batch = if part { alone(&batch).map_err(failed)? } else { batch };
            if each(conform(&batch, wanted, "a table that was kept")?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Some columns of a block of the file, copied, so that they do not keep the whole block in memory.
fn alone(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let copied = batch.columns().iter().map(|column| concat(&[column.as_ref(), &column.slice(0, 0)]));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), copied.collect::<Result<_, _>>()?, &options)
}

/// A table of such parts; each is a partition.
pub(super) struct LazyTable {
    pub(super) parts: Vec<Arc<dyn Part>>,
    pub(super) schema: SchemaRef,
}

impl fmt::Debug for LazyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LazyTable({} parts)", self.parts.len())
    }
}

#[async_trait]
impl TableProvider for LazyTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let wanted: SchemaRef = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let stream = |part: &Arc<dyn Part>| {
            Arc::new(PartStream { part: part.clone(), wanted: wanted.clone() }) as Arc<dyn PartitionStream>
        };
        let streams = self.parts.iter().map(stream).collect();
        Ok(Arc::new(StreamingTableExec::try_new(wanted.clone(), streams, None, [], false, limit)?))
    }
}

struct PartStream {
    part: Arc<dyn Part>,
    wanted: SchemaRef,
}

impl fmt::Debug for PartStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartStream")
    }
}

impl PartitionStream for PartStream {
    fn schema(&self) -> &SchemaRef {
        &self.wanted
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(self.wanted.clone(), 2);
        let sender = builder.tx();
        let (part, wanted) = (self.part.clone(), self.wanted.clone());
        builder.spawn_blocking(move || {
            let read = part.read(&wanted, &mut |batch| match sender.blocking_send(Ok(batch)) {
                Ok(()) => ControlFlow::Continue(()),
                // Nobody reads on: the query has ended.
                Err(_) => ControlFlow::Break(()),
            });
            read.map_err(|fault| DataFusionError::External(Box::new(fault)))
        });
        builder.build()
    }
}
