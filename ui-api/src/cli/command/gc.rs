use std::{path::PathBuf, time::Duration};

use millwork_engine::model::Fault;

use crate::cli::{Exit, args::OpenArgs, home, open, output::Output, words, workspace::Workspace};

/// Forgets old runs and what nothing names.
pub(super) fn gc(output: &Output, keep: Duration, dry: bool, asked: Option<PathBuf>) -> Result<Exit, Fault> {
    let home = home::existing(asked.as_deref())?;
    let report = open::block_on(async {
        let engine =
            open::engine(home, millwork_steps::registry(), &OpenArgs::default(), &Workspace::default()).await?;
        let report = engine.gc(keep, dry).await?;
        engine.close().await?;
        Ok(report)
    })?;
    let word = if dry { "would remove" } else { "removed" };
    let (runs, artifacts) = (words::count(report.runs), words::count(report.artifacts));
    output.result(format!("{word} {runs} runs and {artifacts} artifacts, {}", words::bytes(report.bytes)));
    Ok(Exit::Ok)
}
