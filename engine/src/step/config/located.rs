use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

use super::handover::{self, Handed};
use crate::diag::{Span, TextMap};

/// The newtype name by which the deserializer recognises a located value.
pub(super) const LOCATED: &str = "$millwork::Located";

/// A value whose place in the file matters, such as SQL: problems inside it are shown where they are.
///
/// A located text may hold `${{`, which other literal texts may not: the kind says what it thinks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
    /// For a text: where each of its bytes stands.
    pub map: TextMap,
}

impl Located<String> {
    /// The place in the file of a byte range of the text.
    pub fn part(&self, start: usize, end: usize) -> Span {
        self.map.span(start, end)
    }
}

impl<T> Deref for Located<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(LOCATED, Taker(PhantomData))
    }
}

struct Taker<T>(PhantomData<fn() -> T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Taker<T> {
    type Value = Located<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a located value outside of untagged, tagged and flattened types")
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Some(Handed::Place(span, map)) = handover::take() else {
            return Err(D::Error::custom("a located value can only be read from a pipeline"));
        };
        Ok(Located { value: T::deserialize(deserializer)?, span, map })
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}
