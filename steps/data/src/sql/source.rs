use std::sync::Arc;

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use datafusion::{
    catalog::TableProvider,
    common::DataFusionError,
    datasource::{
        MemTable,
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
};
use millwork_engine::{
    data::{Scan, Table, TableForm},
    model::Fault,
    step::TableAccess,
};

use super::{
    engine::planning_state,
    lazy::{FilePart, KeptPart, LazyTable, Part},
};
use crate::formats::{Format, check_pin, files_of};

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
            let files = files_of(scan)?.into_iter().zip(scan.files.iter().cloned());
            let part =
                |(file, pinned)| -> Arc<dyn Part> { Arc::new(FilePart { file, pinned, schema: table.schema.clone() }) };
            Ok(Arc::new(LazyTable { parts: files.map(part).collect(), schema: table.schema.clone() }))
        }
        TableForm::Batches(batches) => memory(&table.schema, batches.to_vec()),
        TableForm::Kept(artifact) => match access.artifacts().local_path(*artifact) {
            Some(path) => {
                let parts = KeptPart::split(&path, *artifact, &table.schema, parallel())?;
                let parts = parts.into_iter().map(|part| Arc::new(part) as Arc<dyn Part>).collect();
                Ok(Arc::new(LazyTable { parts, schema: table.schema.clone() }))
            }
            None => memory(&table.schema, access.read(table, None, None).await?),
        },
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
    let table = MemTable::try_new(schema.clone(), parts(batches));
    Ok(Arc::new(table.map_err(|e| Fault::internal("sql.table", e.strip_backtrace()))?))
}

/// How many parts of a table are read at once.
fn parallel() -> usize {
    planning_state().config().target_partitions().max(1)
}

/// Neighbouring batches in as many parts as are read at once, with about as many rows each.
fn parts(batches: Vec<RecordBatch>) -> Vec<Vec<RecordBatch>> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let each = rows.div_ceil(parallel()).max(1);
    let (mut parts, mut before) = (vec![Vec::new()], 0);
    for batch in batches {
        if before >= each * parts.len() {
            parts.push(Vec::new());
        }
        before += batch.num_rows();
        if let Some(part) = parts.last_mut() {
            part.push(batch);
        }
    }
    parts
}

fn parquet(scan: &Scan, schema: &SchemaRef) -> Result<Arc<dyn TableProvider>, Fault> {
    let files = files_of(scan)?;
    // The engine's own conversion cuts values that the table's type does not have; ours finds them.
    if files.iter().any(|file| file.options.checked) {
        let part = |(file, pinned)| Arc::new(FilePart { file, pinned, schema: schema.clone() }) as Arc<dyn Part>;
        let parts = files.into_iter().zip(scan.files.iter().cloned()).map(part).collect();
        return Ok(Arc::new(LazyTable { parts, schema: schema.clone() }));
    }
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
