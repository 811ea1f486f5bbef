//! Whether two contents are the same: a digest that does not depend on how a value happens to be stored.

use std::{fs::File, sync::mpsc};

use arrow::{
    datatypes::Schema,
    record_batch::RecordBatch,
    row::{RowConverter, SortField},
};

use super::TableAccess;
use crate::{
    data::{Value, encode},
    model::{Digest, Fault},
};

/// Batches of a table that are read before they are digested.
const AHEAD: usize = 2;

/// The digest of a value's content. A table's is that of its rows as a multiset and of its columns' names and types:
/// neither their order nor how they lie in batches and files counts. A file's is that of its bytes.
pub async fn content_of(value: &Value, tables: &TableAccess) -> Result<Digest, Fault> {
    match value {
        Value::Table(table) => {
            let schema = table.schema.clone();
            let (to, from) = mpsc::sync_channel(AHEAD);
            let digested = tokio::task::spawn_blocking(move || of_rows(&schema, from));
            let sent = tables.send(table, to).await;
            let digested = digested.await.map_err(|e| stopped("table", &e))?;
            sent.and(digested)
        }
        Value::File(file) => match file.artifact {
            Some(artifact) => Ok(artifact.0),
            None => {
                let path = file.path.clone();
                let digested = tokio::task::spawn_blocking(move || Digest::of_reader(File::open(path)?)).await;
                digested.map_err(|e| stopped("file", &e))?.map_err(|e| {
                    Fault::external("content.file", format!("`{}` cannot be read: {e}", file.path))
                        .help("give it its place back, or its rights")
                })
            }
        },
        plain => Ok(Digest::of(encode(plain)?.to_string().as_bytes())),
    }
}

fn stopped(what: &str, error: &tokio::task::JoinError) -> Fault {
    Fault::internal("content.digest", format!("a {what} was not digested: {error}"))
}

/// Each row is digested alone, and the digests are added up (256 bits, carries between 64-bit words dropped), so that
/// their order does not count and equal rows do not cancel out.
fn of_rows(schema: &Schema, batches: impl IntoIterator<Item = RecordBatch>) -> Result<Digest, Fault> {
    let strange = |e: arrow::error::ArrowError| {
        Fault::user("content.rows", format!("rows of this table cannot be compared: {e}"))
            .help("leave out the column, or give it a type that can be sorted")
    };
    let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).map_err(strange)?;
    let (mut sum, mut count) = ([0_u64; 4], 0_u64);
    for batch in batches {
        let rows = converter.convert_columns(batch.columns()).map_err(strange)?;
        for row in &rows {
            let digest = Digest::of(row.data());
            for (word, bytes) in sum.iter_mut().zip(digest.as_bytes().chunks_exact(8)) {
                *word = word.wrapping_add(bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
            }
            count += 1;
        }
    }
    let columns = schema.fields().iter().map(|field| format!("{}\0{}\0", field.name(), field.data_type()));
    let mut all: Vec<u8> = columns.collect::<String>().into_bytes();
    all.extend(count.to_be_bytes());
    all.extend(sum.iter().flat_map(|word| word.to_be_bytes()));
    Ok(Digest::of(&all))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{Int64Array, StringArray},
        datatypes::{DataType, Field},
    };

    use super::*;

    fn batch(rows: &[(i64, Option<&str>)]) -> RecordBatch {
        let schema =
            Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("name", DataType::Utf8, true)]);
        let ids = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
        let names: StringArray = rows.iter().map(|row| row.1).collect();
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(names)]).expect("a batch")
    }

    fn digest(batches: &[RecordBatch]) -> Digest {
        of_rows(&batches[0].schema(), batches.to_vec()).expect("a digest")
    }

    #[test]
    fn order_and_batches_do_not_count() {
        let whole = digest(&[batch(&[(1, Some("a")), (2, None), (2, None), (3, Some(""))])]);
        let other = digest(&[batch(&[(3, Some("")), (2, None)]), batch(&[]), batch(&[(2, None), (1, Some("a"))])]);
        assert_eq!(whole, other);
    }

    #[test]
    fn any_other_row_counts() {
        let rows = [(1, Some("a")), (2, None), (3, Some(""))];
        let whole = digest(&[batch(&rows)]);
        for other in [
            vec![(1, Some("a")), (2, None)],
            vec![(1, Some("a")), (2, None), (3, None)],
            vec![(1, Some("a")), (2, None), (3, Some("")), (3, Some(""))],
            vec![(1, Some("a")), (2, Some("")), (3, None)],
            vec![],
        ] {
            assert_ne!(whole, digest(&[batch(&other)]), "{other:?}");
        }
        let renamed =
            Schema::new(vec![Field::new("number", DataType::Int64, false), Field::new("name", DataType::Utf8, true)]);
        let renamed = of_rows(&renamed, [batch(&rows)]).expect("a digest");
        assert_ne!(whole, renamed);
    }
}
