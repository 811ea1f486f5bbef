use millwork_engine::{
    RunLook, RunOwner,
    model::{NodeIx, RunStatus, StepStatus, event::Cause},
    store::RunView as Stored,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FaultView, StepView, StepsView, seconds, time, word};
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
    /// When it began; before, it waited for its turn.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Seconds that it waited for its turn, once it began.
    pub queued_s: Option<f64>,
    /// Seconds from its begin to its end.
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
            started_at: run.started_at.map(time),
            ended_at: run.ended_at.map(time),
            queued_s: run.started_at.map(|started| seconds(started.since(run.created_at))),
            took_s: run.started_at.zip(run.ended_at).map(|(started, ended)| seconds(ended.since(started))),
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
            Cause::Content { what, run, .. } => ("content", format!("{what} changed"), *run),
            Cause::Rerun { of, from } => ("rerun", format!("{of} again from {from} on"), Some(*of)),
        };
        Self { kind, text, run: run.map(|run| run.to_string()) }
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

/// A process that drives a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OwnerView {
    /// Whether it is this server.
    pub here: bool,
    /// The number of another process on the server's machine.
    pub pid: Option<u32>,
    /// What it was started as.
    pub command: Option<String>,
    /// Since when it runs.
    pub since: Option<String>,
}

impl From<&RunOwner> for OwnerView {
    fn from(owner: &RunOwner) -> Self {
        let other = match owner {
            RunOwner::Elsewhere(holder) => Some(holder),
            RunOwner::Here | RunOwner::Unknown => None,
        };
        Self {
            here: *owner == RunOwner::Here,
            pid: other.map(|holder| holder.pid),
            command: other.map(|holder| holder.command.clone()),
            since: other.map(|holder| time(holder.since)),
        }
    }
}

/// A run with what is known of it as a whole.
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
    /// The process that drives it; `null` if none does.
    pub owner: Option<OwnerView>,
    /// The time that it is about.
    pub interval: Option<IntervalView>,
    /// How many steps it has, by their state.
    pub steps: StepsView,
    /// Steps that wait, at most 20.
    pub waits: Vec<StepView>,
    /// Where it stands, if it is queued.
    pub queue: Option<QueueView>,
    /// The newest runs that its steps started, at most 100.
    pub children: Vec<RunView>,
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
            let plain = |json: &AnyJson| {
                millwork_engine::data::decode(json).map_or(AnyJson::Null, |value| millwork_engine::data::plain(&value))
            };
            AnyJson::Object(object.iter().map(|(name, json)| (name.clone(), plain(json))).collect())
        }
        _ => AnyJson::Object(serde_json::Map::new()),
    }
}

/// The step that a run's fault is of.
pub(crate) fn failed_step(look: &RunLook) -> Option<NodeIx> {
    let fault = look.state.fault()?;
    if look.state.status() != RunStatus::Failed {
        return None;
    }
    let facts = look.facts.iter().zip(&look.plan.nodes);
    let failed = facts.filter(|(facts, _)| facts.status == StepStatus::Failed && facts.fault.as_ref() == Some(fault));
    failed.min_by_key(|(facts, _)| facts.ended_at).map(|(_, node)| node.ix)
}
