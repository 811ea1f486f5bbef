use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value as Json;
use tokio::sync::OnceCell;

use super::{Board, Scrubber, Updates, env::Endings, env::Loaded, evaluate::moment, items::Items, logs::Room};
use crate::{
    data::{Value, decode},
    expr::Labelled,
    graph::{Plan, PlanNode, Section},
    model::{Fault, Labels, Name, NodeIx, RunId, SkipReason, StepStatus, Timestamp, event::RunOrigin},
};

/// Where the labels of `event` say that it comes from.
pub(crate) const EVENT: &str = "event";

/// Everything of a run that its attempts read: its plan and inputs, which never change, and the board.
#[derive(Debug)]
pub struct Frozen {
    /// The run.
    pub id: RunId,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// What it was created from.
    pub origin: RunOrigin,
    /// When it was created.
    pub created_at: Timestamp,
    /// What is known of its steps.
    pub board: Board,
    /// Takes secrets out of what leaves attempts.
    pub scrubber: Arc<Scrubber>,
    /// Who watches.
    pub updates: Arc<Updates>,
    /// Which owner of the run this is, from 1.
    pub epoch: u64,
    /// How much room its logs have.
    pub(crate) log_room: Room,
    pub(crate) inputs: BTreeMap<Name, Labelled>,
    pub(crate) state: BTreeMap<String, Value>,
    pub(crate) event: Labelled,
    names: HashMap<Name, NodeIx>,
    items: Vec<OnceCell<Arc<Items>>>,
    bases: Vec<OnceCell<Arc<Loaded>>>,
}

impl Frozen {
    #[expect(clippy::too_many_arguments, reason = "made in two places, from what the store or the facade has")]
    /// The run of a plan. Inputs and state that cannot be decoded are a fault.
    pub fn new(
        id: RunId,
        plan: Arc<Plan>,
        origin: RunOrigin,
        created_at: Timestamp,
        board: Board,
        state: Vec<(String, Json)>,
        updates: Arc<Updates>,
        epoch: u64,
    ) -> Result<Self, Fault> {
        let given = super::keep::decode_outputs(&origin.inputs)?;
        let inputs = given.into_iter().map(|(name, value)| {
            let labels = origin.labels.get(name.as_str()).cloned().unwrap_or_default();
            (name, Labelled { value, labels })
        });
        let inputs = inputs.collect();
        let event = origin.event.as_ref().map(decode).transpose()?.unwrap_or(Value::Null);
        let labels = if origin.event.is_some() { Labels::from_outside(EVENT) } else { Labels::none() };
        let event = Labelled { value: event, labels };
        let state = state.into_iter().map(|(name, json)| Ok((name, decode(&json)?)));
        let state = state.collect::<Result<_, Fault>>()?;
        let names = plan.nodes.iter().map(|node| (node.id.clone(), node.ix)).collect();
        let (items, bases) = plan.nodes.iter().map(|_| (OnceCell::new(), OnceCell::new())).unzip();
        let scrubber = Arc::default();
        Ok(Self {
            id,
            plan,
            origin,
            created_at,
            board,
            scrubber,
            updates,
            epoch,
            log_room: Room::default(),
            inputs,
            state,
            event,
            names,
            items,
            bases,
        })
    }

    /// A step of the plan.
    pub fn node(&self, node: NodeIx) -> Result<&PlanNode, Fault> {
        let missing = || Fault::internal("plan.node", format!("the plan has no step {}", node.0));
        self.plan.nodes.get(node.index()).ok_or_else(missing)
    }

    /// The place of a step's id.
    pub fn find(&self, id: &str) -> Option<NodeIx> {
        self.names.get(id).copied()
    }

    pub(crate) fn items_cell(&self, node: NodeIx) -> Result<&OnceCell<Arc<Items>>, Fault> {
        self.items.get(node.index()).ok_or_else(|| Fault::internal("plan.node", "the plan has no such step"))
    }

    pub(crate) fn base_cell(&self, node: NodeIx) -> Result<&OnceCell<Arc<Loaded>>, Fault> {
        self.bases.get(node.index()).ok_or_else(|| Fault::internal("plan.node", "the plan has no such step"))
    }

    /// A field of `run.*`.
    pub(crate) fn field(&self, field: &str) -> Value {
        let fault = || self.board.first_fault();
        match field {
            "id" => Value::from(self.id.to_string()),
            "pipeline" => Value::from(self.origin.pipeline.as_str()),
            "revision" => Value::from(self.origin.revision.to_string()),
            "attempt" => Value::Int(self.epoch as i64),
            "started_at" => Value::Timestamp(self.created_at.to_datetime()),
            "interval.start" => moment(self.origin.interval.as_ref(), |interval| interval.start, false),
            "interval.end" => moment(self.origin.interval.as_ref(), |interval| interval.end, false),
            "error.message" => fault().map_or(Value::Null, |(_, fault)| Value::from(fault.message)),
            "error.code" => fault().map_or(Value::Null, |(_, fault)| Value::from(fault.code.as_str())),
            "error.step" => fault()
                .and_then(|(node, _)| self.plan.nodes.get(node.index()))
                .map_or(Value::Null, |node| Value::from(node.id.as_str())),
            _ => Value::Null,
        }
    }

    /// How the steps that a step's condition asks about ended: those it needs; for `on_failure` and
    /// `finally`, all of `steps`.
    pub(crate) fn endings(&self, node: &PlanNode) -> Endings {
        let main = || self.plan.nodes.iter().filter(|other| other.section == Section::Main).map(|other| other.ix);
        let asked: Vec<NodeIx> = match node.section {
            Section::Main => self.plan.shape.nodes.get(node.ix.index()).map(|n| n.needs.clone()).unwrap_or_default(),
            Section::OnFailure | Section::Finally => main().collect(),
        };
        let mut endings = Endings { success: true, ..Endings::default() };
        for need in asked {
            let tolerated = self.plan.shape.nodes.get(need.index()).is_some_and(|n| n.continue_on_error);
            let (status, skipped) =
                self.board.with(need, |f| (f.status, f.skipped)).unwrap_or((StepStatus::Pending, None));
            let failed = status == StepStatus::Failed || skipped == Some(SkipReason::Upstream);
            let fine = status == StepStatus::Succeeded
                || (status == StepStatus::Failed && tolerated)
                || matches!(skipped, Some(SkipReason::Condition | SkipReason::NotSelected));
            endings.success &= fine;
            endings.failure |= failed && !tolerated;
        }
        for other in &self.plan.nodes {
            if self.board.status(other.ix) == StepStatus::Failed {
                endings.failed.insert(other.id.clone(), true);
            }
        }
        endings
    }
}

/// Every label of loaded values together.
pub(crate) fn all_labels(loaded: &Loaded) -> Labels {
    let mut all = Labels::none();
    for value in loaded.values() {
        all.join(&value.labels);
    }
    all
}
