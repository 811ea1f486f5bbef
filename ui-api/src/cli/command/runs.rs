use std::path::PathBuf;

use millwork_engine::{
    Engine,
    model::{Fault, RunId, RunStatus},
    store::{Cursor, RunFilter, RunView},
};
use serde_json::json;

use super::run::user;
use crate::cli::{
    Exit,
    args::{OpenArgs, StatusArg},
    home, open,
    output::Output,
    run_id,
    standing::{Standing, UNDER_WAY},
    table::Yield,
    words,
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
        on(engine, run, work).await
    })
}

async fn on<T>(
    engine: Engine,
    run: &str,
    work: impl AsyncFnOnce(&Engine, RunId) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let id = run_id::find(&engine, run).await?;
    let done = work(&engine, id).await?;
    engine.close().await?;
    Ok(done)
}

/// As [`with_run`], but only looks, so that it may be anybody's home.
pub(super) fn look_at<T>(
    asked: Option<PathBuf>,
    run: &str,
    work: impl AsyncFnOnce(&Engine, RunId) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let home = home::existing(asked.as_deref())?;
    open::block_on(async {
        let engine = open::to_look(home).await?;
        on(engine, run, work).await
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
    let statuses: Vec<RunStatus> = statuses.iter().copied().map(status_of).collect();
    let filter = RunFilter { pipeline, statuses: as_recorded(&statuses), limit, ..RunFilter::default() };
    let runs = open::block_on(async {
        let engine = open::to_look(home).await?;
        let runs = listed(&engine, filter, &statuses).await?;
        engine.close().await?;
        Ok(runs)
    })?;
    if as_json {
        for (run, standing) in &runs {
            output.json(&json!({
                "run": run.id, "pipeline": run.pipeline, "status": standing.status, "revision": run.revision,
                "parent": run.parent, "created_at": run.created_at.to_string(),
                "ended_at": run.ended_at.map(|at| at.to_string()), "owner": standing.owner,
            }));
        }
        return Ok(Exit::Ok);
    }
    let row = |(run, standing): &(RunView, Standing)| {
        let took = run.ended_at.map(|at| words::duration(at.since(run.created_at))).unwrap_or_default();
        let created = run.created_at.to_datetime().format("%Y-%m-%d %H:%M:%S").to_string();
        let status = words::run_status(standing.status).0.to_owned();
        vec![run.id.to_string(), run.pipeline.clone(), status, created, took]
    };
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    // The time is in the id, and the id can be given in part; how a run stands is what is asked for.
    let gives_way = Yield { drop: &[3, 4, 1], cut: 0, least: 30 };
    output.table_that_yields(&["RUN", "PIPELINE", "STATUS", "CREATED (UTC)", "TOOK"], &rows, gives_way);
    let left = runs.iter().filter(|(_, standing)| standing.left && standing.status == RunStatus::Interrupted).count();
    if left > 0 {
        let (some, whose) =
            (words::some(left as u64, "run"), if left == 1 { "its process" } else { "their processes" });
        output.say(format!("{some} lost {whose}; to go on: millwork runs resume RUN"));
    }
    Ok(Exit::Ok)
}

/// Runs that stand as asked for: in any way, if nothing is asked for.
async fn listed(
    engine: &Engine,
    mut filter: RunFilter,
    statuses: &[RunStatus],
) -> Result<Vec<(RunView, Standing)>, Fault> {
    let (reader, most) = (engine.reader(), filter.limit as usize);
    let mut found = Vec::new();
    loop {
        let page = reader.runs(&filter).await?;
        let Some(last) = page.last().map(|run| run.id) else { return Ok(found) };
        filter.after = Some(Cursor(last));
        for run in page {
            let standing = Standing::of(engine, &run).await?;
            if statuses.is_empty() || statuses.contains(&standing.status) {
                found.push((run, standing));
            }
            if found.len() >= most {
                return Ok(found);
            }
        }
    }
}

/// How runs that stand so may be recorded: one that lost its process still is as it was then.
fn as_recorded(statuses: &[RunStatus]) -> Vec<RunStatus> {
    let mut recorded = statuses.to_vec();
    if statuses.contains(&RunStatus::Interrupted) {
        recorded.extend(UNDER_WAY);
    }
    recorded
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

/// Log lines, oldest first.
pub(super) fn logs(
    output: &Output,
    run: &str,
    step: Option<&str>,
    item: Option<u32>,
    asked: Option<PathBuf>,
) -> Result<Exit, Fault> {
    look_at(asked, run, async |engine, id| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_interrupted_may_be_recorded_otherwise() {
        assert_eq!(as_recorded(&[RunStatus::Failed]), [RunStatus::Failed]);
        assert!(as_recorded(&[]).is_empty());
        let interrupted = as_recorded(&[RunStatus::Interrupted]);
        assert!(interrupted.contains(&RunStatus::Interrupted) && interrupted.contains(&RunStatus::Running));
    }
}
