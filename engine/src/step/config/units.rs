use std::{borrow::Cow, fmt, time::Duration};

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::Mismatch;
use crate::{
    model::units::{UnitError, parse_count, parse_duration, parse_size},
    spec::{Node, NodeKind},
};

/// A number of bytes, written `6GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// A count, written `250` or `500k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(pub u64);

/// A length of time, written `10m` or `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

/// What a text with a unit stands for; the deserializer finds it by its newtype's name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Size,
    Count,
    Period,
}

impl Unit {
    pub(super) fn of_newtype(name: &str) -> Option<Self> {
        match name {
            "$millwork::Size" => Some(Self::Size),
            "$millwork::Count" => Some(Self::Count),
            "$millwork::Period" => Some(Self::Period),
            _ => None,
        }
    }

    fn newtype(self) -> &'static str {
        match self {
            Self::Size => "$millwork::Size",
            Self::Count => "$millwork::Count",
            Self::Period => "$millwork::Period",
        }
    }

    fn what(self) -> (&'static str, &'static str) {
        match self {
            Self::Size => ("a size", "512MiB"),
            Self::Count => ("a count", "500k"),
            Self::Period => ("a duration", "10m"),
        }
    }

    /// Bytes, a count, or microseconds.
    fn parse(self, text: &str) -> Result<u64, UnitError> {
        match self {
            Self::Size => parse_size(text),
            Self::Count => parse_count(text),
            Self::Period => parse_duration(text).map(|d| d.as_micros() as u64),
        }
    }

    /// Reads what is written, or says what is wrong with it.
    pub(super) fn read(self, node: &Node) -> Result<u64, Mismatch> {
        let (what, example) = self.what();
        let written = match &node.kind {
            NodeKind::String(text) => text.value.to_string(),
            NodeKind::Int(i) => i.to_string(),
            NodeKind::Float(f) => f.to_string(),
            _ => return Err(Mismatch::new(format!("expected {what} such as `{example}`, found {}", node.describe()))),
        };
        self.parse(&written).map_err(|e| unit_mismatch(&written, what, example, &e))
    }
}

/// A mismatch that names the unit to write.
pub(super) fn unit_mismatch(written: &str, what: &str, example: &str, error: &UnitError) -> Mismatch {
    let mismatch = Mismatch::new(format!("`{written}` is not {what}: it {error}"));
    match error {
        UnitError::NoUnit { example } => {
            mismatch.suggest(example.clone()).help(format!("a unit is needed, such as `{example}`"))
        }
        _ => mismatch.help(format!("write it like `{example}`")),
    }
}

struct Taker(Unit);

impl<'de> Visitor<'de> for Taker {
    type Value = u64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, example) = self.0.what();
        write!(f, "{what} such as `{example}`")
    }
    /// Already read: by our deserializer only.
    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        self.0.parse(&text).map_err(|e| D::Error::custom(format!("`{text}` {e}")))
    }
}

macro_rules! unit {
    ($name:ident, $make:expr, $pattern:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let unit = Unit::$name;
                deserializer.deserialize_newtype_struct(unit.newtype(), Taker(unit)).map($make)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let (what, example) = Unit::$name.what();
                schemars::json_schema!({
                    "type": ["string", "integer"],
                    "description": format!("{what} such as {example}"),
                    "x-type": $pattern,
                })
            }
        }
    };
}

unit!(Size, Size, "size");
unit!(Count, Count, "count");
unit!(Period, |micros| Period(Duration::from_micros(micros)), "duration");
