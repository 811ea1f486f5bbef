//! Values as text, with limits.

use std::fmt::Write as _;

use super::{
    functions::{MAX_TEXT, Problem, because, check_length},
    ops::kind,
};
use crate::data::Value;

/// Deeper values are not written.
const MAX_DEPTH: u32 = 128;

/// A value as it stands in text around `${{ }}`. Null, tables and bytes have no such form.
pub(super) fn write_text(out: &mut String, value: &Value) -> Result<(), Problem> {
    match value {
        Value::String(text) => {
            check_length(out.len().saturating_add(text.len()))?;
            out.push_str(text);
        }
        Value::File(file) => out.push_str(&file.path),
        Value::Null => return Err(because("expr.null", "null has no text: give a value in its place with `??`")),
        Value::Table(_) | Value::Bytes(_) => {
            return Err(because("expr.type", format!("a value of type {} cannot stand in text", kind(value))));
        }
        Value::List(_) | Value::Map(_) => write_json(out, value)?,
        scalar => write_scalar(out, scalar),
    }
    check_length(out.len())
}

// Writing to a String cannot fail.
fn write_scalar(out: &mut String, value: &Value) {
    let _ = match value {
        Value::Bool(b) => write!(out, "{b}"),
        Value::Int(i) => write!(out, "{i}"),
        // Debug keeps `.0`, so that the text is read as a float again.
        Value::Float(f) => write!(out, "{f:?}"),
        Value::Date(d) => write!(out, "{d}"),
        Value::Timestamp(t) => write!(out, "{}", t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        Value::Duration(d) => write!(out, "{d}"),
        other => write!(out, "{}", kind(other)),
    };
}

/// A value as JSON on one line: dates, times, durations and bytes as text, tables and files as short
/// descriptions, as [`plain`](crate::data::plain) has them, with limits of size and depth.
pub(super) fn write_json(out: &mut String, value: &Value) -> Result<(), Problem> {
    json(out, value, 0)
}

fn json(out: &mut String, value: &Value, depth: u32) -> Result<(), Problem> {
    if depth > MAX_DEPTH {
        return Err(because("expr.too_large", format!("the value nests more than {MAX_DEPTH} deep")));
    }
    if out.len() > MAX_TEXT {
        check_length(out.len())?;
    }
    match value {
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                json(out, item, depth + 1)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, (key, item)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                quote(out, key);
                out.push(':');
                json(out, item, depth + 1)?;
            }
            out.push('}');
        }
        Value::String(text) => {
            check_length(out.len().saturating_add(text.len()))?;
            quote(out, text);
        }
        Value::Null => out.push_str("null"),
        Value::Bool(_) | Value::Int(_) => write_scalar(out, value),
        Value::Float(f) if f.is_finite() => write_scalar(out, value),
        Value::Float(_) | Value::Date(_) | Value::Timestamp(_) | Value::Duration(_) => {
            out.push('"');
            write_scalar(out, value);
            out.push('"');
        }
        Value::Bytes(bytes) => {
            check_length(out.len().saturating_add(bytes.len()))?;
            let _ = write!(out, "{}", crate::data::plain(value));
        }
        Value::Table(_) | Value::File(_) => {
            let _ = write!(out, "{}", crate::data::plain(value));
        }
    }
    check_length(out.len())
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (i, b) in text.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&text[plain..i]);
        plain = i + 1;
        let _ = match b {
            b'"' => out.write_str("\\\""),
            b'\\' => out.write_str("\\\\"),
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\t' => out.write_str("\\t"),
            other => write!(out, "\\u{other:04x}"),
        };
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_plain_gives() {
        let value = Value::map([
            ("a\"\n\u{1}é", Value::list([Value::Null, Value::Int(-3), Value::Float(1.0), Value::Float(1e300)])),
            ("nan", Value::Float(f64::INFINITY)),
            ("d", Value::Date(chrono::NaiveDate::from_ymd_opt(2024, 1, 2).expect("a day"))),
            ("t", Value::Duration(chrono::TimeDelta::seconds(90))),
            ("b", Value::Bytes(b"\0".as_slice().into())),
        ]);
        let mut out = String::new();
        write_json(&mut out, &value).expect("writes");
        let read: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(read, crate::data::plain(&value));
    }

    #[test]
    fn shared_values_do_not_grow_without_end() {
        let mut value = Value::from("x".repeat(1000));
        for _ in 0..40 {
            value = Value::list([value.clone(), value]);
        }
        assert!(write_json(&mut String::new(), &value).is_err());
    }
}
