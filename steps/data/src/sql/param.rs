use std::sync::Arc;

use datafusion::{arrow::datatypes::DataType, scalar::ScalarValue};
use millwork_engine::{
    data::{Type, Value},
    model::Fault,
};

/// A value as a bind parameter.
pub(super) fn scalar(name: &str, value: &Value) -> Result<ScalarValue, Fault> {
    Ok(match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(b) => ScalarValue::Boolean(Some(*b)),
        Value::Int(i) => ScalarValue::Int64(Some(*i)),
        Value::Float(f) => ScalarValue::Float64(Some(*f)),
        Value::String(s) => ScalarValue::Utf8(Some(s.to_string())),
        Value::File(file) => ScalarValue::Utf8(Some(file.path.clone())),
        Value::Bytes(b) => ScalarValue::Binary(Some(b.to_vec())),
        Value::Date(d) => {
            let days = d.signed_duration_since(chrono::NaiveDate::default()).num_days();
            ScalarValue::Date32(i32::try_from(days).ok())
        }
        Value::Timestamp(t) => ScalarValue::TimestampMicrosecond(Some(t.timestamp_micros()), Some("UTC".into())),
        Value::Duration(d) => ScalarValue::DurationMicrosecond(d.num_microseconds()),
        Value::List(items) => {
            let items = items.iter().map(|item| scalar(name, item)).collect::<Result<Vec<_>, Fault>>()?;
            let element = items.iter().map(ScalarValue::data_type).find(|t| *t != DataType::Null);
            let element = element.unwrap_or(DataType::Null);
            let items: Result<Vec<_>, _> = items.iter().map(|item| item.cast_to(&element)).collect();
            let items = items.map_err(|e| {
                Fault::user("sql.param", format!("the parameter `{name}` is a list of different types: {e}"))
            })?;
            ScalarValue::List(ScalarValue::new_list_nullable(&items, &element))
        }
        Value::Map(_) | Value::Table(_) => {
            return Err(Fault::user("sql.param", format!("the parameter `{name}` is {}", Type::of(value)))
                .help("a parameter is a single value or a list of them; a table is given in `tables:`"));
        }
    })
}

/// A null of the type that a parameter will have, for planning; of no type where that is not known.
pub(super) fn stand_in(ty: &Type) -> ScalarValue {
    let known = match ty.required() {
        Type::List(element) => element.to_arrow().map(|element| {
            DataType::List(Arc::new(datafusion::arrow::datatypes::Field::new_list_field(element, true)))
        }),
        other => other.to_arrow(),
    };
    known.and_then(|ty| ScalarValue::try_from(&ty).ok()).unwrap_or(ScalarValue::Null)
}
