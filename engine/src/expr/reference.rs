use std::fmt;

use crate::{diag::Span, model::Name};

/// What an expression refers to, up to the point where plain field access begins:
/// `steps.flights.outputs.table.rows` has the root `steps.flights.outputs.table`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// `inputs.NAME`.
    Input(Name),
    /// `steps.STEP.outputs.NAME` and the reserved words beside `outputs`.
    Step {
        /// The step.
        step: Name,
        /// What of it.
        part: Part,
    },
    /// `secrets.NAME`.
    Secret(String),
    /// `item`, inside `for_each`.
    Item,
    /// `item_index`, from 0, inside `for_each`.
    ItemIndex,
    /// `item_key`, inside `for_each`: the key of a map's entry, or what `key:` gave.
    ItemKey,
    /// `outputs.NAME`: the step's own outputs, inside `repeat.until`.
    Output(Name),
    /// `state.NAME`: a value that an earlier run left with `state:`.
    State(Name),
    /// `run.FIELD`: `id`, `pipeline`, `revision`, `attempt`, `started_at`, `interval.start`,
    /// `interval.end`, `error.message`, `error.code`, `error.step`.
    Run(String),
    /// `event.*`: what a trigger brought.
    Event,
}

/// What of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// `outputs.NAME`.
    Output(Name),
    /// `status`: text, such as `succeeded`.
    Status,
    /// `error`: `object{code: string, message: string}?`.
    Error,
    /// `items`: `object{total, succeeded, failed, skipped: int}`.
    Items,
    /// `attempts`: how many there were.
    Attempts,
}

/// A root and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref {
    /// What.
    pub root: Root,
    /// Where, in the file.
    pub span: Span,
}

/// A question about how the steps that this one needs ended. Only conditions may ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StatusCall {
    /// `success()`: all succeeded or were skipped by their condition.
    Success,
    /// `failure()`: one failed.
    Failure,
    /// `always()`: true.
    Always,
    /// `failed('x')`: the step named failed.
    Failed(Name),
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(name) => write!(f, "inputs.{name}"),
            Self::Step { step, part } => write!(f, "steps.{step}.{part}"),
            Self::Secret(name) => write!(f, "secrets.{name}"),
            Self::Item => f.write_str("item"),
            Self::ItemIndex => f.write_str("item_index"),
            Self::ItemKey => f.write_str("item_key"),
            Self::Output(name) => write!(f, "outputs.{name}"),
            Self::State(name) => write!(f, "state.{name}"),
            Self::Run(field) => write!(f, "run.{field}"),
            Self::Event => f.write_str("event"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(name) => write!(f, "outputs.{name}"),
            Self::Status => f.write_str("status"),
            Self::Error => f.write_str("error"),
            Self::Items => f.write_str("items"),
            Self::Attempts => f.write_str("attempts"),
        }
    }
}
