//! One try at one kind's work: resolved, built, run under its limits, its outputs checked.

use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::{
    Deps, Envelope, Frozen, Update,
    env::{AttemptEnv, BodyStep, ItemValue, Loaded, Opened, Secrets},
    keep::Outputs,
    logs,
    scrub::gives_away,
    slot::Slot,
    watchdog::{guarded, panicked},
};
use crate::{
    crash::crash_point,
    data::{Type, Value, plain},
    expr::{Part, Root},
    graph::{PlanNode, Work as Runs},
    model::{Fault, FaultCode, Labels, Name, NodeIx, Timestamp, Wait},
    spec::OnExceeded,
    step::{Effect, Inputs, Journal, LogSink, Ports, Progress, Read, StepContext, StepEnd, StepOutput},
};

/// Labels of outputs by their names.
pub(crate) type OutputLabels = BTreeMap<String, Labels>;

/// An attempt with everything loaded.
pub(crate) struct Work<'a> {
    pub deps: &'a Deps,
    pub run: &'a Frozen,
    pub node: &'a PlanNode,
    pub envelope: &'a Envelope,
    pub loaded: &'a Loaded,
    pub item: Option<&'a ItemValue>,
    /// Inside a body of several steps: the place that the item's step has in the plan, and the steps before.
    pub body: Option<(NodeIx, &'a HashMap<Name, BodyStep>)>,
    pub slot: &'a Slot,
}

/// Resolves, builds and runs a kind once. Gives its end, and the labels of its outputs.
pub(crate) async fn run_kind(work: &Work<'_>, answer: Option<Json>) -> Result<(StepEnd, OutputLabels), Fault> {
    let Runs::Kind { kind, config, reads, ports } = &work.node.work else {
        return Err(Fault::internal("plan.body", "a body of several steps was run as one step"));
    };
    let opened = Opened::default();
    let progress = Progress::default();
    let cancel = work.slot.cancel.child_token();
    let (step, context) = {
        let env = environment(work, &opened);
        let built = std::panic::catch_unwind(AssertUnwindSafe(|| kind.build(config, &env, &work.deps.services)));
        let step = built.unwrap_or_else(|panic| Err(panicked(work.node, &*panic)))?;
        let variables = variables(work.node, &env)?;
        let inputs = inputs(work, reads)?;
        (step, context(work, inputs, variables, answer, progress.clone(), cancel))
    };
    crash_point("attempt.built");
    let scratch = Scratch::make(work, context.scratch.clone())?;
    let watch = watch_progress(work, progress);
    let end = guarded(work.node, work.slot, step, context, scratch).await;
    drop(watch);
    match end.or_else(|fault| park_for_budget(work, fault))? {
        StepEnd::Done(output) => {
            let output = checked(work.node, ports, output)?;
            refuse_secrets(work.node, &output, &opened)?;
            let labels = labels_of(work, &output, &opened);
            Ok((StepEnd::Done(output), labels))
        }
        StepEnd::Park(wait) => Ok((StepEnd::Park(wait), BTreeMap::new())),
    }
}

/// A step whose budget is used up waits for more, where `on_exceeded` says so. An item cannot wait.
fn park_for_budget(work: &Work<'_>, fault: Fault) -> Result<StepEnd, Fault> {
    let budget = work.node.spec.budget.as_ref().or(work.run.plan.spec.budget.as_ref());
    let parks = budget.is_some_and(|budget| budget.on_exceeded == OnExceeded::Park) && work.item.is_none();
    if fault.code == FaultCode::BUDGET_EXCEEDED && parks {
        return Ok(StepEnd::Park(Wait::Budget { resource: fault.message }));
    }
    Err(fault)
}

/// Outputs are recorded, so none may hold the text of a secret. Tables are not looked through.
fn refuse_secrets(node: &PlanNode, output: &StepOutput, opened: &Opened) -> Result<(), Fault> {
    for (secret, text) in opened.all() {
        let mut outputs = output.values.iter().filter(|(_, value)| value.as_table().is_none());
        if let Some((name, _)) = outputs.find(|(_, value)| gives_away(&text, &plain(value))) {
            let message = format!("the output `{name}` of step `{}` holds the text of the secret `{secret}`", node.id);
            return Err(Fault::user("secret.leak", message)
                .help("outputs are recorded: give what the secret opens, never the secret itself"));
        }
    }
    Ok(())
}

fn environment<'a>(work: &Work<'a>, opened: &'a Opened) -> AttemptEnv<'a> {
    AttemptEnv {
        loaded: work.loaded,
        item: work.item,
        outputs: None,
        body: work.body.map(|(_, steps)| steps),
        endings: None,
        secrets: Some(Secrets {
            provider: &*work.deps.secrets,
            allowed: &work.run.plan.secrets,
            scrubber: &work.run.scrubber,
            opened,
        }),
        now: started_at(work),
    }
}

/// The step's idea of the present: its first attempt's begin, so that a retry sees the same.
fn started_at(work: &Work<'_>) -> Timestamp {
    let ix = work.body.map_or(work.node.ix, |(item_of, _)| item_of);
    work.run.board.with(ix, |facts| facts.started_at).flatten().unwrap_or_else(|| work.deps.services.clock.now())
}

fn variables(node: &PlanNode, env: &AttemptEnv<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let mut variables = BTreeMap::new();
    for (name, template) in &node.spec.env {
        let value = template.value.eval(env)?.value;
        if !value.is_null() {
            variables.insert(name.clone(), text_of(&value));
        }
    }
    Ok(variables)
}

/// A value as text outside JSON: what JSON would quote stands without quotes.
pub(crate) fn text_of(value: &Value) -> String {
    match plain(value) {
        Json::String(text) => text,
        other if value.as_table().is_none() && !matches!(value, Value::File(_)) => other.to_string(),
        _ => value.to_string(),
    }
}

/// What the kind itself asked to read.
fn inputs(work: &Work<'_>, reads: &[Read]) -> Result<Inputs, Fault> {
    let opened = Opened::default();
    let env = environment(work, &opened);
    let mut inputs = BTreeMap::new();
    for read in reads {
        let root = match read {
            Read::Root(root) => root.clone(),
            Read::TableOf(step) => {
                let missing = || Fault::internal("input.missing", format!("the table of step `{step}` is not known"));
                let output = work.node.tables.get(step).ok_or_else(missing)?;
                Root::Step { step: step.clone(), part: Part::Output(output.clone()) }
            }
        };
        inputs.insert(read.clone(), crate::expr::Env::value(&env, &root)?);
    }
    Ok(Inputs(inputs))
}

/// Where the lines of an attempt go.
pub(super) fn log_of(work: &Work<'_>) -> LogSink {
    let (deps, run, envelope) = (work.deps, work.run, work.envelope);
    let step = work.node.id.clone();
    let of = logs::LogOf { node: envelope.node, step, item: envelope.item, attempt: envelope.attempt };
    let clock = deps.services.clock.clone();
    logs::sink(
        logs::folder(&deps.home, run.id),
        of,
        clock,
        run.scrubber.clone(),
        run.updates.clone(),
        run.log_room.clone(),
    )
}

/// The least of what the step, the blocks around it and the process allow.
fn memory_of(work: &Work<'_>) -> Option<u64> {
    let node = work.node;
    // A run's memory is shared by as many attempts as may be under way.
    let of_run = node.permissions.memory().map(|bytes| bytes / work.deps.parallel as u64);
    let of_all = work.deps.memory.map(|shares| if work.slot.is_extra() { shares.extra } else { shares.each });
    [node.spec.memory, of_run, of_all].into_iter().flatten().min()
}

fn context(
    work: &Work<'_>,
    inputs: Inputs,
    env: BTreeMap<String, String>,
    answer: Option<Json>,
    progress: Progress,
    cancel: CancellationToken,
) -> StepContext {
    let (deps, run, node, envelope) = (work.deps, work.run, work.node, work.envelope);
    let journals: Arc<dyn crate::step::JournalStore> = match work.body {
        Some(_) => Arc::new(super::body::Within { store: deps.journals.clone(), step: node.id.clone() }),
        None => deps.journals.clone(),
    };
    StepContext {
        run: run.id,
        step: node.id.clone(),
        item: envelope.item,
        attempt: envelope.attempt,
        key: envelope.key.clone(),
        started_at: deps.services.clock.now(),
        inputs,
        env,
        answer,
        base: run.plan.base.clone(),
        scratch: deps.home.join("tmp").join(format!("{}-{}", envelope.key.short(), envelope.attempt)),
        permissions: node.permissions.clone(),
        memory: memory_of(work),
        journal: Journal::new(journals, run.id, envelope.node, envelope.item, run.epoch),
        tables: deps.tables.clone(),
        log: log_of(work),
        progress,
        cancel,
    }
}

/// The outputs in the order of the ports, each of its type. A step that gives something else has a bug.
fn checked(node: &PlanNode, ports: &Ports, mut output: StepOutput) -> Result<StepOutput, Fault> {
    let wrong = |text: String| Err(Fault::internal("step.output", format!("step `{}` {text}", node.id)));
    let mut values = Outputs::with_capacity(ports.outputs.len());
    for (name, port) in &ports.outputs {
        let value = output.values.swap_remove(name).unwrap_or(Value::Null);
        let found = Type::of(&value);
        if !found.fits(&port.ty) {
            return wrong(format!("gave `{name}` as {found}, but promised {}", port.ty));
        }
        values.insert(name.clone(), value);
    }
    if let Some(name) = output.values.keys().next() {
        return wrong(format!("gave an output `{name}` that it did not promise"));
    }
    if output.rows.is_none() {
        let mut tables = values.values().filter_map(Value::as_table);
        output.rows = tables.next().filter(|_| tables.next().is_none()).and_then(|table| table.rows);
    }
    output.values = values;
    Ok(output)
}

/// Labels of what was read flow to every output; a secret's label to those that hold its text.
fn labels_of(work: &Work<'_>, output: &StepOutput, opened: &Opened) -> OutputLabels {
    let mut read = super::frozen::all_labels(work.loaded);
    if let Some(item) = work.item {
        read.join(&item.value.labels);
    }
    if let Some((_, steps)) = work.body {
        let names: Vec<&Name> = work.node.reads.iter().filter_map(step_of).collect();
        steps.iter().filter(|(name, _)| names.contains(name)).for_each(|(_, step)| read.join(&step.labels));
    }
    let secrets = opened.all();
    let mut all = OutputLabels::new();
    for (name, value) in &output.values {
        let mut labels = read.clone();
        if let Some(own) = output.labels.get(name) {
            labels.join(own);
        }
        if !secrets.is_empty() && value.as_table().is_none() {
            let text = value.to_string();
            let inside = secrets.iter().filter(|(_, secret)| text.contains(&**secret));
            labels.secrets.extend(inside.map(|(secret, _)| secret.clone()));
        }
        if !labels.is_empty() {
            all.insert(name.to_string(), labels);
        }
    }
    all
}

fn step_of(root: &Root) -> Option<&Name> {
    match root {
        Root::Step { step, .. } => Some(step),
        _ => None,
    }
}

/// Tells watchers how far a step is, a few times a second, until it is dropped.
fn watch_progress(work: &Work<'_>, progress: Progress) -> Option<AbortOnDrop> {
    if work.item.is_some() || !work.run.updates.watched() {
        return None;
    }
    let (updates, node) = (work.run.updates.clone(), work.envelope.node);
    let watch = tokio::spawn(async move {
        let mut last = (0, 0);
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let now = progress.get();
            if now != last {
                last = now;
                updates.send(Update::Progress { node, done: now.0, total: now.1 });
            }
        }
    });
    Some(AbortOnDrop(watch))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The attempt's own folder. Pure kinds make it themselves if they need it (as a place to spill to), for
/// a fan-out of 100,000 items would else spend its time on folders.
struct Scratch {
    path: PathBuf,
    made: bool,
}

impl Scratch {
    fn make(work: &Work<'_>, path: PathBuf) -> Result<Self, Fault> {
        if work.node.effect == Effect::Pure {
            return Ok(Self { path, made: false });
        }
        std::fs::create_dir_all(&path)
            .map_err(|e| Fault::external("scratch", format!("{} cannot be made: {e}", path.display())))?;
        Ok(Self { path, made: true })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.made || self.path.exists() {
            let _ = std::fs::remove_dir(&self.path).or_else(|_| std::fs::remove_dir_all(&self.path));
        }
    }
}
