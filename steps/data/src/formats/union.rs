use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use indexmap::IndexMap;
use millwork_engine::{data::Type, model::Fault};

use super::{
    Format,
    fault::unfit,
    widen::{sure, widen},
};

/// The columns of several files by name, in the order in which they first appear.
#[derive(Debug)]
pub(crate) struct Union {
    format: Format,
    columns: IndexMap<String, Column>,
}

#[derive(Debug)]
struct Column {
    ty: DataType,
    /// The file that made it so.
    file: String,
}

impl Union {
    /// Of no file yet.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, columns: IndexMap::new() }
    }

    /// Adds the columns of a file. The fault says which do not fit those of the files before.
    pub(crate) fn add(&mut self, file: &str, schema: &Schema) -> Result<(), Fault> {
        once(self.format, file, schema.fields().iter().map(|field| field.name().as_str()), |_| true)?;
        for field in schema.fields() {
            let Some(column) = self.columns.get_mut(field.name()) else {
                let column = Column { ty: field.data_type().clone(), file: file.to_owned() };
                self.columns.insert(field.name().clone(), column);
                continue;
            };
            let Some(wider) = widen(&column.ty, field.data_type()) else {
                return Err(conflict(self.format, field.name(), column, field.data_type(), file));
            };
            if wider != column.ty {
                *column = Column { ty: wider, file: file.to_owned() };
            }
        }
        Ok(())
    }

    /// The columns of all; any may be null. One without a value in a text is text.
    pub(crate) fn schema(self) -> SchemaRef {
        let fields = self.columns.into_iter().map(|(name, column)| match column.ty {
            DataType::Null => Field::new(name, DataType::Utf8, true),
            ty => Field::new(name, ty, true),
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// Whether every value of a file with these columns is surely one of the table's, so that none has to be looked at.
pub(crate) fn surely(file: &Schema, table: &Schema) -> bool {
    let of = |field: &Field| file.field_with_name(field.name()).ok().map(Field::data_type);
    table.fields().iter().all(|field| of(field).is_none_or(|from| sure(from, field.data_type())))
}

/// That no two columns have a name that is `wanted`.
pub(crate) fn once<'a>(
    format: Format,
    file: &str,
    names: impl Iterator<Item = &'a str>,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    let mut seen: IndexMap<&str, usize> = IndexMap::new();
    for (at, name) in (1..).zip(names).filter(|(_, name)| wanted(name)) {
        let Some(first) = seen.insert(name, at) else { continue };
        let message = if name.is_empty() {
            format!("{file}: columns {first} and {at} have no name")
        } else {
            format!("{file}: columns {first} and {at} are both called `{name}`")
        };
        let help = if format == Format::Csv {
            "give each column a name of its own in the header, or name those you need, with their types, in `schema:`"
        } else {
            "write the file again, each column with a name of its own"
        };
        return Err(unfit(message).help(help));
    }
    Ok(())
}

fn conflict(format: Format, name: &str, column: &Column, found: &DataType, file: &str) -> Fault {
    let (mut before, mut now) = (Type::from_arrow(&column.ty).to_string(), Type::from_arrow(found).to_string());
    if before == now || column.ty.is_nested() || [&before, &now].contains(&&Type::Any.to_string()) {
        (before, now) = (column.ty.to_string(), found.to_string());
    }
    let fault = unfit(format!("the column `{name}` is {before} in {}, and {now} in {file}", column.file));
    fault.help(if format.is_text() {
        "say the columns and their types with `schema:`, or mend one of the files"
    } else {
        "mend one of the files, or read them in two steps, cast the column in one, and put them together in SQL"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: &[(&str, DataType)]) -> Schema {
        Schema::new(fields.iter().map(|(name, ty)| Field::new(*name, ty.clone(), false)).collect::<Vec<_>>())
    }

    #[test]
    fn columns_come_by_name_in_the_order_of_first_appearance() {
        let mut union = Union::new(Format::Csv);
        union
            .add("`1`", &schema(&[("b", DataType::Int64), ("a", DataType::Null), ("z", DataType::Null)]))
            .expect("one");
        union.add("`2`", &schema(&[("c", DataType::Date32), ("a", DataType::Utf8)])).expect("two");
        union.add("`3`", &schema(&[("b", DataType::Float64)])).expect("three");
        let found = union.schema();
        let shown: Vec<_> = found.fields().iter().map(|f| (f.name().as_str(), f.data_type().clone())).collect();
        let expected =
            [("b", DataType::Float64), ("a", DataType::Utf8), ("z", DataType::Utf8), ("c", DataType::Date32)];
        assert_eq!(shown, expected);
        assert!(found.fields().iter().all(|field| field.is_nullable()));
    }

    #[test]
    fn a_conflict_names_both_files_and_types() {
        let mut union = Union::new(Format::Parquet);
        union.add("`1`", &schema(&[("a", DataType::Int64)])).expect("one");
        union.add("`2`", &schema(&[("a", DataType::Float64)])).expect("two");
        let fault = union.add("`3`", &schema(&[("a", DataType::Utf8)])).expect_err("a conflict");
        assert_eq!(fault.code.as_str(), "table.schema");
        assert_eq!(fault.message, "the column `a` is float in `2`, and string in `3`");
        let mut union = Union::new(Format::Parquet);
        union.add("`1`", &schema(&[("a", DataType::Int64)])).expect("one");
        let fault = union.add("`2`", &schema(&[("a", DataType::UInt64)])).expect_err("a conflict");
        assert_eq!(fault.message, "the column `a` is Int64 in `1`, and UInt64 in `2`");
    }

    #[test]
    fn two_columns_of_one_name_are_a_fault_if_they_are_wanted() {
        let names = || ["a", "b", "a", "", ""].into_iter();
        let all = once(Format::Csv, "`f`", names(), |_| true).expect_err("twice");
        assert_eq!(all.message, "`f`: columns 1 and 3 are both called `a`");
        let unnamed = once(Format::Csv, "`f`", names(), |name| name.is_empty()).expect_err("twice");
        assert_eq!(unnamed.message, "`f`: columns 4 and 5 have no name");
        assert!(once(Format::Csv, "`f`", names(), |name| name == "b").is_ok());
    }

    #[test]
    fn a_lacking_column_is_sure_and_a_narrower_one_is() {
        let table = schema(&[("a", DataType::Float64), ("b", DataType::Utf8)]);
        assert!(surely(&schema(&[("a", DataType::Int32)]), &table));
        assert!(!surely(&schema(&[("a", DataType::Int64)]), &table));
    }
}
