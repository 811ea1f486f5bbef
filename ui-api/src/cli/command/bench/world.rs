use std::{path::Path, sync::Arc};

use millwork_engine::{
    Durability, Engine, EngineOptions, RunRequest, RunSummary,
    diag::Source,
    graph::Plan,
    model::{Fault, RunStatus, SystemClock},
    step::Extensions,
};

use super::kinds::{self, Probe};
use crate::cli::{link, output::Output, workspace::Workspace};

/// What every measure is given.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    /// For words on the way.
    pub output: &'a Output,
    /// Fewer rounds and smaller data.
    pub quick: bool,
    /// Of TPC-H.
    pub scale: f64,
    /// Goes when all is measured.
    pub folder: &'a Path,
}

/// An engine that knows the measured kinds only.
pub(super) async fn open(home: &Path, durability: Durability, probe: Probe) -> Result<(Engine, Arc<Probe>), Fault> {
    let mut extensions = Extensions::default();
    extensions.insert(probe);
    let probe = extensions.get::<Probe>().unwrap_or_default();
    let options = EngineOptions {
        home: home.to_owned(),
        durability,
        max_parallel: 0,
        background: false,
        memory: None,
        clock: Arc::new(SystemClock),
        registry: kinds::registry(),
        secrets: Arc::new(Workspace::default().secrets()),
        scans: millwork_steps::scans(),
        extensions,
    };
    Ok((Engine::open(options).await?, probe))
}

/// The plan of a text.
pub(super) fn plan(text: &str) -> Result<Arc<Plan>, Fault> {
    let alone = Workspace::default();
    let checked = link::check("bench.yaml", text.as_bytes(), Path::new("/"), &kinds::registry(), false, false, &alone);
    let source: &Source = &checked.source;
    let said: Vec<String> = checked.diagnostics.iter().take(3).map(|d| d.one_line(source)).collect();
    checked.plan.ok_or_else(|| Fault::internal("bench.plan", said.join("; ")))
}

/// Runs a plan to its end.
pub(super) async fn run(engine: &Engine, plan: &Arc<Plan>) -> Result<RunSummary, Fault> {
    succeeded(engine.start(plan.clone(), RunRequest::default()).await?.ended(false).await?)
}

/// A run that did not succeed measures nothing.
pub(super) fn succeeded(summary: RunSummary) -> Result<RunSummary, Fault> {
    match summary.status {
        RunStatus::Succeeded => Ok(summary),
        status => Err(summary
            .fault
            .unwrap_or_else(|| Fault::internal("bench.run", format!("the measured run ended as {status:?}")))),
    }
}
