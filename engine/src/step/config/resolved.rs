use std::{fmt, ops::Deref, sync::Arc};

use super::Templated;
use crate::{
    data::{FromValue, Value},
    expr::{Env, Labelled},
    model::Fault,
};

/// The text of a secret, opened inside an attempt. Printing it shows a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Arc<str>);

/// A configuration in an attempt, with the values that its expressions refer to.
pub struct Resolved<'a, C> {
    config: &'a C,
    env: &'a dyn Env,
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
    pub fn labelled<T: FromValue>(&self, field: &Templated<T>) -> Result<Labelled, Fault> {
        field.template().eval(self.env)
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
