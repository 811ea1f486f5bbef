use std::{fmt, ops::ControlFlow, sync::Arc};

use arrow::{
    datatypes::{Schema, SchemaRef},
    record_batch::RecordBatch,
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::DataFusionError,
    datasource::{
        MemTable,
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, TableType},
    physical_plan::{
        ExecutionPlan,
        stream::RecordBatchReceiverStream,
        streaming::{PartitionStream, StreamingTableExec},
    },
};
use millwork_engine::{
    data::{PinnedFile, Scan, Table, TableForm},
    model::Fault,
    step::TableAccess,
};

use crate::formats::{FileRead, Format, check_pin, files_of, read_into};

/// A table as the query engine reads it: files lazily, so that projections (and for Parquet filters)
/// reach them; batches as they are.
pub(super) async fn provider(table: &Table, access: &TableAccess) -> Result<Arc<dyn TableProvider>, Fault> {
    match &table.form {
        TableForm::Scan(scan) => {
            for file in &scan.files {
                check_pin(file)?;
            }
            if scan.format == Format::Parquet.name() {
                return parquet(scan, &table.schema);
            }
            let files = files_of(scan)?.into_iter().zip(scan.files.iter().cloned()).collect();
            Ok(Arc::new(TextTable { files, schema: table.schema.clone() }))
        }
        TableForm::Batches(batches) => memory(&table.schema, batches.to_vec()),
        TableForm::Kept(_) => memory(&table.schema, access.read(table, None, None).await?),
    }
}

/// Rows in memory, shared.
pub(super) fn memory(schema: &SchemaRef, batches: Vec<RecordBatch>) -> Result<Arc<dyn TableProvider>, Fault> {
    // Batches may differ from the table's schema in what says nothing of the rows: nullability, metadata.
    let same = batches.iter().all(|batch| batch.schema_ref() == schema);
    let batches = if same {
        batches
    } else {
        let conformed = batches.iter().map(|batch| crate::formats::conform(batch, schema, "a table in memory"));
        conformed.collect::<Result<_, Fault>>()?
    };
    let table = MemTable::try_new(schema.clone(), vec![batches]);
    Ok(Arc::new(table.map_err(|e| Fault::internal("sql.table", e.strip_backtrace()))?))
}

fn parquet(scan: &Scan, schema: &SchemaRef) -> Result<Arc<dyn TableProvider>, Fault> {
    let bad = |e: DataFusionError| Fault::internal("sql.table", e.strip_backtrace());
    let urls = scan.files.iter().map(|file| ListingTableUrl::parse(file_url(&file.path)));
    let urls: Vec<_> = urls.collect::<Result<_, _>>().map_err(bad)?;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options);
    Ok(Arc::new(ListingTable::try_new(config.with_schema(schema.clone())).map_err(bad)?))
}

/// An absolute path as a URL, so that no sign in it is taken for a pattern.
fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// Files of text or Arrow IPC, each a partition that is read while the query runs.
struct TextTable {
    files: Vec<(FileRead, PinnedFile)>,
    schema: SchemaRef,
}

impl fmt::Debug for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextTable({} files)", self.files.len())
    }
}

#[async_trait]
impl TableProvider for TextTable {
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
        let part = |(file, pinned): &(FileRead, PinnedFile)| {
            Arc::new(FilePart {
                file: file.clone(),
                pinned: pinned.clone(),
                schema: self.schema.clone(),
                wanted: wanted.clone(),
            }) as Arc<dyn PartitionStream>
        };
        let parts = self.files.iter().map(part).collect();
        Ok(Arc::new(StreamingTableExec::try_new(wanted.clone(), parts, None, [], false, limit)?))
    }
}

#[derive(Debug)]
struct FilePart {
    file: FileRead,
    pinned: PinnedFile,
    schema: Arc<Schema>,
    wanted: SchemaRef,
}

impl PartitionStream for FilePart {
    fn schema(&self) -> &SchemaRef {
        &self.wanted
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(self.wanted.clone(), 2);
        let sender = builder.tx();
        let (file, pinned) = (self.file.clone(), self.pinned.clone());
        let (schema, wanted) = (self.schema.clone(), self.wanted.clone());
        builder.spawn_blocking(move || {
            let read = check_pin(&pinned).and_then(|()| {
                read_into(&file, &schema, &wanted, &mut |batch| match sender.blocking_send(Ok(batch)) {
                    Ok(()) => ControlFlow::Continue(()),
                    // Nobody reads on: the query has ended.
                    Err(_) => ControlFlow::Break(()),
                })
            });
            read.and_then(|()| check_pin(&pinned)).map_err(|fault| DataFusionError::External(Box::new(fault)))
        });
        builder.build()
    }
}
