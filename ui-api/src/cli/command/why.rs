use std::path::PathBuf;

use millwork_engine::{
    Engine,
    graph::Plan,
    model::{Event, Fault, NodeIx, Recorded, RunId, RunStatus, StepStatus},
};

use super::{runs::look_at, show::failed_items};
use crate::cli::{
    Exit,
    fault::{place_of, place_of_fault},
    output::{Output, Tone},
    standing::Standing,
    words,
};

/// Events read at once.
const PAGE: u32 = 1_000;

/// Why a run, or a step of it, stands where it stands.
pub(super) fn why(output: &Output, run: &str, step: Option<&str>, asked: Option<PathBuf>) -> Result<Exit, Fault> {
    look_at(asked, run, async |engine, id| {
        let plan = engine.plan_of(id).await?;
        match step {
            Some(step) => of_step(output, engine, &plan, id, step).await?,
            None => of_run(output, engine, &plan, id).await?,
        }
        Ok(Exit::Ok)
    })
}

async fn of_run(output: &Output, engine: &Engine, plan: &Plan, run: RunId) -> Result<(), Fault> {
    let summary = engine.summary(run).await?;
    let standing = Standing::of(engine, &engine.reader().run(run).await?).await?;
    let (word, tone) = words::run_status(standing.status);
    let (word, took) = (output.paint(tone, word), words::duration(summary.took));
    output.result(match standing.status {
        _ if standing.left => format!("{run} is {word}"),
        RunStatus::Succeeded | RunStatus::Failed => format!("{run} {word} after {took}"),
        RunStatus::Cancelled | RunStatus::Interrupted => format!("{run} was {word} after {took}"),
        RunStatus::Queued | RunStatus::Running | RunStatus::Waiting => {
            format!("{run} is {word}, {took} after it was started")
        }
    });
    if let Some(owner) = &standing.owner {
        output.result(format!("it is driven by {owner}"));
    }
    if let Some(note) = standing.note(run) {
        output.result(note);
    }
    if let Some(fault) = &summary.fault {
        output.tell_fault(fault, place_of_fault(plan, &summary).as_deref());
    }
    for step in &summary.steps {
        match step.status {
            StepStatus::Failed if summary.failed_at != Some(step.node) => {
                if let Some(fault) = &step.fault {
                    output.tell_fault(fault, Some(&place_of(plan, step.id.as_str())));
                }
            }
            StepStatus::Waiting => {
                let what = step.wait.as_ref().map(|wait| format!(" {}", words::wait(wait))).unwrap_or_default();
                output.result(format!("`{}` waits{what}", step.id));
            }
            StepStatus::Running | StepStatus::Ready => {
                output.result(format!("`{}` is {}", step.id, words::step_status(step.status).0));
            }
            _ => {}
        }
        for line in failed_items(engine, run, step).await? {
            output.result(line);
        }
    }
    let timed = summary.steps.iter().filter_map(|step| Some((step.took?, step.id.as_str())));
    if let Some((took, id)) = timed.max() {
        output.result(format!("the slowest step was `{id}` with {}", words::duration(took)));
    }
    Ok(())
}

async fn of_step(output: &Output, engine: &Engine, plan: &Plan, run: RunId, step: &str) -> Result<(), Fault> {
    let node = plan.node(step).ok_or_else(|| {
        let names: Vec<&str> = plan.nodes.iter().map(|node| node.id.as_str()).collect();
        Fault::user("cli.usage", format!("the run has no step `{step}`")).help(words::near_or_all(step, &names))
    })?;
    let ix = node.ix;
    let needs =
        plan.shape.nodes[ix.index()].needs.iter().filter_map(|need| Some(plan.nodes.get(need.index())?.id.as_str()));
    let needs: Vec<&str> = needs.collect();
    output.result(output.paint(Tone::Strong, place_of(plan, step)));
    match needs.as_slice() {
        [] => output.result("it needs no other step"),
        names => output.result(format!("it needs {}", names.join(", "))),
    }
    let (reader, mut after, mut told) = (engine.reader(), 0, false);
    loop {
        let page = reader.events(run, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for recorded in &page {
            if let Some(text) = tell(recorded, ix) {
                told = true;
                output.result(format!("{}  {text}", recorded.at.to_datetime().format("%H:%M:%S%.3f")));
            }
        }
    }
    let summary = engine.summary(run).await?;
    if let Some(step) = summary.steps.iter().find(|step| step.node == ix) {
        for line in failed_items(engine, run, step).await? {
            output.result(line);
        }
    }
    if !told {
        let view = reader.steps(run).await?;
        let status = |need: &&str| {
            let ix = plan.node(need).map(|node| node.ix);
            view.iter().find(|step| Some(step.node) == ix).map_or(StepStatus::Pending, |step| step.status)
        };
        let open: Vec<&str> = needs.iter().copied().filter(|need| !status(need).is_final()).collect();
        output.result(match open.as_slice() {
            [] => "nothing has happened to it yet".to_owned(),
            names => format!("it has not started, because {} did not end yet", names.join(", ")),
        });
    }
    Ok(())
}

/// What an event says about a step.
fn tell(recorded: &Recorded, of: NodeIx) -> Option<String> {
    let (node, text) = match &recorded.event {
        Event::AttemptStarted { node, attempt } => (node, format!("attempt {attempt} began: all it needs had ended")),
        Event::AttemptFailed { node, attempt, fault, retry_at } => {
            let patience = words::duration(retry_at.since(recorded.at));
            (
                node,
                format!(
                    "attempt {attempt} failed [{}]: {}; the next follows after {patience}",
                    fault.code, fault.message
                ),
            )
        }
        Event::StepSucceeded { node, reused: true, .. } => {
            (node, "succeeded without running: an equal earlier result was taken".to_owned())
        }
        Event::StepSucceeded { node, attempt, .. } => (node, format!("succeeded in attempt {attempt}")),
        Event::StepFailed { node, fault, .. } => {
            let help = fault.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
            (node, format!("failed [{}]: {}{help}", fault.code, fault.message))
        }
        Event::StepSkipped { node, reason } => (node, format!("was skipped: {}", words::skipped(*reason))),
        Event::StepCancelled { node } => (node, "was cancelled by request".to_owned()),
        Event::StepWaiting { node, wait, .. } => (node, format!("waits {}", words::wait(wait))),
        Event::WaitEnded { node, by, .. } => (node, format!("the wait was ended by {by}")),
        Event::ItemsPlanned { node, count, .. } => (node, format!("has {} items", words::count(u64::from(*count)))),
        Event::RepeatScheduled { node, iteration, at } => {
            (node, format!("iteration {iteration} ended and `until` was false; the next begins at {at}"))
        }
        _ => return None,
    };
    (*node == of).then_some(text)
}
