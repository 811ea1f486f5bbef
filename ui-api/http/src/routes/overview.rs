//! What a person wants to know first.

use std::time::Duration;

use axum::{Json, extract::State};
use millwork_engine::{
    model::{RunId, RunStatus},
    store::{RunFilter, RunView as Stored},
};
use millwork_service::ticker::Late;
use serde::Serialize;
use utoipa::ToSchema;

use super::{approvals, runs::seen};
use crate::{
    app::App,
    guard::{Caller, Read},
    problem::{Answer, Refusals},
    views::{RunView, time},
};

/// What a person wants to know first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// Runs under way.
    running: usize,
    /// Runs that wait for their turn.
    queued: usize,
    /// Runs that wait for somebody.
    waiting: usize,
    /// Runs that failed in the last day, up to 500.
    failed_24h: usize,
    /// Runs that succeeded in the last day, up to 500.
    succeeded_24h: usize,
    /// The newest runs that no other run started.
    recent: Vec<RunView>,
    /// The newest that failed, or whose process ended before them.
    failed: Vec<RunView>,
    /// Those that wait for somebody.
    waiting_runs: Vec<RunView>,
    /// The next times of schedules.
    next: Vec<NextTick>,
    /// Runs that should have succeeded in the last day by their `finish_by` and have not yet: the newest 20.
    late: Vec<LateView>,
    /// Questions that wait for an answer.
    approvals: usize,
    /// Pipelines whose files have errors.
    broken: Vec<String>,
}

/// A time to come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextTick {
    /// The pipeline.
    pipeline: String,
    /// Which of its schedules.
    index: u32,
    /// When.
    at: String,
}

/// A run that is late.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LateView {
    /// The pipeline.
    pipeline: String,
    /// Which of its schedules.
    index: u32,
    /// The time of the schedule.
    at: String,
    /// By when its run should have succeeded.
    by: String,
    /// The run; none where the time was skipped or missed.
    run: Option<String>,
    /// How the run stands.
    #[schema(value_type = Option<String>)]
    status: Option<RunStatus>,
}

/// What a person wants to know first.
#[utoipa::path(get, path = "/overview", tag = "overview", responses((status = 200, body = Overview), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn show(State(app): State<App>, caller: Caller<Read>) -> Answer<Json<Overview>> {
    super::loaded(&app)?;
    let service = app.service();
    let now = service.now();
    let day = RunId::from_parts(now.before(Duration::from_hours(24)), 0);
    let of = async |statuses: &[RunStatus], limit: u32, since: Option<RunId>| -> Answer<Vec<Stored>> {
        let filter = RunFilter { statuses: statuses.to_vec(), limit, since, ..RunFilter::default() };
        seen(&app, &caller, filter, limit as usize).await
    };
    let open = of(&[RunStatus::Running, RunStatus::Queued, RunStatus::Waiting], 500, None).await?;
    let count = |status| open.iter().filter(|run| run.status == status).count();
    let views = |runs: &[Stored]| runs.iter().map(RunView::from).collect::<Vec<_>>();
    let waiting: Vec<Stored> = open.iter().filter(|run| run.status == RunStatus::Waiting).take(20).cloned().collect();
    let schedules = service.ticker().schedules().await;
    let active = schedules.iter().filter(|view| view.record.paused_by.is_none() && caller.sees(&view.pipeline));
    let mut next: Vec<NextTick> = active
        .filter_map(|view| {
            let at = time(view.spec.calendar.ticks(now).next()?);
            Some(NextTick { pipeline: view.pipeline.clone(), index: view.schedule, at })
        })
        .collect();
    next.sort_by(|a, b| (&a.at, &a.pipeline).cmp(&(&b.at, &b.pipeline)));
    next.truncate(10);
    let broken = service.catalog().all();
    let broken = broken.values().filter(|entry| entry.counts().0 > 0 && caller.sees(&entry.name));
    let failed = of(&[RunStatus::Failed], 500, Some(day)).await?;
    let top = RunFilter { limit: 20, top: true, ..RunFilter::default() };
    let recent = seen(&app, &caller, top, 20).await?;
    // Each has an index of its own; both in one list have none.
    let mut broke = of(&[RunStatus::Failed], 10, None).await?;
    broke.extend(of(&[RunStatus::Interrupted], 10, None).await?);
    broke.sort_by_key(|run| std::cmp::Reverse(run.id));
    broke.truncate(10);
    Ok(Json(Overview {
        running: count(RunStatus::Running),
        queued: count(RunStatus::Queued),
        waiting: count(RunStatus::Waiting),
        failed_24h: failed.len(),
        succeeded_24h: of(&[RunStatus::Succeeded], 500, Some(day)).await?.len(),
        recent: views(&recent),
        failed: views(&broke),
        waiting_runs: views(&waiting),
        next,
        late: late(&app, &caller).await?,
        approvals: approvals::waiting(&app, |pipeline| caller.sees(pipeline)).await?.len(),
        broken: broken.map(|entry| entry.name.clone()).collect(),
    }))
}

async fn late(app: &App, caller: &Caller<Read>) -> Answer<Vec<LateView>> {
    let service = app.service();
    let since = service.now().before(Duration::from_hours(24));
    let late = Late::open(service.engine(), since, 20, |pipeline| caller.sees(pipeline)).await?;
    Ok(late
        .into_iter()
        .map(|late| LateView {
            pipeline: late.pipeline,
            index: late.schedule,
            at: time(late.at),
            by: time(late.by),
            run: late.run.map(|run| run.to_string()),
            status: late.status,
        })
        .collect())
}
