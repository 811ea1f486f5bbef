use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array},
    compute::{CastOptions, cast_with_options},
    datatypes::SchemaRef,
};
use millwork_engine::model::Fault;

use super::open::unparsable;

/// The columns of `schema`, by name, from a batch of a file: other types are converted, a value that
/// cannot be is a fault, a column that the file lacks is null.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef, name: &str) -> Result<RecordBatch, Fault> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let columns: Result<Vec<ArrayRef>, Fault> = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
            Some(column) => cast_with_options(column, field.data_type(), &strict)
                .map_err(|e| unparsable(name, &format!("column `{}`: {e}", field.name()))),
            None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
            None => Err(unparsable(name, &format!("the column `{}` is missing", field.name()))),
        })
        .collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns?, &rows).map_err(|e| unparsable(name, &e.to_string()))
}
