use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{items::Items, queues::Queues};
use crate::{
    graph::{Form, NodeShape, Section, Shape},
    model::{
        Digest, Fault, Labels, NodeIx, OwnerId, RunStatus, SkipReason, StepStatus, Timestamp, Wait,
        event::{ItemOutcome, RunOrigin, StoredOutputs},
    },
};

/// How a run stands: what its log comes to. Cheap to copy (parts are shared until they change).
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    pub(super) shape: Arc<Shape>,
    /// Who needs a step, by step.
    pub(super) needed_by: Arc<Vec<Vec<NodeIx>>>,
    pub(super) core: Core,
    pub(super) nodes: Vec<Arc<NodeState>>,
    /// Derived from the rest, so that no question costs a walk over all steps.
    pub(super) queues: Queues,
}

/// What there is of a run beside its steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Core {
    pub(super) seq: u64,
    pub(super) owner: Option<(OwnerId, u64)>,
    pub(super) origin: Option<Arc<RunOrigin>>,
    pub(super) phase: Phase,
    pub(super) cancelled_by: Option<String>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) deadline_reached: bool,
    /// The first fault that counts for the run.
    pub(super) fault: Option<Fault>,
    /// A step of `steps` failed and that counts for the run.
    pub(super) failed: bool,
    /// A step of `finally` failed and that counts for the run.
    pub(super) closing_failed: bool,
    #[serde(with = "super::snapshot::maybe_json")]
    pub(super) outputs: Option<Json>,
}

/// Which part of its life a run is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// No event yet, or only `RunCreated`.
    #[default]
    Created,
    /// `steps` are under way.
    Steps,
    /// `on_failure` and `finally` are under way; the status if they go well.
    Closing(RunStatus),
    /// Stopped; a resume goes on.
    Interrupted,
    /// Over.
    Ended(RunStatus),
}

/// How a step stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeState {
    pub(super) status: StepStatus,
    pub(super) skip: Option<SkipReason>,
    /// `--only` leaves it out.
    pub(super) left_out: bool,
    pub(super) condition_held: bool,
    /// The last attempt that began.
    pub(super) attempt: u32,
    /// Attempts up to this one do not count for the retry policy: they were before a resume, or of an
    /// earlier iteration.
    pub(super) floor: u32,
    /// When the first attempt since the last resume began.
    pub(super) began: Option<Timestamp>,
    /// When it may start, if not at once.
    pub(super) due: Option<Timestamp>,
    pub(super) wait: Option<Wait>,
    #[serde(with = "super::snapshot::maybe_json")]
    pub(super) answer: Option<Json>,
    /// The answer came and the attempt that parked has not gone on.
    pub(super) answered: bool,
    /// Iterations that ended with `until` false.
    pub(super) iterations: u32,
    /// An iteration's outputs, `until` not evaluated on them yet.
    pub(super) checking: bool,
    pub(super) items: Option<Items>,
    pub(super) outputs: Option<StoredOutputs>,
    pub(super) labels: BTreeMap<String, Labels>,
    pub(super) rows: Option<u64>,
    pub(super) fault: Option<Fault>,
}

impl NodeState {
    fn new() -> Self {
        Self {
            status: StepStatus::Pending,
            skip: None,
            left_out: false,
            condition_held: false,
            attempt: 0,
            floor: 0,
            began: None,
            due: None,
            wait: None,
            answer: None,
            answered: false,
            iterations: 0,
            checking: false,
            items: None,
            outputs: None,
            labels: BTreeMap::new(),
            rows: None,
            fault: None,
        }
    }
}

impl RunState {
    /// A run without an event.
    pub fn new(shape: Arc<Shape>) -> Self {
        let nodes = shape.nodes.iter().map(|_| Arc::new(NodeState::new())).collect();
        Self::from_parts(shape, Core::default(), nodes)
    }

    pub(super) fn from_parts(shape: Arc<Shape>, core: Core, nodes: Vec<Arc<NodeState>>) -> Self {
        let mut needed_by = vec![Vec::new(); shape.nodes.len()];
        for (ix, node) in shape.nodes.iter().enumerate() {
            for need in &node.needs {
                if let Some(list) = needed_by.get_mut(need.index()) {
                    list.push(NodeIx(ix as u32));
                }
            }
        }
        let mut state = Self { shape, needed_by: Arc::new(needed_by), core, nodes, queues: Queues::default() };
        state.rebuild();
        state
    }

    /// The plan's shape.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// The `seq` of the last event; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.core.seq
    }

    /// The process that owns the run, and its epoch.
    pub fn owner(&self) -> Option<(OwnerId, u64)> {
        self.core.owner
    }

    /// What the run was created from.
    pub fn origin(&self) -> Option<&RunOrigin> {
        self.core.origin.as_deref()
    }

    /// How the run stands.
    pub fn status(&self) -> RunStatus {
        match self.core.phase {
            Phase::Created => RunStatus::Queued,
            Phase::Interrupted => RunStatus::Interrupted,
            Phase::Ended(status) => status,
            Phase::Steps | Phase::Closing(_) => {
                let queues = &self.queues;
                let idle = queues.running.is_empty()
                    && queues.evaluating.is_empty()
                    && queues.ready.is_empty()
                    && queues.delayed.is_empty();
                if idle && queues.waiting > 0 { RunStatus::Waiting } else { RunStatus::Running }
            }
        }
    }

    /// The status that the run has, or would have if it ended with its steps as they stand: what
    /// `run.status` is in `on_failure` and `finally`.
    pub fn outcome(&self) -> RunStatus {
        match self.core.phase {
            Phase::Ended(status) => status,
            _ if self.core.closing_failed => RunStatus::Failed,
            Phase::Closing(outcome) => outcome,
            _ => self.steps_outcome(),
        }
    }

    pub(super) fn steps_outcome(&self) -> RunStatus {
        if self.core.cancelled_by.is_some() {
            RunStatus::Cancelled
        } else if self.core.failed || self.core.deadline_reached {
            RunStatus::Failed
        } else {
            RunStatus::Succeeded
        }
    }

    /// The first fault that counts for the run.
    pub fn fault(&self) -> Option<&Fault> {
        self.core.fault.as_ref()
    }

    /// Who asked for the end, if somebody did.
    pub fn cancelled_by(&self) -> Option<&str> {
        self.core.cancelled_by.as_deref()
    }

    /// The pipeline's outputs, once the run ended well.
    pub fn run_outputs(&self) -> Option<&Json> {
        self.core.outputs.as_ref()
    }

    /// How a step stands; `Pending` for one that the plan does not have.
    pub fn step_status(&self, node: NodeIx) -> StepStatus {
        self.get(node).map_or(StepStatus::Pending, |state| state.status)
    }

    /// Why a step was skipped.
    pub fn skip_reason(&self, node: NodeIx) -> Option<SkipReason> {
        self.get(node)?.skip
    }

    /// The last attempt at a step that began; 0 before the first.
    pub fn attempt(&self, node: NodeIx) -> u32 {
        self.get(node).map_or(0, |state| state.attempt)
    }

    /// A step's outputs and their labels: of the step, or of the iteration that `until` is evaluated
    /// on, or what a failed step left.
    pub fn step_outputs(&self, node: NodeIx) -> Option<(&StoredOutputs, &BTreeMap<String, Labels>)> {
        let state = self.get(node)?;
        Some((state.outputs.as_ref()?, &state.labels))
    }

    /// Why a step failed, or its last attempt did.
    pub fn step_fault(&self, node: NodeIx) -> Option<&Fault> {
        self.get(node)?.fault.as_ref()
    }

    /// What a step waits for.
    pub fn step_wait(&self, node: NodeIx) -> Option<&Wait> {
        self.get(node)?.wait.as_ref()
    }

    /// The answer that the running attempt goes on with.
    pub fn step_answer(&self, node: NodeIx) -> Option<&Json> {
        self.get(node)?.answer.as_ref()
    }

    /// When a step that is not running may start, where that is a matter of time.
    pub fn step_due(&self, node: NodeIx) -> Option<Timestamp> {
        self.get(node)?.due
    }

    /// Which iteration of `repeat` is under way or comes next, from 1.
    pub fn iteration(&self, node: NodeIx) -> u32 {
        self.get(node).map_or(1, |state| state.iterations + 1)
    }

    /// How many items a fan-out has and the digest of its list, once planned.
    pub fn items_planned(&self, node: NodeIx) -> Option<(u32, Digest)> {
        self.get(node)?.items.as_ref().map(|items| (items.count, items.digest))
    }

    /// How an item ended.
    pub fn item_outcome(&self, node: NodeIx, item: u32) -> Option<ItemOutcome> {
        self.get(node)?.items.as_ref()?.outcome(item)
    }

    /// How many items of a fan-out are under way, or between two attempts.
    pub fn items_under_way(&self, node: NodeIx) -> u32 {
        self.get(node).and_then(|state| state.items.as_ref()).map_or(0, |items| items.under_way.len() as u32)
    }

    /// How many items of a fan-out have not ended.
    pub fn items_left(&self, node: NodeIx) -> u32 {
        self.get(node).and_then(|state| state.items.as_ref()).map_or(0, Items::left)
    }

    pub(super) fn get(&self, node: NodeIx) -> Option<&NodeState> {
        self.nodes.get(node.index()).map(Arc::as_ref)
    }

    /// State and shape of a step of the plan.
    pub(super) fn pair(&self, node: NodeIx) -> Option<(&NodeState, &NodeShape)> {
        Some((self.get(node)?, self.shape.nodes.get(node.index())?))
    }

    pub(super) fn section_of(&self, node: NodeIx) -> Section {
        self.shape.nodes.get(node.index()).map_or(Section::Main, |node| node.section)
    }

    pub(super) fn is_fan_out(&self, node: NodeIx) -> bool {
        self.shape.nodes.get(node.index()).is_some_and(|node| matches!(node.form, Form::ForEach { .. }))
    }

    /// Whether nothing further of `steps` starts.
    pub(super) fn is_ending(&self, node: NodeIx) -> bool {
        self.section_of(node) == Section::Main && self.steps_are_ending()
    }

    /// Whether nothing further of `steps` starts, for a request, a deadline or `fail_fast`.
    pub(super) fn steps_are_ending(&self) -> bool {
        self.is_stopping() || (self.shape.fail_fast && self.core.failed)
    }

    /// Whether what runs of `steps` is stopped.
    pub(super) fn is_stopping(&self) -> bool {
        self.core.cancelled_by.is_some() || self.core.deadline_reached
    }

    /// When a step's `deadline` is, once its first attempt began.
    pub(super) fn deadline_of(&self, node: NodeIx) -> Option<Timestamp> {
        let (state, shape) = self.pair(node)?;
        Some(state.began?.after(shape.deadline?))
    }

    pub(super) fn is_over_deadline(&self, node: NodeIx, now: Timestamp) -> bool {
        self.deadline_of(node).is_some_and(|at| at <= now) && !super::planted::has(super::planted::Bug::IgnoresDeadline)
    }

    /// Whether what runs of a step is to be stopped: all of `steps` is, or it is over its deadline. A
    /// fan-out whose items all ended is not: only the gathering is left.
    pub(super) fn is_stopped(&self, node: NodeIx, now: Timestamp) -> bool {
        let complete = self.get(node).and_then(|state| state.items.as_ref()).is_some_and(Items::complete);
        !complete
            && ((self.is_stopping() && self.section_of(node) == Section::Main) || self.is_over_deadline(node, now))
    }
}
