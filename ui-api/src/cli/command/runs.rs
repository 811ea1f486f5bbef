use std::path::PathBuf;

use millwork_engine::{
    Engine, RunSummary,
    model::{Fault, RunId, RunStatus, StepStatus},
    store::RunFilter,
};
use serde_json::json;

use super::run::user;
use crate::cli::{
    Exit,
    args::{OpenArgs, StatusArg},
    home, open,
    output::Output,
    run_id, watch, words,
    workspace::Workspace,
};

/// Opens the home that is there, finds the run, does something with it, and closes.
pub(super) fn with_run<T>(
    asked: Option<PathBuf>,
    run: &str,
    work: impl AsyncFnOnce(&Engine, RunId) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let home = home::existing(asked.as_deref())?;
    open::block_on(async {
        let engine =
            open::engine(home, millwork_steps::registry(), &OpenArgs::default(), &Workspace::default()).await?;
        let id = run_id::find(&engine, run).await?;
        let done = work(&engine, id).await?;
        engine.close().await?;
        Ok(done)
    })
}

/// Runs, newest first.
pub(super) fn list(
    output: &Output,
    pipeline: Option<String>,
    statuses: &[StatusArg],
    limit: u32,
    as_json: bool,
    asked: Option<PathBuf>,
) -> Result<Exit, Fault> {
    let home = home::existing(asked.as_deref())?;
    let statuses = statuses.iter().copied().map(status_of).collect();
    let filter = RunFilter { pipeline, statuses, limit, ..RunFilter::default() };
    let runs = open::block_on(async {
        let engine =
            open::engine(home, millwork_steps::registry(), &OpenArgs::default(), &Workspace::default()).await?;
        let runs = engine.reader().runs(&filter).await?;
        engine.close().await?;
        Ok(runs)
    })?;
    if as_json {
        for run in &runs {
            output.json(&json!({
                "run": run.id, "pipeline": run.pipeline, "status": run.status, "revision": run.revision,
                "parent": run.parent, "created_at": run.created_at.to_string(),
                "ended_at": run.ended_at.map(|at| at.to_string()),
            }));
        }
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let took = run.ended_at.map(|at| words::duration(at.since(run.created_at))).unwrap_or_default();
            let created = run.created_at.to_datetime().format("%Y-%m-%d %H:%M:%S").to_string();
            let status = words::run_status(run.status).0.to_owned();
            vec![run.id.to_string(), run.pipeline.clone(), status, created, took]
        })
        .collect();
    output.table(&["RUN", "PIPELINE", "STATUS", "CREATED (UTC)", "TOOK"], &rows);
    Ok(Exit::Ok)
}

fn status_of(status: StatusArg) -> RunStatus {
    match status {
        StatusArg::Queued => RunStatus::Queued,
        StatusArg::Running => RunStatus::Running,
        StatusArg::Waiting => RunStatus::Waiting,
        StatusArg::Interrupted => RunStatus::Interrupted,
        StatusArg::Succeeded => RunStatus::Succeeded,
        StatusArg::Failed => RunStatus::Failed,
        StatusArg::Cancelled => RunStatus::Cancelled,
    }
}

/// A run's steps, outputs and fault.
pub(super) fn show(output: &Output, run: &str, as_json: bool, asked: Option<PathBuf>) -> Result<Exit, Fault> {
    with_run(asked, run, async |engine, id| {
        let (summary, plan) = (engine.summary(id).await?, engine.plan_of(id).await?);
        if as_json {
            output.json(&summary_json(&summary));
            return Ok(Exit::Ok);
        }
        let (word, tone) = words::run_status(summary.status);
        let name = &plan.spec.name.value;
        output.result(format!("{id}  {name}  {}  {}", output.paint(tone, word), words::duration(summary.took)));
        let rows: Vec<Vec<String>> = summary
            .steps
            .iter()
            .map(|step| {
                let (word, mark, _) = words::step_status(step.status);
                let took = step.took.map(words::duration).unwrap_or_default();
                let rows = step.rows.map(words::count).unwrap_or_default();
                let why = step.fault.as_ref().map(|fault| fault.message.clone()).unwrap_or_default();
                vec![format!("{mark} {}", step.id), word.to_owned(), took, rows, step.attempts.to_string(), why]
            })
            .collect();
        output.table(&["STEP", "STATUS", "TOOK", "ROWS", "ATTEMPTS", ""], &rows);
        if let Some(fault) = &summary.fault {
            let step = summary.steps.iter().find(|step| step.status == StepStatus::Failed);
            watch::show_fault(output, &plan, step.map(|step| step.id.as_str()), fault);
        }
        if summary.outputs.as_object().is_some_and(|outputs| !outputs.is_empty()) {
            output.result(format!("{:#}", summary.outputs));
        }
        Ok(Exit::Ok)
    })
}

fn summary_json(summary: &RunSummary) -> serde_json::Value {
    let steps = summary.steps.iter().map(|step| {
        json!({
            "id": step.id, "status": step.status, "attempts": step.attempts, "rows": step.rows,
            "seconds": step.took.map(|took| took.as_secs_f64()), "fault": step.fault,
        })
    });
    json!({
        "run": summary.id, "status": summary.status, "outputs": summary.outputs, "fault": summary.fault,
        "seconds": summary.took.as_secs_f64(), "steps": steps.collect::<Vec<_>>(),
    })
}

/// Log lines, oldest first.
pub(super) fn logs(
    output: &Output,
    run: &str,
    step: Option<&str>,
    item: Option<u32>,
    asked: Option<PathBuf>,
) -> Result<Exit, Fault> {
    with_run(asked, run, async |engine, id| {
        for line in engine.logs(id, step, item).await? {
            let item = line.item.map(|item| format!("[{item}]")).unwrap_or_default();
            let time = line.at.to_datetime().format("%H:%M:%S%.3f");
            output.result(format!("{time} {}{item}#{}: {}", line.step, line.attempt, line.text));
        }
        Ok(Exit::Ok)
    })
}

/// Asks for the end of a run.
pub(super) fn cancel(output: &Output, run: &str, asked: Option<PathBuf>) -> Result<Exit, Fault> {
    with_run(asked, run, async |engine, id| {
        engine.cancel(id, &user()).await?;
        output.say(format!("asked for the end of {id}; a second `runs cancel` stops it at once"));
        Ok(Exit::Ok)
    })
}
