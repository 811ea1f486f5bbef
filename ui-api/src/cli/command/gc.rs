use std::{path::PathBuf, time::Duration};

use millwork_engine::model::Fault;

use crate::cli::{Exit, args::OpenArgs, home, open, output::Output, words, workspace::Workspace};

/// Forgets what is old and removes what nothing names.
pub(super) fn gc(output: &Output, asked: Option<Duration>, dry: bool, home: Option<PathBuf>) -> Result<Exit, Fault> {
    let home = home::existing(home.as_deref())?;
    let workspace = Workspace::above(output, &home)?;
    let keep = workspace.keep(asked);
    let report = open::block_on(async {
        let engine = open::engine(home, millwork_steps::registry(), &OpenArgs::default(), &workspace).await?;
        let report = engine.gc(keep, dry).await?;
        engine.close().await?;
        Ok(report)
    })?;
    let word = if dry { "would remove" } else { "removed" };
    let (runs, logs) = (words::some(report.runs, "run"), words::some(report.logs, "log"));
    let (artifacts, bytes) = (words::some(report.artifacts, "artifact"), words::bytes(report.bytes));
    output.result(format!("{word} {runs}, {logs} and {artifacts} ({bytes})"));
    if report.young > 0 {
        let (young, bytes) = (words::some(report.young, "artifact"), words::bytes(report.young_bytes));
        output.result(format!("kept {young} ({bytes}) younger than an hour: a run may be about to name them"));
    }
    Ok(Exit::Ok)
}
