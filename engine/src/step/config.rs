use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref, sync::Arc};

use crate::{
    data::{FromValue, Type, Value},
    diag::{Span, TextMap},
    expr::{Env, Labelled, Template},
    model::Fault,
};

/// A field of a configuration that may hold an expression: a literal, or a typed expression with its
/// place. `T::TYPE` is what the expression must fit.
pub struct Templated<T> {
    template: Template,
    _type: PhantomData<fn() -> T>,
}

/// A value whose place in the file matters, such as SQL: problems inside it are shown where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
    /// For a text: where each of its bytes stands.
    pub map: TextMap,
}

/// The text of a secret, opened inside an attempt. Printing it shows a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Arc<str>);

/// A configuration in an attempt, with the values that its expressions refer to.
pub struct Resolved<'a, C> {
    config: &'a C,
    env: &'a dyn Env,
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

impl SecretText {
    /// Opens the text. Give it only to what needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(***)")
    }
}

impl FromValue for SecretText {
    const TYPE: &'static str = "string";
    const SECRETS: bool = true;
    fn from_value(value: &Value) -> Result<Self, Fault> {
        Arc::<str>::from_value(value).map(Self)
    }
}

impl<'a, C> Resolved<'a, C> {
    /// A configuration with the values of an attempt.
    pub fn new(config: &'a C, env: &'a dyn Env) -> Self {
        Self { config, env }
    }

    /// The value of a field.
    pub fn get<T: FromValue>(&self, field: &Templated<T>) -> Result<T, Fault> {
        field.resolve(self.env)
    }

    /// The value of a field that may be left out.
    pub fn get_opt<T: FromValue>(&self, field: &Option<Templated<T>>) -> Result<Option<T>, Fault> {
        field.as_ref().map(|field| field.resolve(self.env)).transpose()
    }

    /// The value of a field with its labels.
    pub fn labelled<T>(&self, field: &Templated<T>) -> Result<Labelled, Fault> {
        field.template.eval(self.env)
    }

    /// The configuration, free of this borrow.
    pub fn config(&self) -> &'a C {
        self.config
    }
}

impl<C> Deref for Resolved<'_, C> {
    type Target = C;
    fn deref(&self) -> &C {
        self.config
    }
}

impl<C> fmt::Debug for Resolved<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolved")
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
