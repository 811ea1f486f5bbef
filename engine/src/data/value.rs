use std::{fmt, sync::Arc};

use arrow::record_batch::RecordBatch;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use indexmap::IndexMap;

use super::{Table, Type};
use crate::model::Fault;

/// A map's entries, in the order they were written.
pub type Map = IndexMap<Arc<str>, Value>;

/// What flows along an edge. Cheap to clone: everything large is shared.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit float.
    Float(f64),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A calendar day.
    Date(NaiveDate),
    /// A moment, in UTC.
    Timestamp(DateTime<Utc>),
    /// A length of time, negative ones too.
    Duration(TimeDelta),
    /// Values in order.
    List(Arc<Vec<Value>>),
    /// Values by name; an object is one of these.
    Map(Arc<Map>),
    /// A re-readable table.
    Table(Table),
    /// A file, by path and digest.
    File(Arc<FileRef>),
}

/// A file that a step gave or reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct FileRef {
    /// Path as people know it.
    pub path: String,
    /// Where the bytes are kept, if they are an artifact.
    pub artifact: Option<crate::model::ArtifactId>,
    /// Media type, such as `text/html`.
    pub media_type: Option<String>,
    /// Length in bytes.
    pub bytes: u64,
}

impl Value {
    /// Text as a value.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    /// Values in order as one value.
    pub fn list(values: impl IntoIterator<Item = Value>) -> Self {
        Self::List(Arc::new(values.into_iter().collect()))
    }

    /// Named values as one value.
    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(Arc::new(entries.into_iter().map(|(k, v)| (k.into(), v)).collect()))
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Bool(v)
    }
}
impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}
impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Self::Float(v)
    }
}
impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::String(v.into())
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::String(v.into())
    }
}
impl From<Table> for Value {
    fn from(v: Table) -> Self {
        Self::Table(v)
    }
}
impl From<Vec<RecordBatch>> for Value {
    fn from(v: Vec<RecordBatch>) -> Self {
        Self::Table(Table::from_batches(v))
    }
}

/// A Rust type that a configuration field or a step's input can have.
pub trait FromValue: Sized {
    /// The name the type has in the pipeline language, such as `list<string>`: what
    /// [`Type::parse`] reads.
    const TYPE: &'static str;

    /// Whether a field of this type may hold `secrets.*`.
    const SECRETS: bool = false;

    /// Converts a value that was checked against [`FromValue::TYPE`]; `any` makes a mismatch possible
    /// at run time, which is a user's fault.
    fn from_value(value: &Value) -> Result<Self, Fault>;
}

fn mismatch<T: FromValue>(value: &Value) -> Fault {
    Fault::user("type.mismatch", format!("expected {}, found {}", T::TYPE, Type::of(value)))
}

macro_rules! from_value {
    ($($rust:ty, $name:literal, $pattern:pat => $result:expr;)*) => {$(
        impl FromValue for $rust {
            const TYPE: &'static str = $name;
            fn from_value(value: &Value) -> Result<Self, Fault> {
                match value { $pattern => Ok($result), other => Err(mismatch::<Self>(other)) }
            }
        }
    )*};
}

from_value! {
    bool, "bool", Value::Bool(b) => *b;
    i64, "int", Value::Int(i) => *i;
    String, "string", Value::String(s) => s.to_string();
    Arc<str>, "string", Value::String(s) => s.clone();
    NaiveDate, "date", Value::Date(d) => *d;
    DateTime<Utc>, "timestamp", Value::Timestamp(t) => *t;
    Table, "table", Value::Table(t) => t.clone();
    Arc<FileRef>, "file", Value::File(f) => f.clone();
}

impl FromValue for f64 {
    const TYPE: &'static str = "float";
    fn from_value(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::Float(f) => Ok(*f),
            Value::Int(i) => Ok(*i as f64),
            other => Err(mismatch::<Self>(other)),
        }
    }
}

impl FromValue for std::time::Duration {
    const TYPE: &'static str = "duration";
    fn from_value(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::Duration(d) => d
                .to_std()
                .map_err(|_| Fault::user("type.mismatch", "expected a duration of zero or more, found a negative one")),
            other => Err(mismatch::<Self>(other)),
        }
    }
}

impl FromValue for Value {
    const TYPE: &'static str = "any";
    fn from_value(value: &Value) -> Result<Self, Fault> {
        Ok(value.clone())
    }
}

impl FromValue for Vec<String> {
    const TYPE: &'static str = "list<string>";
    fn from_value(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::List(items) => items.iter().map(String::from_value).collect(),
            other => Err(mismatch::<Self>(other)),
        }
    }
}

impl fmt::Display for Value {
    /// For people and for text around `${{ }}`: text as it is, null as `null`, the rest as JSON would
    /// have it, a table as its size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(text),
            Self::Table(table) => write!(f, "{table}"),
            Self::File(file) => f.write_str(&file.path),
            other => write!(f, "{}", super::encode::plain(other)),
        }
    }
}
