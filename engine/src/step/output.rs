use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::{
    data::Value,
    model::{Labels, Name, Wait},
};

/// How an attempt that did not fail ended.
#[derive(Debug, Clone)]
pub enum StepEnd {
    /// With outputs.
    Done(StepOutput),
    /// It waits and holds no slot; it runs again, with [`StepContext::answer`](super::StepContext::answer)
    /// set, when what it waits for has come.
    Park(Wait),
}

/// What a step gives.
#[derive(Debug, Clone, Default)]
pub struct StepOutput {
    /// Values by the names of its ports.
    pub values: IndexMap<Name, Value>,
    /// Labels of values, beyond those that what it read had.
    pub labels: BTreeMap<Name, Labels>,
    /// Rows, for the line that people see.
    pub rows: Option<u64>,
    /// A few words for the line that people see.
    pub note: Option<String>,
}

impl StepOutput {
    /// No outputs.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a value. `name` must be a valid [`Name`]; the conformance suite catches one that is not.
    pub fn value(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(name) = Name::new(name) {
            self.values.insert(name, value.into());
        }
        self
    }

    /// Says how many rows the step gave.
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Says a few words about what was done.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl From<StepOutput> for StepEnd {
    fn from(output: StepOutput) -> Self {
        Self::Done(output)
    }
}
