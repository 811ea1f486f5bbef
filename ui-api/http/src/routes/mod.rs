//! The calls of the API, by what they are about.

pub(crate) mod approvals;
pub(crate) mod artifacts;
pub(crate) mod audit;
pub(crate) mod backfills;
pub(crate) mod call;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod hooks;
pub(crate) mod logs;
pub(crate) mod overview;
pub(crate) mod parts;
pub(crate) mod pipelines;
mod reader;
pub(crate) mod revisions;
pub(crate) mod runs;
pub(crate) mod schedules;
mod search;
pub(crate) mod session;
pub(crate) mod steps;
pub(crate) mod tokens;
pub(crate) mod why;

use std::sync::Arc;

use millwork_engine::{
    model::RunId,
    store::{RunView as Stored, StoreError},
};
use millwork_service::catalog::Entry;

use crate::{
    app::App,
    guard::{Caller, Needs},
    problem::{Answer, Problem},
};

/// Refuses to list pipelines, or what is theirs, before all are read: a list would look as if they were gone.
pub(crate) fn loaded(app: &App) -> Answer<()> {
    if app.service().catalog().is_loaded() { Ok(()) } else { Err(millwork_service::starting().into()) }
}

/// A pipeline that the caller may know of.
pub(crate) fn pipeline<N: Needs>(app: &App, caller: &Caller<N>, name: &str) -> Answer<Arc<Entry>> {
    caller.may(name)?;
    match app.service().catalog().get(name) {
        Some(entry) => Ok(entry),
        None if app.service().catalog().is_loaded() => Err(Problem::missing("pipeline", name)),
        None => Err(millwork_service::starting().into()),
    }
}

/// A run that the caller may know of.
pub(crate) async fn run<N: Needs>(app: &App, caller: &Caller<N>, id: &str) -> Answer<Stored> {
    let run: RunId = id.parse().map_err(|_| Problem::missing("run", id))?;
    // One of a pipeline outside their scope looks as if it were not there.
    match app.service().engine().reader().run(run).await {
        Ok(view) if caller.may(&view.pipeline).is_ok() => Ok(view),
        Ok(_) | Err(StoreError::NoRun(_)) => Err(Problem::missing("run", id)),
        Err(error) => Err(error.into()),
    }
}
