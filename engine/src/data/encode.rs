//! Values as JSON for the log. What JSON has is written as JSON; the rest is an object with the one
//! key `$type` beside its value, and an object that has a key of that name is wrapped itself.

use std::{io::Cursor, sync::Arc};

use arrow::{
    datatypes::{Schema, SchemaRef},
    ipc,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use serde_json::{Map as JsonMap, Value as Json, json};

use super::{Scan, Table, TableForm, Value};
use crate::model::{ArtifactId, Fault};

const TAG: &str = "$type";

/// Encodes a value. A table that is only in memory has no encoding before it is kept: the fault
/// `value.not_durable` is a bug in the caller.
pub fn encode(value: &Value) -> Result<Json, Fault> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(i) => json!(i),
        Value::Float(f) if f.is_finite() => json!(f),
        Value::Float(f) => json!({TAG: "float", "value": f.to_string()}),
        Value::String(s) => json!(&**s),
        Value::Bytes(b) => json!({TAG: "bytes", "value": BASE64_STANDARD.encode(b)}),
        Value::Date(d) => json!({TAG: "date", "value": d.to_string()}),
        Value::Timestamp(t) => json!({TAG: "timestamp", "value": t.to_rfc3339()}),
        Value::Duration(d) => json!({TAG: "duration", "value": d.num_microseconds()}),
        Value::List(items) => Json::Array(items.iter().map(encode).collect::<Result<_, _>>()?),
        Value::Map(entries) => {
            let object = entries.iter().map(|(k, v)| Ok((k.to_string(), encode(v)?)));
            let object: JsonMap<String, Json> = object.collect::<Result<_, Fault>>()?;
            if object.contains_key(TAG) { json!({TAG: "map", "value": object}) } else { Json::Object(object) }
        }
        Value::Table(table) => encode_table(table)?,
        Value::File(file) => json!({TAG: "file", "value": &**file}),
    })
}

fn encode_table(table: &Table) -> Result<Json, Fault> {
    let form = match &table.form {
        TableForm::Scan(scan) => json!({"scan": &**scan}),
        TableForm::Kept(artifact) => json!({"kept": artifact}),
        TableForm::Batches(batches) if batches.iter().all(|b| b.num_rows() == 0) => json!("empty"),
        TableForm::Batches(_) => {
            return Err(Fault::internal("value.not_durable", "a table in memory was recorded before it was kept"));
        }
    };
    Ok(json!({TAG: "table", "schema": encode_schema(&table.schema)?, "rows": table.rows, "form": form}))
}

/// Decodes what [`encode`] wrote. Anything else is the fault `value.unreadable`.
pub fn decode(json: &Json) -> Result<Value, Fault> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Value::Int(i),
            None => Value::Float(n.as_f64().ok_or_else(|| unreadable("a number"))?),
        },
        Json::String(s) => Value::from(s.as_str()),
        Json::Array(items) => Value::List(Arc::new(items.iter().map(decode).collect::<Result<_, _>>()?)),
        Json::Object(object) => match object.get(TAG) {
            None => decode_map(object)?,
            Some(tag) => decode_tagged(tag.as_str().unwrap_or_default(), object)?,
        },
    })
}

/// A value of JSON from outside, in which nothing is read as more than JSON has: no file, no table.
pub fn from_plain(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::NAN)), Value::Int),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(from_plain)),
        Json::Object(object) => Value::map(object.iter().map(|(key, value)| (key.as_str(), from_plain(value)))),
    }
}

fn decode_map(object: &JsonMap<String, Json>) -> Result<Value, Fault> {
    let entries = object.iter().map(|(k, v)| Ok((Arc::from(k.as_str()), decode(v)?)));
    Ok(Value::Map(Arc::new(entries.collect::<Result<_, Fault>>()?)))
}

fn decode_tagged(tag: &str, object: &JsonMap<String, Json>) -> Result<Value, Fault> {
    let inner = object.get("value").unwrap_or(&Json::Null);
    let text = || inner.as_str().ok_or_else(|| unreadable(tag));
    Ok(match tag {
        "float" => Value::Float(text()?.parse().map_err(|_| unreadable(tag))?),
        "bytes" => Value::Bytes(BASE64_STANDARD.decode(text()?).map_err(|_| unreadable(tag))?.into()),
        "date" => Value::Date(text()?.parse().map_err(|_| unreadable(tag))?),
        "timestamp" => Value::Timestamp(text()?.parse().map_err(|_| unreadable(tag))?),
        "duration" => Value::Duration(TimeDelta::microseconds(inner.as_i64().ok_or_else(|| unreadable(tag))?)),
        "map" => decode_map(inner.as_object().ok_or_else(|| unreadable(tag))?)?,
        "file" => Value::File(Arc::new(serde_json::from_value(inner.clone()).map_err(|_| unreadable(tag))?)),
        "table" => Value::Table(decode_table(object)?),
        other => return Err(unreadable(other)),
    })
}

fn decode_table(object: &JsonMap<String, Json>) -> Result<Table, Fault> {
    let schema = decode_schema(object.get("schema").and_then(Json::as_str).ok_or_else(|| unreadable("table"))?)?;
    let rows = object.get("rows").and_then(Json::as_u64);
    let form = object.get("form").ok_or_else(|| unreadable("table"))?;
    let form = if let Some(scan) = form.get("scan") {
        let scan: Scan = serde_json::from_value(scan.clone()).map_err(|_| unreadable("scan"))?;
        TableForm::Scan(Arc::new(scan))
    } else if let Some(kept) = form.get("kept") {
        let id: ArtifactId = serde_json::from_value(kept.clone()).map_err(|_| unreadable("artifact"))?;
        TableForm::Kept(id)
    } else {
        TableForm::Batches(Arc::new(Vec::new()))
    };
    Ok(Table { schema, rows, form })
}

/// A schema as base64 of an Arrow IPC stream without batches: what every Arrow reader understands.
fn encode_schema(schema: &SchemaRef) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    let writer = ipc::writer::StreamWriter::try_new(&mut bytes, schema);
    writer
        .and_then(|mut w| w.finish())
        .map_err(|e| Fault::internal("value.unwritable", format!("a schema cannot be written: {e}")))?;
    Ok(BASE64_STANDARD.encode(bytes))
}

fn decode_schema(text: &str) -> Result<SchemaRef, Fault> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| unreadable("schema"))?;
    let reader = ipc::reader::StreamReader::try_new(Cursor::new(bytes), None).map_err(|_| unreadable("schema"))?;
    let schema: &Schema = &reader.schema();
    Ok(Arc::new(schema.clone()))
}

fn unreadable(what: &str) -> Fault {
    Fault::internal("value.unreadable", format!("a recorded value cannot be read: {what}"))
}

/// A value as people and other programs expect it in JSON: dates and times as text, durations as
/// ISO 8601 text, tables and files as short descriptions. Not reversible.
pub fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(i) => json!(i),
        Value::Float(f) => serde_json::Number::from_f64(*f).map_or_else(|| json!(f.to_string()), Json::Number),
        Value::String(s) => json!(&**s),
        Value::Bytes(b) => json!(BASE64_STANDARD.encode(b)),
        Value::Date(d) => json!(d.to_string()),
        Value::Timestamp(t) => json!(t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        Value::Duration(d) => json!(d.to_string()),
        Value::List(items) => Json::Array(items.iter().map(plain).collect()),
        Value::Map(entries) => Json::Object(entries.iter().map(|(k, v)| (k.to_string(), plain(v))).collect()),
        Value::Table(table) => {
            json!({"rows": table.rows, "columns": table.schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>()})
        }
        Value::File(file) => json!({"path": file.path, "bytes": file.bytes}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field};

    #[test]
    fn every_value_survives() {
        let schema = Arc::new(Schema::new(vec![Field::new("Été", DataType::Int32, true)]));
        let kept = Table {
            schema: schema.clone(),
            rows: Some(7),
            form: TableForm::Kept(ArtifactId(crate::model::Digest::of(b"x"))),
        };
        let values = [
            Value::Null,
            Value::Int(i64::MIN),
            Value::Float(0.1),
            Value::Float(f64::NEG_INFINITY),
            Value::Bytes(b"\0\xff".as_slice().into()),
            Value::Date(chrono::NaiveDate::from_ymd_opt(2013, 1, 9).expect("a day")),
            Value::Timestamp(chrono::DateTime::from_timestamp_micros(1_234_567).expect("a time")),
            Value::Duration(TimeDelta::microseconds(-5)),
            Value::list([Value::Int(1), Value::from("two")]),
            Value::map([("$type", Value::from("float")), ("b", Value::Null)]),
            Value::Table(kept),
            Value::Table(Table::empty(schema)),
        ];
        for value in values {
            let json = encode(&value).expect("encodes");
            let back = decode(&serde_json::from_str(&json.to_string()).expect("JSON")).expect("decodes");
            assert_eq!(format!("{back:?}"), format!("{value:?}"));
        }
    }

    #[test]
    fn what_was_not_written_by_encode_is_a_fault() {
        for bad in
            [json!({TAG: "date", "value": "soon"}), json!({TAG: 7}), json!({TAG: "table"}), json!({TAG: "duration"})]
        {
            assert_eq!(decode(&bad).expect_err("a fault").code.as_str(), "value.unreadable");
        }
    }
}
