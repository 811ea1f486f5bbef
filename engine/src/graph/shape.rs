use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    model::{Name, NodeIx, RetryPolicy},
    step::Effect,
};

/// A plan reduced to what the run machine decides by: plain data without a configuration, a type or
/// a span, so that a simulation can make one from a seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// One element a node; [`NodeIx`] counts them.
    pub nodes: Vec<NodeShape>,
    /// Attempts and items under way at once in this run.
    pub max_parallel: u32,
    /// Whether the first failed step ends the run: nothing further starts.
    pub fail_fast: bool,
    /// Whether the pipeline has `outputs` to evaluate at the end.
    pub has_outputs: bool,
}

/// What the run machine knows of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeShape {
    /// The step's id.
    pub id: Name,
    /// Which part of the pipeline it is in. Nodes of `OnFailure` and `Finally` need only nodes of
    /// their own section; they may read outputs of `Main`.
    pub section: Section,
    /// Steps it needs, through references and `needs`, without duplicates, rising.
    pub needs: Vec<NodeIx>,
    /// Whether it has an `if` to evaluate (per step, not per item).
    pub has_condition: bool,
    /// Whether its `if` calls `failure()`, `always()` or `failed('x')`: then a failed or cancelled
    /// need does not skip it, the condition decides.
    pub handles_failure: bool,
    /// How it is run.
    pub form: Form,
    /// What an attempt does to the world.
    pub effect: Effect,
    /// `retry:`.
    pub retry: RetryPolicy,
    /// `timeout:` of each attempt.
    pub timeout: Option<Duration>,
    /// `deadline:` over all attempts, from the first one's start.
    pub deadline: Option<Duration>,
    /// Whether its failure counts as success for the run and for those who need it.
    pub continue_on_error: bool,
    /// Whether its outputs are not stored (`persist: never`).
    pub recomputable: bool,
    /// Steps on the longest path from here to an end, itself included: the higher, the sooner.
    pub priority: u32,
}

/// How a step is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Once.
    Single,
    /// Once an item.
    ForEach {
        /// Items at once; the run's limit holds beside it.
        max_parallel: Option<u32>,
        /// Share of the items (0 to 1) that must succeed (skipped ones do not count).
        min_success: f64,
    },
    /// Again and again until a condition holds.
    Repeat {
        /// From the end of one iteration to the begin of the next.
        every: Duration,
        /// Iterations at most; reaching it is the fault `repeat.exhausted`.
        max: u32,
    },
}

/// A part of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// `steps`.
    Main,
    /// `on_failure`: runs after `steps` if the run failed.
    OnFailure,
    /// `finally`: runs last, always.
    Finally,
}
