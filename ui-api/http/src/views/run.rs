use millwork_engine::{
    ItemCounts,
    data::plain,
    executor::StepFacts,
    graph::PlanNode,
    model::{NodeIx, RunStatus, StepStatus, Wait, event::Cause},
    store::RunView as Stored,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FaultView, PlanView, seconds, time, word};
use crate::problem::AnyJson;

/// A run, for lists.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RunView {
    /// Its id; ids sort by the time of creation.
    pub id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// What it runs, frozen.
    pub revision: String,
    /// `queued`, `running`, `waiting`, `interrupted`, `succeeded`, `failed` or `cancelled`.
    pub status: String,
    /// The run whose step started it.
    pub parent: Option<String>,
    /// When it was created.
    pub created_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Seconds from creation to end.
    pub took_s: Option<f64>,
}

impl From<&Stored> for RunView {
    fn from(run: &Stored) -> Self {
        Self {
            id: run.id.to_string(),
            pipeline: run.pipeline.clone(),
            revision: run.revision.to_string(),
            status: word(run.status),
            parent: run.parent.map(|parent| parent.to_string()),
            created_at: time(run.created_at),
            ended_at: run.ended_at.map(time),
            took_s: run.ended_at.map(|ended| seconds(ended.since(run.created_at))),
        }
    }
}

/// A run to be started.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartRequest {
    /// The pipeline.
    pub pipeline: String,
    /// Inputs by name; defaults fill the rest.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub inputs: serde_json::Map<String, AnyJson>,
    /// Steps that alone may run, with those they need; empty means all.
    #[serde(default)]
    pub only: Vec<String>,
    /// Where runs wait, greater ones start first; that of the pipeline unless given.
    #[serde(default)]
    pub priority: Option<u32>,
}

/// Why a run was started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CauseView {
    /// `manual`, `api`, `call`, `schedule`, `webhook`, `file`, `pipeline`, `content`, `rerun` or `parent`.
    pub kind: &'static str,
    /// For people.
    pub text: String,
    /// The run that led to it.
    pub run: Option<String>,
}

impl From<&Cause> for CauseView {
    fn from(cause: &Cause) -> Self {
        let (kind, text, run) = match cause {
            Cause::Manual => ("manual", "started by hand".to_owned(), None),
            Cause::Api { who } => ("api", format!("started by {who}"), None),
            Cause::Call { who } => ("call", format!("called by {who}"), None),
            Cause::Parent { run, step, .. } => ("parent", format!("started by step {step} of {run}"), Some(*run)),
            Cause::Schedule { schedule, at, backfill } => {
                let how = if *backfill { "run afterwards for" } else { "at" };
                ("schedule", format!("schedule {schedule}, {how} {at}"), None)
            }
            Cause::Webhook { delivery, .. } => ("webhook", format!("delivery {delivery}"), None),
            Cause::File { path, .. } => ("file", format!("{path} arrived"), None),
            Cause::Upstream { run, pipeline, .. } => ("pipeline", format!("{run} of {pipeline} ended"), Some(*run)),
            Cause::Late { pipeline, at, run, .. } => ("late", format!("{pipeline} of {at} is late"), *run),
            Cause::Content { what, .. } => ("content", format!("{what} changed"), None),
            Cause::Rerun { of, from } => ("rerun", format!("{of} again from {from} on"), Some(*of)),
        };
        Self { kind, text, run: run.map(|run| run.to_string()) }
    }
}

/// What a step waits for.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct WaitView {
    /// `until`, `approval`, `run` or `budget`.
    #[serde(rename = "for")]
    pub what: &'static str,
    /// Until when, if it gives up or goes on then.
    pub until: Option<String>,
    /// What a person is asked.
    pub prompt: Option<String>,
    /// Digest of exactly what was shown; an answer names it.
    pub shown: Option<String>,
    /// The run that is waited for.
    pub run: Option<String>,
    /// What ran out.
    pub resource: Option<String>,
}

impl From<&Wait> for WaitView {
    fn from(wait: &Wait) -> Self {
        match wait {
            Wait::Until { at } => Self { what: "until", until: Some(time(*at)), ..Self::default() },
            Wait::Approval { prompt, shown, until } => Self {
                what: "approval",
                until: until.map(time),
                prompt: Some(prompt.clone()),
                shown: Some(shown.to_string()),
                ..Self::default()
            },
            Wait::Run { run } => Self { what: "run", run: Some(run.to_string()), ..Self::default() },
            Wait::Budget { resource } => Self { what: "budget", resource: Some(resource.clone()), ..Self::default() },
        }
    }
}

/// Items of a fan-out by their state.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ItemsView {
    /// All.
    pub total: u32,
    /// Ended well.
    pub succeeded: u32,
    /// Failed for good.
    pub failed: u32,
    /// Their `if` was false.
    pub skipped: u32,
}

impl From<ItemCounts> for ItemsView {
    fn from(counts: ItemCounts) -> Self {
        Self { total: counts.total, succeeded: counts.succeeded, failed: counts.failed, skipped: counts.skipped }
    }
}

/// A step of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StepView {
    /// Its id.
    pub id: String,
    /// Its number.
    pub ix: u32,
    /// `pending`, `ready`, `running`, `waiting`, `succeeded`, `failed`, `skipped` or `cancelled`.
    pub status: String,
    /// Attempts begun.
    pub attempts: u32,
    /// When the first began.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Seconds between the two.
    pub took_s: Option<f64>,
    /// Rows it gave.
    pub rows: Option<u64>,
    /// Whether an earlier result was taken.
    pub reused: bool,
    /// Why it failed.
    pub fault: Option<FaultView>,
    /// What it waits for.
    pub wait: Option<WaitView>,
    /// Its items, if it is a fan-out that knows them.
    pub items: Option<ItemsView>,
    /// Why it was skipped.
    pub skip_reason: Option<String>,
}

impl StepView {
    pub(crate) fn new(node: &PlanNode, facts: &StepFacts) -> Self {
        let status = facts.status;
        Self {
            id: node.id.to_string(),
            ix: node.ix.0,
            status: word(status),
            attempts: facts.attempts,
            started_at: facts.started_at.map(time),
            ended_at: facts.ended_at.map(time),
            took_s: facts.started_at.zip(facts.ended_at).map(|(from, to)| seconds(to.since(from))),
            rows: facts.rows,
            reused: facts.reused,
            fault: facts.fault.as_ref().filter(|_| status != StepStatus::Succeeded).map(FaultView::from),
            wait: facts.wait.as_ref().filter(|_| status == StepStatus::Waiting).map(WaitView::from),
            items: facts.planned.map(|_| facts.items.into()),
            skip_reason: facts.skipped.map(word),
        }
    }
}

/// Where a run stands that waits for its turn.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueView {
    /// From 1.
    pub position: usize,
    /// `group`, `pool` or `slots`.
    pub reason: &'static str,
    /// For people.
    pub text: String,
    /// Runs that hold what it waits for.
    pub holders: Vec<String>,
    /// In how many seconds it may start, by how long such runs took lately.
    pub estimate_s: Option<f64>,
}

/// A run with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunDetail {
    /// As in lists.
    #[serde(flatten)]
    pub run: RunView,
    /// Why it was started.
    pub cause: CauseView,
    /// What it was given.
    #[schema(value_type = Object)]
    pub inputs: AnyJson,
    /// What it gave, once it ended well.
    #[schema(value_type = Option<Object>)]
    pub outputs: Option<AnyJson>,
    /// Why it failed.
    pub fault: Option<FaultView>,
    /// The step that the fault is of.
    pub failed_step: Option<String>,
    /// The number of its last event; streams go on from there.
    pub seq: u64,
    /// The process that drives it.
    pub owner: Option<String>,
    /// The time that it is about.
    pub interval: Option<IntervalView>,
    /// Its steps, in the order of the file.
    pub steps: Vec<StepView>,
    /// Where it stands, if it is queued.
    pub queue: Option<QueueView>,
    /// Runs that its steps started.
    pub children: Vec<RunView>,
    /// Its graph.
    pub plan: PlanView,
}

/// The time that a run is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IntervalView {
    /// Its first moment.
    pub start: String,
    /// The moment after its last.
    pub end: String,
    /// The zone whose days count.
    pub zone: String,
}

/// Encoded values as JSON for people.
pub(crate) fn shown(encoded: &AnyJson) -> AnyJson {
    match encoded {
        AnyJson::Object(object) => {
            let plain =
                |json: &AnyJson| millwork_engine::data::decode(json).map_or(AnyJson::Null, |value| plain(&value));
            AnyJson::Object(object.iter().map(|(name, json)| (name.clone(), plain(json))).collect())
        }
        _ => AnyJson::Object(serde_json::Map::new()),
    }
}

/// The step that a run's fault is of.
pub(crate) fn failed_step(look: &millwork_engine::RunLook) -> Option<NodeIx> {
    let fault = look.state.fault()?;
    if look.state.status() != RunStatus::Failed {
        return None;
    }
    let facts = look.facts.iter().zip(&look.plan.nodes);
    let failed = facts.filter(|(facts, _)| facts.status == StepStatus::Failed && facts.fault.as_ref() == Some(fault));
    failed.min_by_key(|(facts, _)| facts.ended_at).map(|(_, node)| node.ix)
}

/// A question to a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalView {
    /// The run that waits.
    pub run: String,
    /// Its pipeline.
    pub pipeline: String,
    /// The step that asks.
    pub step: String,
    /// What it asks.
    pub prompt: String,
    /// Values that are given with the answer.
    pub form: Vec<super::InputView>,
    /// Digest of exactly what is shown; the answer names it.
    pub shown: String,
    /// Since when it waits.
    pub asked_at: Option<String>,
    /// When the wait is over.
    pub until: Option<String>,
    /// What no answer means then.
    #[schema(value_type = Option<Value>)]
    pub default: Option<AnyJson>,
}

/// An answer to a question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerRequest {
    /// `shown` of the question.
    pub shown: String,
    /// `{approved: true|false, values: {..}}`, with the values of the form.
    #[schema(value_type = Object)]
    pub answer: AnyJson,
}
