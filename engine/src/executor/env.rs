//! What an expression sees inside an attempt.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::{Scrubber, guard::lock, keep::Outputs};
use crate::{
    data::Value,
    expr::{Env, Labelled, Part, Root, StatusCall},
    model::{Fault, Labels, Name, StepStatus, Timestamp},
    step::SecretProvider,
};

/// Values by what refers to them, loaded before an evaluation.
pub(crate) type Loaded = HashMap<Root, Labelled>;

/// The item that an attempt is at.
#[derive(Debug, Clone)]
pub(crate) struct ItemValue {
    pub index: u32,
    pub value: Labelled,
    pub key: Value,
}

/// How the steps that a condition asks about ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endings {
    pub success: bool,
    pub failure: bool,
    pub failed: HashMap<Name, bool>,
}

/// A step of the same body that came before, as expressions of later ones see it.
#[derive(Debug, Clone)]
pub(crate) struct BodyStep {
    pub status: StepStatus,
    pub outputs: Arc<Outputs>,
    pub labels: Labels,
    pub attempts: u32,
}

/// Secrets that an attempt opened, by name.
#[derive(Debug, Default)]
pub(crate) struct Opened(Mutex<Vec<(String, Arc<str>)>>);

impl Opened {
    fn note(&self, name: &str, text: &Arc<str>) {
        let mut all = lock(&self.0);
        if !all.iter().any(|(known, _)| known == name) {
            all.push((name.to_owned(), text.clone()));
        }
    }

    pub(crate) fn all(&self) -> Vec<(String, Arc<str>)> {
        lock(&self.0).clone()
    }
}

/// Opens secrets that the pipeline may use.
pub(crate) struct Secrets<'a> {
    pub opened: &'a Opened,
    pub provider: &'a dyn SecretProvider,
    pub allowed: &'a [String],
    pub scrubber: &'a Scrubber,
}

/// The environment of one attempt or evaluation.
pub(crate) struct AttemptEnv<'a> {
    pub loaded: &'a Loaded,
    pub item: Option<&'a ItemValue>,
    pub outputs: Option<(&'a Outputs, &'a Labels)>,
    pub body: Option<&'a HashMap<Name, BodyStep>>,
    pub endings: Option<&'a Endings>,
    pub secrets: Option<Secrets<'a>>,
    pub now: Timestamp,
}

impl<'a> AttemptEnv<'a> {
    /// Of what belongs to no step: the run's outputs, an input's default.
    pub(crate) fn of_no_step(loaded: &'a Loaded, now: Timestamp) -> Self {
        Self { loaded, item: None, outputs: None, body: None, endings: None, secrets: None, now }
    }

    fn body_step(step: &BodyStep, part: &Part) -> Labelled {
        let value = match part {
            Part::Output(name) => step.outputs.get(name).cloned().unwrap_or(Value::Null),
            Part::Status => Value::from(status_text(step.status)),
            Part::Attempts => Value::Int(i64::from(step.attempts)),
            Part::Error | Part::Items => Value::Null,
        };
        Labelled { value, labels: step.labels.clone() }
    }
}

impl Env for AttemptEnv<'_> {
    fn value(&self, root: &Root) -> Result<Labelled, Fault> {
        match (root, self.item) {
            (Root::Item, Some(item)) => return Ok(item.value.clone()),
            (Root::ItemIndex, Some(item)) => return Ok(Labelled::plain(i64::from(item.index))),
            (Root::ItemKey, Some(item)) => {
                return Ok(Labelled { value: item.key.clone(), labels: item.value.labels.clone() });
            }
            _ => {}
        }
        if let Root::Secret(name) = root {
            let denied = || Fault::internal("secret.closed", format!("`secrets.{name}` is not open here"));
            let secrets = self.secrets.as_ref().ok_or_else(denied)?;
            if !secrets.allowed.iter().any(|allowed| allowed == name) {
                return Err(denied());
            }
            let text = secrets.provider.open(name)?;
            secrets.scrubber.remember(&text);
            secrets.opened.note(name, &text);
            let mut labels = Labels::none();
            labels.secrets.insert(name.clone());
            return Ok(Labelled { value: Value::String(text), labels });
        }
        if let (Root::Output(name), Some((outputs, labels))) = (root, self.outputs) {
            let value = outputs.get(name).cloned().unwrap_or(Value::Null);
            return Ok(Labelled { value, labels: labels.clone() });
        }
        if let (Root::Step { step, part }, Some(body)) = (root, self.body)
            && let Some(step) = body.get(step)
        {
            return Ok(Self::body_step(step, part));
        }
        let missing = || Fault::internal("value.missing", format!("`{root}` was not loaded"));
        self.loaded.get(root).cloned().ok_or_else(missing)
    }

    fn status(&self, call: &StatusCall) -> Result<bool, Fault> {
        let endings =
            self.endings.ok_or_else(|| Fault::internal("value.missing", "no status can be asked for here"))?;
        Ok(match call {
            StatusCall::Success => endings.success,
            StatusCall::Failure => endings.failure,
            StatusCall::Always => true,
            StatusCall::Failed(step) => endings.failed.get(step).copied().unwrap_or(false),
        })
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}

/// A step's status as expressions see it.
pub(crate) fn status_text(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "pending",
        StepStatus::Ready => "ready",
        StepStatus::Running => "running",
        StepStatus::Waiting => "waiting",
        StepStatus::Succeeded => "succeeded",
        StepStatus::Failed => "failed",
        StepStatus::Skipped => "skipped",
        StepStatus::Cancelled => "cancelled",
    }
}
