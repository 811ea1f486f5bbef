//! Tables that are read while a query runs, each part a stream of its own.

use std::{fmt, fs::File, io::BufReader, ops::ControlFlow, path::PathBuf, sync::Arc};

use arrow::{datatypes::SchemaRef, ipc::reader::FileReader, record_batch::RecordBatch};
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
    data::PinnedFile,
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

/// A table in the artifact store, of which a batch at a time is in memory.
pub(super) struct KeptPart {
    pub(super) path: PathBuf,
    pub(super) artifact: ArtifactId,
    pub(super) schema: SchemaRef,
}

impl Part for KeptPart {
    fn read(&self, wanted: &SchemaRef, each: &mut Each<'_>) -> Result<(), Fault> {
        let failed = |e: String| Fault::external("artifact.corrupt", format!("{} cannot be read: {e}", self.artifact));
        let columns = wanted.fields().iter().map(|field| self.schema.index_of(field.name()));
        let columns: Vec<usize> = columns.collect::<Result<_, _>>().map_err(|e| failed(e.to_string()))?;
        let file = File::open(&self.path).map_err(|e| failed(e.to_string()))?;
        let reader = FileReader::try_new(BufReader::new(file), Some(columns)).map_err(|e| failed(e.to_string()))?;
        for batch in reader {
            let batch = batch.map_err(|e| failed(e.to_string()))?;
            if each(conform(&batch, wanted, "a table that was kept")?).is_break() {
                break;
            }
        }
        Ok(())
    }
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
