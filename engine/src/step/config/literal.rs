use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::units::unit_mismatch;
use crate::{
    data::{Type, Value},
    diag::{Code, Diagnostic, Span},
    model::units::parse_duration,
};

/// Why a literal is not of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What to write instead.
    pub suggestion: Option<String>,
}

impl Mismatch {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, suggestion: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn suggest(mut self, text: impl Into<String>) -> Self {
        self.suggestion = Some(text.into());
        self
    }

    /// The problem at a place.
    pub fn at(self, span: Span) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(Code::BadLiteral, span, self.message);
        if let Some(help) = self.help {
            diagnostic = diagnostic.help(help);
        }
        match self.suggestion {
            Some(text) => diagnostic.suggest(text),
            None => diagnostic,
        }
    }
}

/// A literal as a value of a type: texts become dates, timestamps and durations where the type asks
/// for them, integers floats, timestamps dates; nothing else is converted. Also for values given to a
/// run as inputs, and for evaluated defaults.
pub fn convert(value: Value, ty: &Type) -> Result<Value, Mismatch> {
    match (ty, value) {
        (Type::Any, value) => Ok(value),
        (Type::Optional(_) | Type::Null, Value::Null) => Ok(Value::Null),
        (Type::Optional(inner), value) => convert(value, inner),
        (Type::Float, Value::Int(i)) => Ok(Value::Float(i as f64)),
        (Type::Date, Value::String(text)) => date(&text),
        // The day in UTC, for `run.interval.start` where a date is asked for.
        (Type::Date, Value::Timestamp(at)) => Ok(Value::Date(at.date_naive())),
        (Type::Timestamp, Value::String(text)) => timestamp(&text),
        (Type::Duration, Value::String(text)) => duration(&text),
        (Type::Duration, Value::Int(i)) => duration(&i.to_string()),
        (Type::Duration, Value::Float(f)) => duration(&f.to_string()),
        (Type::Bytes, Value::String(text)) => Ok(Value::Bytes(text.as_bytes().into())),
        (Type::List(element), Value::List(items)) => {
            let items = items.iter().map(|item| convert(item.clone(), element));
            Ok(Value::List(Arc::new(items.collect::<Result<_, _>>()?)))
        }
        (Type::Map(inner), Value::Map(entries)) => {
            let entries = entries.iter().map(|(k, v)| Ok((k.clone(), convert(v.clone(), inner)?)));
            Ok(Value::Map(Arc::new(entries.collect::<Result<_, Mismatch>>()?)))
        }
        (Type::Object(object), Value::Map(entries)) => {
            let absent = object.fields.iter().find(|(name, ty)| !ty.allows_null() && !entries.contains_key(*name));
            if let Some((name, ty)) = absent {
                return Err(Mismatch::new(format!("the field `{name}` ({ty}) is missing")));
            }
            let entries = entries
                .iter()
                .map(|(k, v)| Ok((k.clone(), convert(v.clone(), object.fields.get(k).unwrap_or(&Type::Any))?)));
            Ok(Value::Map(Arc::new(entries.collect::<Result<_, Mismatch>>()?)))
        }
        (expected, value) => {
            let found = Type::of(&value);
            if found.fits(expected) { Ok(value) } else { Err(mismatch(&value, &found, expected)) }
        }
    }
}

fn mismatch(value: &Value, found: &Type, expected: &Type) -> Mismatch {
    let mismatch = Mismatch::new(format!("expected {expected}, found {found}"));
    match (expected, value) {
        (Type::String, Value::Int(_) | Value::Bool(_)) => {
            mismatch.suggest(format!("\"{value}\"")).help("write it in quotes to make it text")
        }
        (Type::String, Value::Float(_)) => mismatch.help("write it in quotes to make it text"),
        (Type::Int | Type::Float | Type::Bool, Value::String(text))
            if text.parse::<f64>().is_ok() || matches!(&**text, "true" | "false") =>
        {
            mismatch.suggest(text.to_string()).help("write it without quotes")
        }
        (Type::Bool, Value::String(text)) if matches!(&*text.to_ascii_lowercase(), "yes" | "on") => {
            mismatch.suggest("true").help("YAML 1.2 knows `true` and `false` only")
        }
        (Type::Bool, Value::String(text)) if matches!(&*text.to_ascii_lowercase(), "no" | "off") => {
            mismatch.suggest("false").help("YAML 1.2 knows `true` and `false` only")
        }
        (Type::List(_), _) => mismatch.help("write it in brackets to make it a list"),
        _ => mismatch,
    }
}

fn date(text: &str) -> Result<Value, Mismatch> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
        .map(Value::Date)
        .map_err(|_| Mismatch::new(format!("`{text}` is not a date")).help("write it like `2013-07-04`"))
}

fn timestamp(text: &str) -> Result<Value, Mismatch> {
    let text = text.trim();
    let local = |format| NaiveDateTime::parse_from_str(text, format).ok().map(|t| t.and_utc());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|t| t.and_utc());
    let with_zone = DateTime::parse_from_rfc3339(text).ok().map(|t| t.with_timezone(&Utc));
    with_zone
        .or_else(|| local("%Y-%m-%dT%H:%M:%S%.f"))
        .or_else(|| local("%Y-%m-%d %H:%M:%S%.f"))
        .or_else(day)
        .map(Value::Timestamp)
        .ok_or_else(|| {
            Mismatch::new(format!("`{text}` is not a timestamp")).help("write it like `2013-07-04T12:00:00Z`")
        })
}

fn duration(text: &str) -> Result<Value, Mismatch> {
    let length = parse_duration(text).map_err(|e| unit_mismatch(text, "a duration", "10m", &e))?;
    TimeDelta::from_std(length)
        .map(Value::Duration)
        .map_err(|_| Mismatch::new(format!("`{text}` is too long a duration")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_take_the_type_asked_for() {
        for (value, ty, expected) in [
            (Value::from("2013-07-04"), "date", "\"2013-07-04\""),
            (Value::from("2013-07-04T10:00:00+02:00"), "timestamp", "\"2013-07-04T08:00:00Z\""),
            (Value::from("90s"), "duration?", "\"PT90S\""),
            (Value::Int(2), "float", "2.0"),
            (Value::Null, "int?", "null"),
            (Value::list([Value::Int(1)]), "list<float>", "[1.0]"),
            (Value::map([("a", Value::from("1h"))]), "object{a: duration, b: int?}", r#"{"a":"PT3600S"}"#),
        ] {
            let ty = Type::parse(ty).expect("a type");
            assert_eq!(convert(value, &ty).expect("converts").to_string(), expected, "{ty}");
        }
    }

    #[test]
    fn what_does_not_fit_says_what_to_write() {
        for (value, ty, message, suggestion) in [
            (Value::Int(10), "duration", "`10` is not a duration: it has no unit: write for example 10s", Some("10s")),
            (Value::Int(5), "string", "expected string, found int", Some("\"5\"")),
            (Value::from("5"), "int", "expected int, found string", Some("5")),
            (Value::from("yes"), "bool", "expected bool, found string", Some("true")),
            (Value::from("soon"), "date", "`soon` is not a date", None),
            (Value::Null, "int", "expected int, found null", None),
            (Value::map([("b", Value::Null)]), "object{a: int}", "the field `a` (int) is missing", None),
        ] {
            let ty = Type::parse(ty).expect("a type");
            let found = convert(value, &ty).expect_err("a mismatch");
            assert_eq!((found.message.as_str(), found.suggestion.as_deref()), (message, suggestion));
        }
    }
}
