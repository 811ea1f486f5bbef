use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use millwork_engine::{
    Engine, RunHandle, RunRequest, RunSummary,
    data::Value,
    graph::Plan,
    model::{Fault, FaultCode, Name, RunStatus},
};
use serde_json::{Value as Json, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{
    Exit,
    args::{OpenArgs, RunArgs},
    fault::place_of_fault,
    home, load, open,
    output::{Output, Tone},
    run_id,
    watch::{self, Watch},
    words,
    workspace::Workspace,
};

/// Faults of results that were kept and are not there any more.
const LOST: &[FaultCode] = &[FaultCode::ARTIFACT_MISSING, FaultCode::ARTIFACT_CORRUPT];

/// Checks a pipeline and runs it to its end.
pub(super) fn run(output: &Output, args: &RunArgs) -> Result<Exit, Fault> {
    let file = load::file_of(&args.path)?;
    let registry = millwork_steps::registry();
    let workspace = Workspace::of_file(output, &file)?;
    let plan = load::plan(output, &file, &registry, &workspace)?;
    let request = RunRequest { inputs: inputs(&plan, args)?, only: only(&plan, &args.only)?, ..RunRequest::default() };
    let home = home::for_pipeline(args.open.home.as_deref(), &file);
    if plan.spec.concurrency.is_some() {
        output.say("note: `concurrency` is for runs that a service queues: `run` starts this one at once");
    }
    open::block_on(async {
        let engine = open::engine(home, registry, &args.open, &workspace).await?;
        let handle = engine.start(plan.clone(), request).await?;
        follow(output, engine, handle, plan, args.json).await
    })
}

/// Goes on with a run to its end.
pub(super) fn resume(output: &Output, run: &str, as_json: bool, args: &OpenArgs) -> Result<Exit, Fault> {
    let home = home::existing(args.home.as_deref())?;
    let workspace = Workspace::above(output, &home)?;
    open::block_on(async {
        let engine = open::engine(home, millwork_steps::registry(), args, &workspace).await?;
        let id = run_id::find(&engine, run).await?;
        let plan = engine.plan_of(id).await?;
        let handle = engine.resume(id, &user()).await?;
        follow(output, engine, handle, plan, as_json).await
    })
}

/// Shows a run until it ends, stops, or waits for a person. Ctrl-C cancels, a second one interrupts;
/// SIGTERM interrupts at once.
pub(super) async fn follow(
    output: &Output,
    engine: Engine,
    mut handle: RunHandle,
    plan: Arc<Plan>,
    as_json: bool,
) -> Result<Exit, Fault> {
    let cannot = |e: std::io::Error| Fault::external("cli.signals", format!("signals cannot be listened to: {e}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let id = handle.id();
    if as_json {
        output.json(&json!({"type": "run", "run": id, "pipeline": plan.spec.name.value}));
    } else {
        output.say(format!("{} {}", output.paint(Tone::Strong, &plan.spec.name.value), output.paint(Tone::Dim, id)));
    }
    let mut watch = Watch::new(output, plan.clone(), as_json);
    let mut updates = handle.updates();
    let ended = handle.ended(true);
    tokio::pin!(ended);
    let mut listening = true;
    let summary = loop {
        tokio::select! {
            biased;
            update = updates.recv(), if listening => match update {
                Some(update) => watch.update(&update),
                None => listening = false,
            },
            Some(()) = interrupt.recv() => match engine.cancel(id, "Ctrl-C").await {
                // It ended in this moment: its summary comes next.
                Err(fault) if fault.code != FaultCode::RUN_ENDED => return Err(fault),
                _ => {}
            },
            Some(()) = terminate.recv() => engine.clone().close().await?,
            summary = &mut ended => break summary,
        }
    };
    while let Ok(update) = updates.try_recv() {
        watch.update(&update);
    }
    watch.end();
    let summary = summary?;
    conclude(output, &plan, &summary, as_json);
    engine.close().await?;
    Ok(Exit::of_run(summary.status))
}

fn conclude(output: &Output, plan: &Plan, summary: &RunSummary, as_json: bool) {
    if as_json {
        output.json(&json!({
            "type": "summary", "run": summary.id, "status": summary.status, "outputs": summary.outputs,
            "fault": summary.fault, "seconds": summary.took.as_secs_f64(),
        }));
        return;
    }
    let fault = summary.fault.as_ref().filter(|_| summary.status == RunStatus::Failed);
    if let Some(fault) = fault {
        output.fault_at(fault, place_of_fault(plan, summary).as_deref());
    }
    let (word, tone) = words::run_status(summary.status);
    let tally = watch::tally(summary.steps.iter().map(|step| step.status));
    output.say(format!("{} in {} ({tally})", output.paint(tone, word), words::duration(summary.took)));
    match summary.status {
        RunStatus::Waiting => output.say(format!("answer with: millwork runs approve {}", summary.id)),
        // A result that is gone comes back only if the step that gave it runs again.
        RunStatus::Failed if fault.is_some_and(|fault| LOST.contains(&fault.code)) => {
            output.say(format!("go on with: millwork runs rerun {} --from {}", summary.id, givers(plan, summary)));
        }
        RunStatus::Interrupted | RunStatus::Failed => {
            output.say(format!("go on with: millwork runs resume {}", summary.id));
        }
        RunStatus::Queued | RunStatus::Running | RunStatus::Succeeded | RunStatus::Cancelled => {}
    }
    if summary.outputs.as_object().is_some_and(|outputs| !outputs.is_empty()) {
        output.result(format!("{:#}", summary.outputs));
    }
}

/// The steps whose results the one that failed needs.
fn givers(plan: &Plan, summary: &RunSummary) -> String {
    let shape = summary.failed_at.and_then(|ix| plan.shape.nodes.get(ix.index()));
    let needs = shape.into_iter().flat_map(|shape| &shape.needs);
    let ids: Vec<&str> = needs.filter_map(|need| Some(plan.nodes.get(need.index())?.id.as_str())).collect();
    match ids.as_slice() {
        [] => "STEP".to_owned(),
        [only] => (*only).to_owned(),
        several => format!("STEP (one of {})", several.join(", ")),
    }
}

/// Inputs from a file, then from `--input`. The engine converts and checks them against their types.
fn inputs(plan: &Plan, args: &RunArgs) -> Result<BTreeMap<String, Value>, Fault> {
    let mut inputs = BTreeMap::new();
    if let Some(file) = &args.inputs_file {
        for (name, json) in read_object(file)? {
            inputs.insert(name, value_of(json));
        }
    }
    let mut given = BTreeSet::new();
    for (name, text) in &args.inputs {
        if !given.insert(name) {
            return Err(Fault::user("cli.usage", format!("`--input {name}=...` is given twice"))
                .help(format!("for a list, give it once: `--input '{name}=[1, 2]'`")));
        }
        let ty = plan.spec.inputs.get(name.as_str()).map(|input| input.ty.required());
        let takes_text = ty.is_none_or(|ty| matches!(ty, millwork_engine::data::Type::String));
        // Text stays text where text is wanted: a name may look like a number.
        let value = match serde_json::from_str(text) {
            _ if takes_text => None,
            Ok(json) => Some(value_of(json)),
            // What begins like JSON and is none is a slip, not a list of one odd text.
            Err(why) if text.starts_with(['[', '{']) => {
                let message = format!("the input `{name}` is not JSON: {why}");
                return Err(Fault::user("cli.usage", message)
                    .help("put the whole in single quotes, so that the shell leaves its double quotes alone"));
            }
            Err(_) => None,
        };
        inputs.insert(name.clone(), value.unwrap_or_else(|| Value::from(text.as_str())));
    }
    Ok(inputs)
}

fn read_object(file: &Path) -> Result<serde_json::Map<String, Json>, Fault> {
    let wrong = |why: String| Fault::user("cli.usage", format!("{} {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    match serde_json::from_str(&text) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(wrong("does not hold a JSON object".to_owned())),
        Err(e) => Err(wrong(format!("is not JSON: {e}"))),
    }
}

/// JSON that a person wrote, as a value: no tag in it has a meaning.
pub(super) fn value_of(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::NAN)), Value::Int),
        Json::String(s) => Value::from(s),
        Json::Array(items) => Value::list(items.into_iter().map(value_of)),
        Json::Object(entries) => Value::map(entries.into_iter().map(|(name, json)| (name, value_of(json)))),
    }
}

fn only(plan: &Plan, ids: &[String]) -> Result<Vec<Name>, Fault> {
    let known = |id: &String| {
        let steps = || plan.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>();
        let unknown =
            || Fault::user("cli.usage", format!("there is no step `{id}`")).help(words::near_or_all(id, &steps()));
        plan.node(id).map(|node| node.id.clone()).ok_or_else(unknown)
    };
    ids.iter().map(known).collect()
}

/// Who asks, for the record.
pub(super) fn user() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "command line".to_owned())
}
