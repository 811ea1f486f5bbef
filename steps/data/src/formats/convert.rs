use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, StructArray, new_null_array},
    compute::{CastOptions, cast_with_options, kernels::cmp::distinct},
    datatypes::{DataType, FieldRef, Fields},
    error::ArrowError,
    util::display::array_value_to_string,
};

use super::{fault::tidy, texts, widen::sure};

/// Why a column cannot be had in another type.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// This value has no equal there.
    Value {
        /// Its place among the rows, from 0, where it is one of a row's own.
        row: Option<usize>,
        /// As text.
        value: String,
    },
    /// No value has.
    Type(String),
}

impl Misfit {
    /// The value of a row.
    pub(super) fn value(row: usize, value: &str) -> Self {
        const MOST: usize = 40;
        let mut value = value.to_owned();
        if let Some((end, _)) = value.char_indices().nth(MOST) {
            value.truncate(end);
            value.push('…');
        }
        Self::Value { row: Some(row), value }
    }

    fn of(error: &ArrowError) -> Self {
        Self::Type(tidy(&error.to_string()).to_owned())
    }

    /// The same of a value inside of a row's value.
    fn within(self) -> Self {
        match self {
            Self::Value { value, .. } => Self::Value { row: None, value },
            Self::Type(why) => Self::Type(why),
        }
    }
}

/// A column in another type, each value equal to what it was. With `numbers`, text is JSON's, where a time may be a
/// number.
pub(super) fn convert(column: &ArrayRef, to: &DataType, numbers: bool) -> Result<ArrayRef, Misfit> {
    match (column.data_type(), to) {
        (from, _) if from == to => Ok(column.clone()),
        (DataType::Null, _) => Ok(new_null_array(to, column.len())),
        (DataType::Struct(_), DataType::Struct(fields)) => object(column.as_struct(), fields, numbers),
        (DataType::List(_), DataType::List(field)) => list(column.as_list::<i32>(), field, numbers),
        (DataType::LargeList(_), DataType::LargeList(field)) => list(column.as_list::<i64>(), field, numbers),
        (DataType::Utf8, _) if texts::reads(to) => texts::read(column.as_string::<i32>(), to, numbers),
        _ => cast(column, to),
    }
}

fn object(column: &StructArray, fields: &Fields, numbers: bool) -> Result<ArrayRef, Misfit> {
    let parts = fields.iter().map(|field| match column.column_by_name(field.name()) {
        Some(part) => convert(part, field.data_type(), numbers),
        None => Ok(new_null_array(field.data_type(), column.len())),
    });
    let parts = parts.collect::<Result<Vec<_>, Misfit>>()?;
    let made = StructArray::try_new_with_length(fields.clone(), parts, column.nulls().cloned(), column.len());
    Ok(Arc::new(made.map_err(|e| Misfit::of(&e))?))
}

fn list<O: OffsetSizeTrait>(column: &GenericListArray<O>, field: &FieldRef, numbers: bool) -> Result<ArrayRef, Misfit> {
    let values = convert(column.values(), field.data_type(), numbers).map_err(Misfit::within)?;
    let offsets = column.offsets().clone();
    let made = GenericListArray::<O>::try_new(field.clone(), offsets, values, column.nulls().cloned());
    Ok(Arc::new(made.map_err(|e| Misfit::of(&e))?))
}

/// The library rounds and cuts without a word, so what may lose a value is converted back and compared.
fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, Misfit> {
    let from = column.data_type();
    if sure(from, to) || from.equals_datatype(to) {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        return cast_with_options(column, to, &strict).map_err(|e| Misfit::of(&e));
    }
    let lenient = CastOptions::default();
    let made = cast_with_options(column, to, &lenient).map_err(|e| Misfit::of(&e))?;
    let back = cast_with_options(&made, from, &lenient).map_err(|e| Misfit::of(&e))?;
    let other = distinct(&back, column).map_err(|e| Misfit::of(&e))?;
    match other.values().set_indices().next() {
        None => Ok(made),
        Some(row) => {
            let value = array_value_to_string(column, row).map_err(|e| Misfit::of(&e))?;
            Err(Misfit::value(row, &value))
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Decimal128Array, Float64Array, Int64Array, StringArray, TimestampNanosecondArray, UInt64Array},
        datatypes::{Field, TimeUnit},
    };

    use super::*;

    #[test]
    fn a_value_is_kept_or_is_a_misfit() {
        let int = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let decimal = |values: Vec<i128>| {
            let array = Decimal128Array::from(values).with_precision_and_scale(10, 2);
            Arc::new(array.expect("a decimal")) as ArrayRef
        };
        let float = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let nanos = |values: Vec<i64>| Arc::new(TimestampNanosecondArray::from(values)) as ArrayRef;
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (column, to, misfit) in [
            (int(vec![1, -2]), DataType::Float64, None),
            (int(vec![1, 9_007_199_254_740_993]), DataType::Float64, Some((1, "9007199254740993"))),
            (int(vec![70_000]), DataType::Int16, Some((0, "70000"))),
            (
                Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef,
                DataType::Int64,
                Some((0, "18446744073709551615")),
            ),
            (float(vec![1.0, 3.5]), DataType::Int64, Some((1, "3.5"))),
            (decimal(vec![300, 350]), DataType::Int64, Some((1, "3.50"))),
            (decimal(vec![310]), DataType::Float64, None),
            (nanos(vec![1_000]), micros.clone(), None),
            (nanos(vec![1_000, 1_001]), micros, Some((1, "1970-01-01T00:00:00.000001001"))),
        ] {
            let found = convert(&column, &to, false);
            match misfit {
                None => assert_eq!(found.expect("fits").data_type(), &to),
                Some((row, value)) => assert_eq!(found.expect_err("a misfit"), Misfit::value(row, value), "{to}"),
            }
        }
    }

    #[test]
    fn objects_are_converted_by_their_fields() {
        let text = Arc::new(StringArray::from(vec![Some("1"), None])) as ArrayRef;
        let object = StructArray::from(vec![(Arc::new(Field::new("a", DataType::Utf8, true)), text)]);
        let to = DataType::Struct(Fields::from(vec![
            Field::new("b", DataType::Boolean, true),
            Field::new("a", DataType::Int64, true),
        ]));
        let made = convert(&(Arc::new(object) as ArrayRef), &to, true).expect("fits");
        assert_eq!(made.data_type(), &to);
        assert_eq!((made.as_struct().column(0).null_count(), made.as_struct().column(1).null_count()), (2, 1));
    }
}
