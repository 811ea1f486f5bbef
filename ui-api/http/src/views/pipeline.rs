use millwork_engine::{
    data::plain,
    diag::JsonDiagnostic,
    graph::{Plan, Section, Work},
    schedules,
    spec::{InputSpec, NodeKind, TriggerSpec},
};
use millwork_service::{
    catalog::{Entry, Standing},
    ticker::ScheduleView,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Named, RunView, time};
use crate::problem::AnyJson;

/// A pipeline of the catalog.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PipelineView {
    /// Its name.
    pub name: String,
    /// Its file, from the folder of pipelines.
    pub path: String,
    /// What it says of itself.
    pub description: Option<String>,
    /// The revision that is started.
    pub revision: Option<String>,
    /// `ready`, or `broken` if its file has errors now.
    pub state: &'static str,
    /// Errors in the file.
    pub errors: usize,
    /// Warnings in the file.
    pub warnings: usize,
    /// What starts it.
    pub triggers: Vec<TriggerView>,
    /// What it is given.
    pub inputs: Vec<InputView>,
    /// How many schedules it has.
    pub schedules: usize,
    /// Runs that share a limit.
    pub concurrency: Option<ConcurrencyView>,
    /// Its newest run.
    pub last_run: Option<RunView>,
    /// When a schedule starts it next.
    pub next_tick: Option<String>,
}

/// Something that starts a pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TriggerView {
    /// `schedule`, `webhook`, `file`, `pipeline`, `artifact`, `table` or `manual`.
    pub kind: &'static str,
    /// For people.
    pub text: String,
}

/// An input of a pipeline, or a value of a form.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputView {
    /// Its name.
    pub name: String,
    /// Its type, in the language of pipelines.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it must be given.
    pub required: bool,
    /// Its default, where that is a literal.
    #[schema(value_type = Option<Value>)]
    pub default: Option<AnyJson>,
    /// Its default as written, where that is an expression.
    pub default_text: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The only values allowed; empty: any.
    #[serde(rename = "enum")]
    #[schema(value_type = Vec<Value>)]
    pub allowed: Vec<AnyJson>,
}

/// `concurrency:` of a pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConcurrencyView {
    /// The group as written.
    pub group: String,
    /// Runs at once.
    pub limit: u32,
    /// `queue`, `skip` or `cancel`.
    pub on_conflict: String,
}

impl PipelineView {
    pub(crate) fn new(entry: &Entry, folder: &std::path::Path) -> Self {
        let spec = entry.spec();
        let (errors, warnings) = entry.counts();
        let triggers = spec.iter().flat_map(|spec| spec.triggers.iter().map(|trigger| trigger_view(&trigger.value)));
        let inputs = spec
            .iter()
            .flat_map(|spec| spec.inputs.iter().map(|(name, input)| input_view(&entry.source, name.as_str(), input)));
        let concurrency = spec.and_then(|spec| spec.concurrency.as_ref()).map(|concurrency| ConcurrencyView {
            group: unquoted(&snippet(&entry.source, concurrency.group.span)),
            limit: concurrency.limit,
            on_conflict: format!("{:?}", concurrency.on_conflict).to_lowercase(),
        });
        Self {
            name: entry.name.clone(),
            path: entry.file.strip_prefix(folder).unwrap_or(&entry.file).display().to_string(),
            description: description(entry),
            revision: entry.startable.as_ref().map(|startable| startable.revision.to_string()),
            state: match entry.standing {
                Standing::Ready => "ready",
                Standing::Broken => "broken",
            },
            errors,
            warnings,
            triggers: triggers.collect(),
            inputs: inputs.collect(),
            schedules: spec.map_or(0, |spec| schedules(spec).count()),
            concurrency,
            last_run: None,
            next_tick: None,
        }
    }
}

/// What a pipeline says of itself: in its file, also where that has errors.
pub(crate) fn description(entry: &Entry) -> Option<String> {
    match (entry.spec(), entry.standing) {
        (Some(spec), Standing::Ready) => spec.description.clone(),
        _ => {
            let tree = millwork_engine::spec::read_tree(&entry.source);
            tree.root?.get("description")?.text().map(|text| text.value.to_string())
        }
    }
}

/// A text of the file without the quotes that YAML needs around it.
fn unquoted(text: &str) -> String {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    match (inner('\''), inner('"')) {
        (Some(inner), _) => inner.replace("''", "'"),
        (_, Some(inner)) => serde_json::from_str(text).unwrap_or_else(|_| inner.to_owned()),
        _ => text.to_owned(),
    }
}

fn snippet(source: &millwork_engine::diag::Source, span: millwork_engine::diag::Span) -> String {
    source.text().get(span.start as usize..span.end as usize).unwrap_or_default().to_owned()
}

fn trigger_view(trigger: &TriggerSpec) -> TriggerView {
    let (kind, text) = match trigger {
        TriggerSpec::Schedule(schedule) => {
            ("schedule", format!("{} ({})", schedule.calendar.cron.as_str(), schedule.calendar.zone.name()))
        }
        TriggerSpec::Webhook(hook) => ("webhook", format!("{} /hooks{}", hook.method, hook.path)),
        TriggerSpec::File(file) => {
            ("file", file.paths.iter().map(|path| path.value.as_str()).collect::<Vec<_>>().join(", "))
        }
        TriggerSpec::Pipeline(upstream) => ("pipeline", upstream.to_string()),
        TriggerSpec::Content(content) => (content.form.key(), content.to_string()),
        TriggerSpec::Manual => ("manual", "by hand".to_owned()),
    };
    TriggerView { kind, text }
}

fn input_view(source: &millwork_engine::diag::Source, name: &str, input: &InputSpec) -> InputView {
    let literal = input.default.as_ref().and_then(|default| default.value.literal());
    let written = input.default.as_ref().filter(|_| literal.is_none());
    InputView {
        name: name.to_owned(),
        ty: input.ty.to_string(),
        required: input.default.is_none() && !input.ty.allows_null(),
        default: literal.map(plain),
        default_text: written.map(|default| unquoted(&snippet(source, default.span))),
        description: input.description.clone(),
        allowed: input.allowed.iter().map(node_json).collect(),
    }
}

/// A literal of the file as JSON.
pub(crate) fn node_json(node: &millwork_engine::spec::Node) -> AnyJson {
    match &node.kind {
        NodeKind::Null => AnyJson::Null,
        NodeKind::Bool(b) => AnyJson::Bool(*b),
        NodeKind::Int(i) => (*i).into(),
        NodeKind::Float(f) => serde_json::json!(f),
        NodeKind::String(text) => AnyJson::String(text.value.to_string()),
        NodeKind::List(items) => items.iter().map(node_json).collect(),
        NodeKind::Map(entries) => {
            AnyJson::Object(entries.iter().map(|(key, node)| (key.text.to_string(), node_json(node))).collect())
        }
    }
}

/// The text of a pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceView {
    /// Its file.
    pub path: String,
    /// The text as it is now.
    pub text: String,
    /// The revision that is started.
    pub revision: Option<String>,
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckView {
    /// The revision, if there is no error.
    pub revision: Option<String>,
    /// Whether there is no error.
    pub ok: bool,
    /// What was found, in the order of the file.
    #[schema(value_type = Vec<Object>)]
    pub diagnostics: Vec<JsonDiagnostic>,
}

/// A text to be checked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckRequest {
    /// The text.
    pub text: String,
    /// What messages call it.
    pub path: Option<String>,
}

/// The graph of a pipeline.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PlanView {
    /// Its revision.
    pub revision: String,
    /// Steps.
    pub nodes: Vec<NodeView>,
    /// From what is needed to what needs it.
    pub edges: Vec<EdgeView>,
    /// Outputs of the pipeline.
    pub outputs: Vec<Named>,
}

/// A step of the graph.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct NodeView {
    /// Its id.
    pub id: String,
    /// Its number.
    pub ix: u32,
    /// Its kind; `null` for a body of several steps.
    pub kind: Option<String>,
    /// `steps`, `on_failure` or `finally`.
    pub section: &'static str,
    /// Whether it is a fan-out.
    pub for_each: bool,
    /// Whether it has an `if`.
    pub condition: bool,
    /// What an attempt does to the world: `pure`, `idempotent` or `external`.
    pub effect: String,
    /// What it gives.
    pub outputs: Vec<Named>,
    /// How many steps are before it, on the longest way.
    pub layer: usize,
    /// Its line in the file.
    pub line: usize,
}

/// An edge of the graph.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EdgeView {
    /// What is needed.
    pub from: String,
    /// What needs it.
    pub to: String,
}

impl PlanView {
    pub(crate) fn new(plan: &Plan) -> Self {
        let layers = layers(plan);
        let nodes = plan.nodes.iter().map(|node| NodeView {
            id: node.id.to_string(),
            ix: node.ix.0,
            kind: match &node.work {
                Work::Kind { kind, .. } => Some(kind.name().to_owned()),
                Work::Body { .. } => None,
            },
            section: match node.section {
                Section::Main => "steps",
                Section::OnFailure => "on_failure",
                Section::Finally => "finally",
            },
            for_each: node.spec.for_each.is_some(),
            condition: node.spec.condition.is_some(),
            effect: format!("{:?}", node.effect).to_lowercase(),
            outputs: node.outputs.iter().map(|(name, ty)| Named::new(name, ty)).collect(),
            layer: layers.get(node.ix.index()).copied().unwrap_or(0),
            line: plan.spec.source.position(node.spec.id.span.start).line,
        });
        let id = |ix: millwork_engine::model::NodeIx| plan.nodes.get(ix.index()).map(|node| node.id.to_string());
        let edges = plan.shape.nodes.iter().zip(&plan.nodes).flat_map(|(shape, node)| {
            let to = node.id.to_string();
            shape.needs.iter().filter_map(move |need| Some(EdgeView { from: id(*need)?, to: to.clone() }))
        });
        Self {
            revision: plan.revision.to_string(),
            nodes: nodes.collect(),
            edges: edges.collect(),
            outputs: plan.outputs.iter().map(|(name, ty)| Named::new(name, ty)).collect(),
        }
    }
}

/// The longest way to each step.
fn layers(plan: &Plan) -> Vec<usize> {
    let mut layers = vec![0; plan.nodes.len()];
    // Edges make no cycle, so that as many rounds as there are steps are enough; a few mostly are.
    for _ in 0..plan.nodes.len() {
        let mut changed = false;
        for (ix, node) in plan.shape.nodes.iter().enumerate() {
            let layer = node.needs.iter().map(|need| layers[need.index()] + 1).max().unwrap_or(0);
            changed |= std::mem::replace(&mut layers[ix], layer) != layer;
        }
        if !changed {
            break;
        }
    }
    layers
}

/// A revision of a pipeline that was seen.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevisionView {
    /// Its digest.
    pub revision: String,
    /// When it was first seen.
    pub seen_at: String,
    /// Whether it is the one that is started.
    pub current: bool,
}

/// The text of a revision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevisionText {
    /// Its digest.
    pub revision: String,
    /// The text.
    pub text: String,
}

/// What changed between two revisions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiffView {
    /// The one that is compared with.
    pub from: String,
    /// The one that was asked for.
    pub to: String,
    /// A unified diff; empty if the texts are equal.
    pub unified: String,
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleOut {
    /// Its pipeline.
    pub pipeline: String,
    /// Which of the pipeline, from 0.
    pub index: u32,
    /// The cron line.
    pub cron: String,
    /// Its IANA zone.
    pub timezone: String,
    /// `none`, `latest` or `all`.
    pub catchup: &'static str,
    /// `skip`, `queue`, `cancel` or `allow`.
    pub overlap: String,
    /// By when its runs should have succeeded: a time of the day, or so long after their times.
    pub finish_by: Option<String>,
    /// Whether it is paused.
    pub paused: bool,
    /// By whom.
    pub paused_by: Option<String>,
    /// The next five times.
    pub next: Vec<String>,
    /// The last time that came.
    pub last: Option<LastTickView>,
    /// For people.
    pub description: String,
}

/// What came of a time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastTickView {
    /// The time.
    pub at: String,
    /// Its run.
    pub run: Option<String>,
    /// Why there is none.
    pub why: Option<String>,
}

impl ScheduleOut {
    pub(crate) fn new(view: &ScheduleView, now: millwork_engine::model::Timestamp) -> Self {
        use millwork_engine::schedule::Catchup;
        let calendar = &view.spec.calendar;
        let paused = view.record.paused_by.is_some();
        let next = if paused { Vec::new() } else { calendar.ticks(now).take(5).map(time).collect() };
        let last = view.record.last.as_ref().map(|last| LastTickView {
            at: time(last.at),
            run: last.run.map(|run| run.to_string()),
            why: last.why.clone(),
        });
        Self {
            pipeline: view.pipeline.clone(),
            index: view.schedule,
            cron: calendar.cron.as_str().to_owned(),
            timezone: calendar.zone.name().to_owned(),
            catchup: match view.spec.catchup {
                Catchup::None => "none",
                Catchup::Latest => "latest",
                Catchup::All { .. } => "all",
            },
            overlap: format!("{:?}", view.spec.overlap).to_lowercase(),
            finish_by: view.spec.finish_by.map(|by| by.to_string()),
            paused,
            paused_by: view.record.paused_by.clone(),
            next,
            last,
            description: format!("{} in {}", calendar.cron.as_str(), calendar.zone.name()),
        }
    }
}

/// A time of a schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TickView {
    /// In UTC.
    pub at: String,
    /// As clocks in the schedule's zone show it, with their offset.
    pub local: String,
    /// `gap` or `overlap` if clocks change then.
    pub odd: Option<&'static str>,
}
