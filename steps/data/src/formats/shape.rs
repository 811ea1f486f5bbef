use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array},
    datatypes::{DataType, SchemaRef},
};
use millwork_engine::{data::Type, model::Fault};

use super::{
    convert::{Misfit, convert},
    fault::{tidy, unfit},
};

/// Why a batch cannot have the columns wanted.
#[derive(Debug)]
pub(super) struct Unfit {
    column: String,
    to: DataType,
    misfit: Misfit,
}

/// The columns of `schema`, by name, from a batch of a file: other types are converted, a value that has no equal in
/// the other type is a fault, a column that the file lacks is null.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef, name: &str) -> Result<RecordBatch, Fault> {
    fit(batch, schema, false).map_err(|unfit| unfit.fault(name, None, false))
}

/// As [`conform`] does it. With `numbers`, texts are JSON's, where a time may be a number.
pub(super) fn fit(batch: &RecordBatch, schema: &SchemaRef, numbers: bool) -> Result<RecordBatch, Unfit> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let columns = schema.fields().iter().map(|field| {
        let to = field.data_type();
        let unfit = |misfit| Unfit { column: field.name().clone(), to: to.clone(), misfit };
        match batch.column_by_name(field.name()) {
            Some(column) => convert(column, to, numbers).map_err(unfit),
            None if field.is_nullable() => Ok(new_null_array(to, batch.num_rows())),
            None => Err(unfit(Misfit::Type("it is missing".to_owned()))),
        }
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, Unfit>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &rows).map_err(|e| Unfit {
        column: schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", "),
        to: DataType::Null,
        misfit: Misfit::Type(tidy(&e.to_string()).to_owned()),
    })
}

impl Unfit {
    /// As a fault of the file `name`, after so many rows of it, if that is known.
    pub(super) fn fault(&self, name: &str, before: Option<u64>, text: bool) -> Fault {
        let Self { column, to, misfit } = self;
        let ty = Type::from_arrow(to);
        match misfit {
            Misfit::Value { row, value } => {
                let row = match (before, row) {
                    (Some(before), Some(row)) => format!(", row {}", before + *row as u64 + 1),
                    _ => String::new(),
                };
                unfit(format!(
                    "{name}{row}: the column `{column}` is {ty}, and no {ty} is equal to the value `{value}`"
                ))
                .help(remedy(column, &ty, value, text))
            }
            Misfit::Type(why) => unfit(format!("{name}: the column `{column}` cannot be had as {ty}: {why}"))
                .help("mend the file, or say in `schema:` which columns it has"),
        }
    }
}

fn remedy(column: &str, ty: &Type, value: &str, text: bool) -> String {
    if !text {
        return format!(
            "write the files again with one type for `{column}`, or read them in two steps and cast in SQL"
        );
    }
    let other = match ty {
        Type::Int if value.parse::<f64>().is_ok() => "float",
        Type::Date if value.contains(':') => "timestamp",
        _ => "string",
    };
    format!("if its type was guessed or promised wrong, say `{column}: {other}` in `schema:`; or mend the file")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{Array, Float64Array},
        datatypes::{Field, Schema},
    };

    use super::*;

    fn batch(values: Vec<f64>) -> RecordBatch {
        RecordBatch::try_from_iter([("a", Arc::new(Float64Array::from(values)) as ArrayRef)]).expect("a batch")
    }

    #[test]
    fn a_value_that_would_be_cut_is_a_fault_with_its_place() {
        let schema: SchemaRef =
            Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]));
        let whole = conform(&batch(vec![1.0, 3.0]), &schema, "`f`").expect("fits");
        assert_eq!((whole.schema(), whole.column(1).null_count()), (schema.clone(), 2));
        let cut = fit(&batch(vec![1.0, 3.5]), &schema, false).expect_err("cut").fault("`f`", Some(10), true);
        assert_eq!(cut.code.as_str(), "table.schema");
        assert_eq!(cut.message, "`f`, row 12: the column `a` is int, and no int is equal to the value `3.5`");
        assert!(cut.help.is_some_and(|help| help.contains("`a: float`")));
    }

    #[test]
    fn a_column_that_must_be_there_is_missed() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("z", DataType::Int64, false)]));
        let missed = conform(&batch(vec![1.0]), &schema, "`f`").expect_err("missing");
        assert_eq!(missed.message, "`f`: the column `z` cannot be had as int: it is missing");
    }
}
