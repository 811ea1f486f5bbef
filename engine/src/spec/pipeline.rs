use std::time::Duration;

use indexmap::IndexMap;

use super::{Node, Permissions, Spanned, TriggerSpec};
use crate::{
    data::Type,
    diag::{Source, Span},
    expr::{Expr, Template},
    model::{Name, RetryPolicy},
};

/// A pipeline whose every key was understood. References and types are checked in the next stage.
#[derive(Debug, Clone)]
pub struct PipelineSpec {
    /// The text it was read from.
    pub source: Source,
    /// `name:`.
    pub name: Spanned<String>,
    /// `description:`.
    pub description: Option<String>,
    /// `on:`.
    pub triggers: Vec<Spanned<TriggerSpec>>,
    /// `inputs:`.
    pub inputs: IndexMap<Name, InputSpec>,
    /// `secrets:`: names that `secrets.NAME` may use.
    pub secrets: Vec<Spanned<String>>,
    /// `budget:`.
    pub budget: Option<Budget>,
    /// `concurrency:`.
    pub concurrency: Option<Concurrency>,
    /// `priority:` of its runs where they wait.
    pub priority: u32,
    /// `pools:`: slots that a run holds while it is under way.
    pub pools: IndexMap<Name, Spanned<u32>>,
    /// `permissions:`.
    pub permissions: Permissions,
    /// `order:`.
    pub order: Order,
    /// `fail_fast:`.
    pub fail_fast: bool,
    /// `max_parallel:` of the whole run.
    pub max_parallel: Option<u32>,
    /// `deadline:` of the whole run.
    pub deadline: Option<Duration>,
    /// `steps:`.
    pub steps: Vec<StepSpec>,
    /// `on_failure:`.
    pub on_failure: Vec<StepSpec>,
    /// `finally:`.
    pub finally: Vec<StepSpec>,
    /// `outputs:`.
    pub outputs: IndexMap<Name, Spanned<Template>>,
    /// `tests:`.
    pub tests: Vec<TestSpec>,
}

/// One input.
#[derive(Debug, Clone)]
pub struct InputSpec {
    /// Where the name stands.
    pub span: Span,
    /// `type:`.
    pub ty: Type,
    /// `default:`.
    pub default: Option<Spanned<Template>>,
    /// `description:`.
    pub description: Option<String>,
    /// `enum:`: the only values allowed, if given.
    pub allowed: Vec<Node>,
}

/// One step as written.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// The whole step.
    pub span: Span,
    /// `id:`; steps of `on_failure` and `finally` may leave it out and are then named by their place.
    pub id: Spanned<Name>,
    /// `uses:`; `None` if the step has a body of several `steps:`.
    pub uses: Option<Spanned<String>>,
    /// `with:`.
    pub with: Option<Node>,
    /// `steps:`: a body of several steps, inside `for_each`.
    pub body: Vec<StepSpec>,
    /// `needs:`.
    pub needs: Vec<Spanned<Name>>,
    /// `if:`.
    pub condition: Option<Spanned<Expr>>,
    /// `for_each:` and what belongs to it.
    pub for_each: Option<ForEachSpec>,
    /// `repeat:`.
    pub repeat: Option<RepeatSpec>,
    /// `retry:`, or that of `defaults`.
    pub retry: RetryPolicy,
    /// `timeout:` of each attempt, or that of `defaults`.
    pub timeout: Option<Duration>,
    /// `deadline:` of all attempts together.
    pub deadline: Option<Duration>,
    /// `continue_on_error:`.
    pub continue_on_error: bool,
    /// `env:`.
    pub env: IndexMap<String, Spanned<Template>>,
    /// `cache:`: whether an equal earlier result may be taken.
    pub cache: bool,
    /// `persist:`.
    pub persist: Persist,
    /// `state:`: values committed together with the step's receipt.
    pub state: IndexMap<Name, Spanned<Template>>,
    /// `memory:`: bytes that one attempt may hold.
    pub memory: Option<u64>,
    /// `budget:` of the step, beneath that of the run.
    pub budget: Option<Budget>,
    /// `permissions:` of the step, narrower than those of the pipeline.
    pub permissions: Option<Permissions>,
    /// `description:`.
    pub description: Option<String>,
}

/// `for_each:` with `max_parallel`, `key`, `batch` and `min_success`.
#[derive(Debug, Clone)]
pub struct ForEachSpec {
    /// A list, a map or a table.
    pub over: Spanned<Expr>,
    /// Items at once; the run's limit if not given.
    pub max_parallel: Option<u32>,
    /// Names each item, from `item`.
    pub key: Option<Spanned<Expr>>,
    /// Rows of a table per item.
    pub batch: Option<u32>,
    /// Share of items (0 to 1) that must succeed for the step to succeed.
    pub min_success: f64,
}

/// `repeat:`.
#[derive(Debug, Clone)]
pub struct RepeatSpec {
    /// Ends the repetition when true; sees the step's own outputs as `outputs`.
    pub until: Spanned<Expr>,
    /// Time between the end of one iteration and the begin of the next.
    pub every: Duration,
    /// Iterations at most; reaching it is the fault `repeat.exhausted`.
    pub max: u32,
}

/// `order:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Only references and `needs` order steps.
    #[default]
    Graph,
    /// Each step needs the one before.
    Sequence,
}

/// `persist:` of a step's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Persist {
    /// Kept until retention ends.
    #[default]
    Always,
    /// Recomputed after a crash if needed; pure kinds only.
    Never,
}

/// `budget:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Where it stands.
    pub span: Span,
    /// Millionths of a US dollar.
    pub usd_micros: Option<u64>,
    /// Tokens.
    pub tokens: Option<u64>,
    /// What happens at the limit.
    pub on_exceeded: OnExceeded,
}

/// `on_exceeded:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExceeded {
    /// Wait for more budget.
    #[default]
    Park,
    /// Fail the step.
    Fail,
}

/// `concurrency:`.
#[derive(Debug, Clone)]
pub struct Concurrency {
    /// Runs with the same text share the limit.
    pub group: Spanned<Template>,
    /// Runs at once.
    pub limit: u32,
    /// What a run does when the group is full.
    pub on_conflict: OnConflict,
}

/// `on_conflict:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// Wait.
    #[default]
    Queue,
    /// Do not start.
    Skip,
    /// Cancel the one that runs.
    Cancel,
}

/// One element of `tests:`.
#[derive(Debug, Clone)]
pub struct TestSpec {
    /// Where it stands.
    pub span: Span,
    /// `name:`.
    pub name: String,
    /// `given.inputs`.
    pub inputs: IndexMap<String, Node>,
    /// `given.steps`: outputs that stand in for running a step.
    pub given: IndexMap<Name, Given>,
    /// `expect.steps`: outputs, or a status, that must come out.
    pub expect_steps: IndexMap<Name, Node>,
    /// `expect.outputs`.
    pub expect_outputs: IndexMap<Name, Node>,
    /// `expect.status`; `succeeded` if not given.
    pub expect_status: Option<Spanned<String>>,
}

/// What stands in for a step in a test: outputs as written, `{table: {csv: ..}}` among them.
#[derive(Debug, Clone)]
pub struct Given {
    /// Where it stands.
    pub span: Span,
    /// Outputs by name.
    pub outputs: IndexMap<Name, Node>,
}
