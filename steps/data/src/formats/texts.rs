use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveBuilder, StringArray, timezone::Tz},
    compute::kernels::cast_utils::{Parser, string_to_datetime},
    datatypes::{
        DataType, Date32Type, DurationMicrosecondType, Field, Float64Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    },
};
use chrono::{Timelike, Utc};

use super::convert::Misfit;

/// Whole numbers below this have a float each.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Types that are read here, from their text: the library's readers take the nearest value where a text has none of
/// its own, such as 3 for `3.5`.
pub(super) fn reads(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int64
            | DataType::Float64
            | DataType::Date32
            | DataType::Timestamp(..)
            | DataType::Duration(TimeUnit::Microsecond)
    )
}

/// The type to ask the library's reader for: text, where it is not strict. Its reader of csv is with whole numbers.
pub(super) fn asked(ty: &DataType, json: bool) -> DataType {
    let part = |field: &Field| field.clone().with_data_type(asked(field.data_type(), json));
    match ty {
        DataType::List(field) => DataType::List(Arc::new(part(field))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| part(field)).collect()),
        DataType::Int64 | DataType::Duration(_) if !json => ty.clone(),
        _ if reads(ty) => DataType::Utf8,
        _ => ty.clone(),
    }
}

/// The values of texts. With `numbers`, a time may be a number, as JSON has it.
pub(super) fn read(column: &StringArray, to: &DataType, numbers: bool) -> Result<ArrayRef, Misfit> {
    match to {
        DataType::Int64 => all::<Int64Type>(column, to, int),
        DataType::Duration(TimeUnit::Microsecond) => all::<DurationMicrosecondType>(column, to, int),
        DataType::Float64 => all::<Float64Type>(column, to, float),
        DataType::Date32 => all::<Date32Type>(column, to, |text| day(text, numbers)),
        DataType::Timestamp(unit, zone) => {
            let zone: Result<Tz, _> = zone.as_deref().unwrap_or("+00:00").parse();
            let zone = zone.map_err(|e| Misfit::Type(e.to_string()))?;
            let moment = |text: &str| moment(text, zone, *unit, numbers);
            match unit {
                TimeUnit::Second => all::<TimestampSecondType>(column, to, moment),
                TimeUnit::Millisecond => all::<TimestampMillisecondType>(column, to, moment),
                TimeUnit::Microsecond => all::<TimestampMicrosecondType>(column, to, moment),
                TimeUnit::Nanosecond => all::<TimestampNanosecondType>(column, to, moment),
            }
        }
        other => Err(Misfit::Type(format!("text is not read as {other}"))),
    }
}

fn all<T: ArrowPrimitiveType>(
    column: &StringArray,
    to: &DataType,
    value: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef, Misfit> {
    let mut values = PrimitiveBuilder::<T>::with_capacity(column.len()).with_data_type(to.clone());
    for (row, text) in column.iter().enumerate() {
        match text {
            None => values.append_null(),
            Some(text) => values.append_value(value(text).ok_or_else(|| Misfit::value(row, text))?),
        }
    }
    Ok(Arc::new(values.finish()))
}

/// A whole number, however it is written: `2.0` and `1e3` are.
fn int(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(int) = text.parse() {
        return Some(int);
    }
    let float: f64 = text.parse().ok()?;
    (float.fract() == 0.0 && float.abs() < EXACT).then_some(float as i64)
}

/// A float, near to what is written as a fraction, and equal to what is written as a whole number.
fn float(text: &str) -> Option<f64> {
    let float = Float64Type::parse(text)?;
    if float.abs() < EXACT {
        return Some(float);
    }
    match text.trim().parse::<i128>() {
        Ok(int) => (float as i128 == int).then_some(float),
        // With a fraction or an exponent, or far too long.
        Err(_) => text.contains(['.', 'e', 'E', 'n', 'N']).then_some(float),
    }
}

/// A day; of the moments, only a midnight is one.
fn day(text: &str, numbers: bool) -> Option<i32> {
    let Some(days) = Date32Type::parse(text) else {
        return if numbers { text.parse().ok() } else { None };
    };
    if text.len() > "2013-01-01".len() && !text.starts_with(['+', '-']) {
        let moment = string_to_datetime(&Utc, text).ok()?;
        if moment.num_seconds_from_midnight() != 0 || moment.nanosecond() != 0 {
            return None;
        }
    }
    Some(days)
}

/// A moment in units since 1970, none of its digits lost.
fn moment(text: &str, zone: Tz, unit: TimeUnit, numbers: bool) -> Option<i64> {
    if numbers && let Ok(units) = text.parse() {
        return Some(units);
    }
    let moment = string_to_datetime(&zone, text).ok()?;
    let (each, nanos) = (nanos(unit), i64::from(moment.timestamp_subsec_nanos()));
    if nanos % each != 0 {
        return None;
    }
    moment.timestamp().checked_mul(nanos_of_second() / each)?.checked_add(nanos / each)
}

fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

fn nanos_of_second() -> i64 {
    nanos(TimeUnit::Second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_own_value_or_none() {
        for (text, expected) in
            [("5", Some(5)), (" -7", Some(-7)), ("2.0", Some(2)), ("1e3", Some(1000)), ("3.5", None), ("x", None)]
        {
            assert_eq!(int(text), expected, "{text}");
        }
        assert_eq!(int("9223372036854775807"), Some(i64::MAX));
        assert_eq!(int("9223372036854775808"), None);
        for (text, expected) in [
            ("0.1", Some(0.1)),
            ("9007199254740992", Some(EXACT)),
            ("9007199254740993", None),
            ("-9007199254740993", None),
            ("18014398509481984", Some(18_014_398_509_481_984.0)),
            ("123456789012345678901234567890123456789012345678901234567890", None),
            ("1e300", Some(1e300)),
            ("inf", Some(f64::INFINITY)),
            ("x", None),
        ] {
            assert_eq!(float(text), expected, "{text}");
        }
    }

    #[test]
    fn a_time_is_not_cut() {
        for (text, expected) in [
            ("1970-01-03", Some(2)),
            ("1970-01-03T00:00:00", Some(2)),
            ("1970-01-03 10:00:00", None),
            ("1970-01-03T00:00:00.5Z", None),
            ("x", None),
        ] {
            assert_eq!(day(text, false), expected, "{text}");
        }
        assert_eq!((day("12", true), day("12", false)), (Some(12), None));
        let zone: Tz = "+00:00".parse().expect("a zone");
        for (text, unit, expected) in [
            ("1970-01-01T00:00:01.5", TimeUnit::Millisecond, Some(1_500)),
            ("1970-01-01T00:00:01.5", TimeUnit::Second, None),
            ("1969-12-31T23:59:59.5", TimeUnit::Millisecond, Some(-500)),
            ("1970-01-01", TimeUnit::Microsecond, Some(0)),
            ("0001-01-01", TimeUnit::Microsecond, Some(-62_135_596_800_000_000)),
            ("0001-01-01", TimeUnit::Nanosecond, None),
            ("1970-01-01T00:00:00.000000001", TimeUnit::Microsecond, None),
        ] {
            assert_eq!(moment(text, zone, unit, false), expected, "{text} {unit}");
        }
        assert_eq!(moment("7", zone, TimeUnit::Microsecond, true), Some(7));
    }
}
