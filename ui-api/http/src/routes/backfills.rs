//! Times of schedules that are run afterwards.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millwork_engine::model::Timestamp;
use millwork_service::{
    audit::Action,
    backfill::{Backfill, Progress},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::pipeline;
use crate::{
    app::App,
    guard::{Caller, Operate, Read},
    page::{Page, Paging},
    problem::{Answer, Body, Path, Problem, Query, Refusals},
    views::time,
};

/// A range of times to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackfillRequest {
    /// Not before.
    from: DateTime<Utc>,
    /// Before.
    to: DateTime<Utc>,
    /// Runs at once; 1 unless given.
    #[serde(default)]
    #[schema(minimum = 1)]
    concurrency: Option<u32>,
    /// Under which name times run again that have a run.
    #[serde(default)]
    again: Option<String>,
    /// Whether only to say what would run.
    #[serde(default)]
    dry_run: bool,
}

/// What a backfill starts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackfillBegun {
    /// Times without a run.
    times: Vec<String>,
    /// Its id, unless it was a dry run.
    id: Option<String>,
}

/// A backfill.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackfillView {
    /// Its id.
    id: String,
    /// The pipeline.
    pipeline: String,
    /// Which of its schedules.
    index: u32,
    /// Not before.
    from: String,
    /// Before.
    to: String,
    /// Who wished it.
    by: String,
    /// Times in the range.
    total: usize,
    /// Runs that ended well.
    done: usize,
    /// Runs that ended otherwise, and times whose runs could not be started.
    failed: usize,
    /// Why the first of those could not be started.
    fault: Option<String>,
    /// `running`, `done` or `cancelled`.
    state: &'static str,
}

impl BackfillView {
    fn new(backfill: &Backfill, progress: Progress) -> Self {
        let over = backfill.started && progress.open == 0;
        Self {
            id: backfill.id.clone(),
            pipeline: backfill.pipeline.clone(),
            index: backfill.schedule,
            from: time(backfill.from),
            to: time(backfill.to),
            by: backfill.by.clone(),
            total: progress.total,
            done: progress.succeeded,
            failed: progress.failed,
            fault: backfill.fault.clone(),
            state: match (&backfill.cancelled_by, over) {
                (Some(_), _) => "cancelled",
                (None, true) => "done",
                (None, false) => "running",
            },
        }
    }
}

/// Runs the times of a schedule that lie in a range and have no run yet. It goes on across restarts. All its times count
/// in a token's `runs_per_day` when it begins.
#[utoipa::path(post, path = "/pipelines/{name}/schedules/{index}/backfill", tag = "schedules", params(("name" = String, Path, description = "the pipeline"), ("index" = u32, Path, description = "which, from 0")), request_body = BackfillRequest, responses((status = 200, body = BackfillBegun, description = "what would run"), (status = 202, body = BackfillBegun, description = "it has begun"), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn begin(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path((name, index)): Path<(String, u32)>,
    Body(request): Body<BackfillRequest>,
) -> Answer<(StatusCode, Json<BackfillBegun>)> {
    pipeline(&app, &caller, &name)?;
    let service = app.service();
    if request.from >= request.to {
        return Err(Problem::bad("`to` is the moment after the range, so it is after `from`"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if request.again.as_ref().is_some_and(|name| name.is_empty() || name.len() > 64 || !name.chars().all(plain)) {
        return Err(Problem::bad("`again` is a name of up to 64 letters, digits and `.`, `_`, `-`"));
    }
    let mut backfill = Backfill {
        id: format!("bf_{:016x}{:08x}", service.now().as_micros(), millwork_service::backfill::chance()),
        pipeline: name.clone(),
        schedule: index,
        from: Timestamp::from(request.from),
        to: Timestamp::from(request.to),
        concurrency: request.concurrency.unwrap_or(1).max(1),
        again: request.again,
        by: caller.name().to_owned(),
        cancelled_by: None,
        started: false,
        times: Vec::new(),
        refused: 0,
        fault: None,
    };
    let times: Vec<String> = service.backfill_plan(&mut backfill).await?.into_iter().map(time).collect();
    if request.dry_run {
        return Ok((StatusCode::OK, Json(BackfillBegun { times, id: None })));
    }
    let id = backfill.id.clone();
    let detail = json!({"id": id, "from": time(backfill.from), "to": time(backfill.to), "times": times.len()});
    let runs = u32::try_from(times.len()).unwrap_or(u32::MAX);
    let begun = Box::pin(async { Ok::<_, Problem>(service.backfill(backfill, service.tasks()).await?) });
    service.quotas().counted(caller.principal(), runs, begun, |()| runs).await?;
    service.audit().record(caller.name(), Action::ScheduleBackfill, &format!("{name}/{index}"), detail).await?;
    Ok((StatusCode::ACCEPTED, Json(BackfillBegun { times, id: Some(id) })))
}

/// Backfills, newest first.
#[utoipa::path(get, path = "/backfills", tag = "schedules", params(Paging), responses((status = 200, body = Page<BackfillView>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<Read>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<BackfillView>>> {
    // Each is counted time by time.
    let (service, limit) = (app.service(), paging.limit().min(50) as usize);
    let before = |id: &str| paging.cursor.as_deref().is_none_or(|cursor| id < cursor);
    let all = service.backfills().await?.into_iter();
    let mut found = all.filter(|backfill| caller.sees(&backfill.pipeline) && before(&backfill.id));
    let mut items: Vec<BackfillView> = Vec::new();
    for backfill in found.by_ref().take(limit) {
        items.push(BackfillView::new(&backfill, service.backfill_progress(&backfill).await?));
    }
    let next = found.next().and_then(|_| items.last().map(|last| last.id.clone()));
    Ok(Json(Page { items, next }))
}

/// Calls a backfill off: nothing more of it starts, and what is under way is cancelled.
#[utoipa::path(delete, path = "/backfills/{id}", tag = "schedules", params(("id" = String, Path, description = "the backfill")), responses((status = 200, body = BackfillView), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn cancel(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path(id): Path<String>,
) -> Answer<Json<BackfillView>> {
    let service = app.service();
    let missing = || Problem::missing("backfill", &id);
    let found = service.find_backfill(&id).await?.ok_or_else(missing)?;
    caller.may(&found.pipeline).map_err(|_| missing())?;
    let backfill = service.cancel_backfill(&id, caller.name()).await?;
    service.audit().record(caller.name(), Action::BackfillCancel, &id, json!({})).await?;
    Ok(Json(BackfillView::new(&backfill, service.backfill_progress(&backfill).await?)))
}
