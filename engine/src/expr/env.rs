use super::{Root, StatusCall};
use crate::{
    data::Value,
    model::{Fault, Labels, Timestamp},
};

/// A value and what follows it.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// The value.
    pub value: Value,
    /// Its labels.
    pub labels: Labels,
}

impl Labelled {
    /// A value without labels.
    pub fn plain(value: impl Into<Value>) -> Self {
        Self { value: value.into(), labels: Labels::none() }
    }
}

/// Gives an evaluation what it refers to. Everything referred to is loaded before; no lookup waits.
pub trait Env {
    /// The value of a root. A root that has none at this time is null where its type is optional.
    fn value(&self, root: &Root) -> Result<Labelled, Fault>;

    /// How the needed steps ended.
    fn status(&self, call: &StatusCall) -> Result<bool, Fault>;

    /// The run's idea of the present: the time of the step's first attempt, so that a retry sees the same.
    fn now(&self) -> Timestamp;
}
