use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::handover::{self, Handed};
use crate::{
    data::{FromValue, Type},
    diag::Span,
    expr::{Env, Template},
    model::Fault,
};

/// The struct name by which the deserializer recognises a templated field.
pub(super) const TEMPLATED: &str = "$millwork::Templated";
/// The second mark of a templated field that may hold secrets.
pub(super) const WITH_SECRETS: &str = "secrets";

/// A field of a configuration that may hold an expression: a literal, or a typed expression with its
/// place. `T::TYPE` is what the expression must fit.
pub struct Templated<T> {
    template: Template,
    _type: PhantomData<fn() -> T>,
}

/// A templated field that was met while a configuration was read: how the engine finds the
/// expressions in it, without help from the kind.
#[derive(Debug, Clone)]
pub struct Field {
    /// Path of keys and indexes from `with`, such as `params.origin`.
    pub path: String,
    /// What is written there.
    pub template: Template,
    /// The type that it must fit.
    pub ty: Type,
    /// Whether `secrets.*` may be used there.
    pub secrets: bool,
}

impl<T: FromValue> Templated<T> {
    /// Type and secrets, handed to the deserializer where serde puts names of fields.
    const MARKS: &'static [&'static str] = &[T::TYPE, if T::SECRETS { WITH_SECRETS } else { "" }];

    /// A field with this template.
    pub fn new(template: Template) -> Self {
        Self { template, _type: PhantomData }
    }

    /// What is written.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Where it stands in the file.
    pub fn span(&self) -> Span {
        self.template.span
    }

    /// The value, if no expression is inside and it has the right type.
    pub fn literal(&self) -> Option<T> {
        self.template.literal().and_then(|value| T::from_value(value).ok())
    }

    /// The value in an attempt.
    pub fn resolve(&self, env: &dyn Env) -> Result<T, Fault> {
        T::from_value(&self.template.eval(env)?.value)
    }
}

impl<T> Clone for Templated<T> {
    fn clone(&self) -> Self {
        Self { template: self.template.clone(), _type: PhantomData }
    }
}

impl<T> fmt::Debug for Templated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.template.fmt(f)
    }
}

impl<'de, T: FromValue> Deserialize<'de> for Templated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(TEMPLATED, Self::MARKS, Taker(PhantomData))
    }
}

struct Taker<T>(PhantomData<fn() -> T>);

impl<T: FromValue> Visitor<'_> for Taker<T> {
    type Value = Templated<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a templated field outside of untagged, tagged and flattened types")
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        match handover::take() {
            Some(Handed::Template(template)) => Ok(Templated::new(template)),
            _ => Err(E::custom("a templated field can only be read from a pipeline")),
        }
    }
}

/// A templated field accepts its type, or text with an expression.
impl<T: FromValue> schemars::JsonSchema for Templated<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Templated_{}", T::TYPE).into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": format!("{} or ${{{{ }}}}", T::TYPE), "x-type": T::TYPE })
    }
}
