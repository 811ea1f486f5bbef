use std::collections::BTreeMap;

use arrow::{
    array::{Array, RecordBatch, UInt32Array},
    compute::take_record_batch,
    util::display::{ArrayFormatter, FormatOptions},
};
use millwork_engine::model::Fault;

/// The folder of rows without a value, as Hive calls it.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The rows of a batch by their partition's folder. The columns that name it stay in the rows, so that files are
/// whole by themselves.
pub(super) fn split(batch: &RecordBatch, by: &[String]) -> Result<Vec<(String, RecordBatch)>, Fault> {
    let failed = |e: arrow::error::ArrowError| Fault::internal("table.partition", format!("partitions: {e}"));
    let options = FormatOptions::default().with_null(NULL);
    let mut columns = Vec::new();
    for name in by {
        let column = batch
            .column_by_name(name)
            .ok_or_else(|| Fault::user("table.column", format!("the table has no column `{name}` to partition by")))?;
        columns.push((name, column, ArrayFormatter::try_new(column.as_ref(), &options).map_err(failed)?));
    }
    let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let parts = columns.iter().map(|(name, column, formatter)| {
            let value = if column.is_null(row) { NULL.to_owned() } else { escape(&formatter.value(row).to_string()) };
            format!("{}={value}", escape(name))
        });
        let folder = parts.collect::<Vec<_>>().join("/");
        rows.entry(folder).or_default().push(row as u32);
    }
    let parts = rows.into_iter().map(|(folder, rows)| {
        if rows.len() == batch.num_rows() {
            return Ok((folder, batch.clone()));
        }
        let part = take_record_batch(batch, &UInt32Array::from(rows)).map_err(failed)?;
        Ok((folder, part))
    });
    parts.collect()
}

/// A value as one name of a folder.
fn escape(value: &str) -> String {
    let mut name = String::new();
    for c in value.chars() {
        if c.is_alphanumeric() || "_-. ".contains(c) {
            name.push(c);
        } else {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| name.push_str(&format!("%{byte:02X}")));
        }
    }
    // A folder of dots would be another place.
    if name.is_empty() || name.bytes().all(|b| b == b'.') { format!("%{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{Int64Array, StringArray},
        datatypes::{DataType, Field, Schema},
    };

    use super::*;

    #[test]
    fn rows_go_to_the_folder_of_their_value() {
        let schema = Schema::new(vec![Field::new("k", DataType::Utf8, true), Field::new("v", DataType::Int64, true)]);
        let keys = StringArray::from(vec![Some("a/b"), None, Some(".."), Some("a/b")]);
        let values = Int64Array::from(vec![1, 2, 3, 4]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(keys), Arc::new(values)]).expect("a batch");
        let parts = split(&batch, &["k".to_owned()]).expect("parts");
        let shown: Vec<_> = parts.iter().map(|(folder, rows)| (folder.as_str(), rows.num_rows())).collect();
        assert_eq!(shown, [("k=%..", 1), ("k=__HIVE_DEFAULT_PARTITION__", 1), ("k=a%2Fb", 2)]);
        assert!(parts.iter().all(|(_, rows)| rows.num_columns() == 2));
        assert_eq!(split(&batch, &["no".to_owned()]).expect_err("a fault").code.as_str(), "table.column");
    }
}
