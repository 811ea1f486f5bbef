use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Float64Type, Int64Type, TimeUnit},
    util::display::{ArrayFormatter, FormatOptions},
};
use millwork_engine::model::Fault;

use super::number::{digits_of, fixed, shown};

/// A column as a chart takes it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// A number for each row; times in microseconds.
    pub(super) numbers: Vec<Option<f64>>,
    /// Words for each row.
    pub(super) words: Vec<String>,
    pub(super) kind: Kind,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Time,
    Words,
}

/// What the values of a type are.
pub(super) fn kind_of(ty: &DataType) -> Kind {
    match ty {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Kind::Time,
        t if t.is_numeric() => Kind::Number,
        _ => Kind::Words,
    }
}

/// The column of a name, over all batches.
pub(super) fn column(batches: &[RecordBatch], name: &str) -> Result<Column, Fault> {
    let mut all = Column { numbers: Vec::new(), words: Vec::new(), kind: Kind::Words };
    for batch in batches {
        let array = batch
            .column_by_name(name)
            .ok_or_else(|| Fault::user("table.column", format!("the table has no column `{name}`")))?;
        all.kind = kind_of(array.data_type());
        all.numbers.extend(numbers(array, all.kind));
        all.words.extend(words(array)?);
    }
    Ok(all)
}

fn numbers(array: &ArrayRef, kind: Kind) -> Vec<Option<f64>> {
    let nothing = || vec![None; array.len()];
    match kind {
        Kind::Words => nothing(),
        Kind::Number => match cast(array, &DataType::Float64) {
            Ok(cast) => cast.as_primitive::<Float64Type>().iter().map(|v| v.filter(|v| v.is_finite())).collect(),
            Err(_) => nothing(),
        },
        Kind::Time => {
            let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None));
            match micros.and_then(|micros| cast(&micros, &DataType::Int64)) {
                Ok(cast) => cast.as_primitive::<Int64Type>().iter().map(|v| v.map(|v| v as f64)).collect(),
                Err(_) => nothing(),
            }
        }
    }
}

/// Values as people read them: numbers of a column with the same digits, unless they are of different
/// orders; thousands apart where there are ten of them, so that a year stays a year.
pub(super) fn cells(array: &ArrayRef) -> Result<Vec<String>, Fault> {
    if kind_of(array.data_type()) != Kind::Number {
        return words(array);
    }
    let values = numbers(array, Kind::Number);
    let sizes = || values.iter().flatten().map(|value| value.abs()).filter(|size| *size > 0.0);
    let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    let digits = digits_of(values.iter().flatten().copied());
    let whole = digits == 0 && array.data_type().is_integer();
    if whole && most < 10_000.0 {
        return words(array);
    }
    let mixed = !whole && most >= 1000.0 && least < 100.0;
    let shown = |value: f64| if mixed { shown(value) } else { fixed(value, digits) };
    Ok(values.into_iter().map(|value| value.map_or_else(|| "–".to_owned(), shown)).collect())
}

/// Each value in words.
pub(super) fn words(array: &ArrayRef) -> Result<Vec<String>, Fault> {
    if array.data_type().is_floating() {
        let cast = numbers(array, Kind::Number);
        return Ok(cast.into_iter().map(|v| v.map_or_else(|| "–".to_owned(), shown)).collect());
    }
    let options = FormatOptions::default().with_null("–").with_display_error(true);
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)
        .map_err(|e| Fault::user("report.value", format!("a column cannot be shown: {e}")))?;
    Ok((0..array.len()).map(|row| formatter.value(row).to_string()).collect())
}
