//! Runs: starting, looking, stopping, repeating.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use millwork_engine::{
    RunRequest,
    data::from_plain,
    model::{Digest, Fault, Name, RunId, RunStatus, StepStatus, Timestamp, event::Cause},
    store::{Cursor, RunFilter, RunView as Stored},
};
use millwork_service::{audit::Action, catalog::Entry, queue::Blocked};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{pipeline, run, search};
use crate::{
    app::App,
    etag::tagged,
    guard::{Caller, Needs, Operate, Read},
    help::diagnostic,
    page::{Page, Paging},
    problem::{Answer, AnyJson, Body, Path, Problem, Query, Refusals},
    views::{
        IntervalView, QueueView, RunDetail, RunView, StartRequest, StepView, StepsView, failed_step, seconds, shown,
        time,
    },
};

/// Which runs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this pipeline.
    pipeline: Option<String>,
    /// Of pipelines with this text in their names, whatever the case of letters; or whose ids begin so, where it begins
    /// with `run_`.
    q: Option<String>,
    /// In one of these states, separated by commas.
    status: Option<String>,
    /// Not created before.
    since: Option<DateTime<Utc>>,
    /// Created before.
    until: Option<DateTime<Utc>>,
    /// Started by a step of this run.
    parent: Option<String>,
    /// Only those that no other run started.
    top: Option<bool>,
}

/// Steps that wait, of which a run says for what.
const WAITS: usize = 20;

/// The problem of a pipeline that cannot be started.
pub(crate) fn broken(entry: &Entry) -> Problem {
    let message = format!("`{}` has problems, so it cannot be started", entry.name);
    let found = entry.diagnostics.iter().map(|problem| diagnostic(&entry.source, problem)).collect();
    Problem::from(Fault::user("pipeline.problems", message).help("mend its file; it is read again at once"))
        .with_diagnostics(found)
}

/// The pipeline as it is right now, so that it can be started.
pub(crate) async fn fresh(app: &App, caller: &Caller<Operate>, name: &str) -> Answer<std::sync::Arc<Entry>> {
    pipeline(app, caller, name)?;
    let (catalog, of) = (app.service().catalog().clone(), name.to_owned());
    let entry = match catalog.recent(name) {
        Some(entry) => Some(entry),
        None => tokio::task::spawn_blocking(move || catalog.fresh(&of)).await.ok().flatten(),
    };
    let entry = entry.ok_or_else(|| Problem::missing("pipeline", name))?;
    match entry.counts().0 {
        0 if entry.startable.is_some() => Ok(entry),
        _ => Err(broken(&entry)),
    }
}

/// Inputs of a body.
pub(crate) fn inputs(
    given: &serde_json::Map<String, AnyJson>,
) -> std::collections::BTreeMap<String, millwork_engine::data::Value> {
    given.iter().map(|(name, json)| (name.clone(), from_plain(json))).collect()
}

/// Starts a run. With `Idempotency-Key`, the same again gives the same run.
#[utoipa::path(post, path = "/runs", tag = "runs", request_body = StartRequest, params(("Idempotency-Key" = Option<String>, Header, description = "a name for what is to be done, of 1 to 200 plain characters: the same name again gives the same run", min_length = 1, max_length = 200)), responses((status = 201, body = RunView, description = "started or queued"), (status = 200, body = RunView, description = "the same was asked for before"), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn start(
    State(app): State<App>,
    caller: Caller<Operate>,
    headers: HeaderMap,
    Body(request): Body<StartRequest>,
) -> Answer<Response> {
    caller.may(&request.pipeline)?;
    let asked = Digest::of(serde_json::to_string(&request).unwrap_or_default().as_bytes());
    let key = match headers.get("idempotency-key").map(|key| key.to_str()) {
        None => None,
        Some(Ok(key)) if !key.is_empty() && key.len() <= 200 => {
            Some(format!("api/{}/{}/{key}", caller.principal().id, request.pipeline))
        }
        Some(_) => return Err(Problem::bad("`Idempotency-Key` has 1 to 200 plain characters")),
    };
    let service = app.service();
    // Before anything else: what was started is told of, whatever became of its pipeline.
    if let Some(key) = &key
        && let Some(before) = service.engine().run_of_key(key).await?
    {
        return again(&app, caller.name(), before, asked).await;
    }
    let entry = fresh(&app, &caller, &request.pipeline).await?;
    let Some(startable) = &entry.startable else { return Err(broken(&entry)) };
    let only = request.only.iter().map(|step| Name::new(step).ok_or_else(|| Problem::missing("step", step)));
    let only = only.collect::<Answer<Vec<Name>>>()?;
    let run = RunRequest {
        inputs: inputs(&request.inputs),
        only,
        priority: request.priority,
        asked: Some(asked),
        ..RunRequest::default()
    };
    let cause = Cause::Api { who: caller.name().to_owned() };
    let prepared = service.engine().prepare(startable.plan().await?, run, cause, key.as_deref()).await?;
    let started = Box::pin(async { Ok::<_, Problem>(service.start(prepared).await?) });
    let (id, new) = service.quotas().counted(caller.principal(), 1, started, |(_, new)| u32::from(*new)).await?;
    if !new {
        return again(&app, caller.name(), id, asked).await;
    }
    let detail = json!({"pipeline": request.pipeline, "inputs": request.inputs});
    let target = id.to_string();
    let noted = service.audit().record(caller.name(), Action::RunStart, &target, detail);
    let reader = service.engine().reader();
    let (_, stored) = tokio::try_join!(noted, reader.run(id))?;
    let view = RunView::from(&stored);
    let location = [(header::LOCATION, format!("/api/v1/runs/{id}"))];
    Ok((StatusCode::CREATED, location, Json(view)).into_response())
}

/// The run of a key, if the same was asked for.
async fn again(app: &App, who: &str, run: RunId, asked: Digest) -> Answer<Response> {
    let engine = app.service().engine();
    if engine.origin(run).await?.asked != Some(asked) {
        let message = format!("the key belongs to {run}, which was asked for otherwise");
        let fault = Fault::user("idempotency.conflict", message).help("take another key for something else");
        return Err(Problem::conflict(fault).with_run(run));
    }
    // The first answer may be one that a crash cut off, before it was written down.
    let detail = json!({"again": true});
    app.service().audit().record(who, Action::RunStart, &run.to_string(), detail).await?;
    Ok(Json(RunView::from(&engine.reader().run(run).await?)).into_response())
}

fn filter_of(filter: &Filter, paging: &Paging) -> Answer<RunFilter> {
    let id = |text: &str| text.parse::<RunId>().map_err(|_| Problem::bad(format!("`{text}` is no run")));
    let first_of = |at: DateTime<Utc>| RunId::from_parts(Timestamp::from(at), 0);
    let statuses = filter.status.iter().flat_map(|list| list.split(',')).filter(|word| !word.is_empty());
    let status = |word: &str| {
        serde_json::from_value::<RunStatus>(json!(word)).map_err(|_| {
            Problem::bad(format!(
                "`{word}` is no status: queued, running, waiting, interrupted, succeeded, failed, cancelled"
            ))
        })
    };
    let cursor = paging.cursor.as_deref().map(id).transpose()?;
    let until = filter.until.map(first_of);
    let after = match (cursor, until) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    Ok(RunFilter {
        pipeline: filter.pipeline.clone(),
        statuses: statuses.map(status).collect::<Answer<_>>()?,
        parent: filter.parent.as_deref().map(id).transpose()?,
        top: filter.top.unwrap_or(false),
        since: filter.since.map(first_of),
        limit: paging.limit() + 1,
        after: after.map(Cursor),
    })
}

/// The newest runs of a list that somebody may see, at most so many. What they may not see is read past.
pub(crate) async fn seen<N: Needs>(
    app: &App,
    caller: &Caller<N>,
    mut wanted: RunFilter,
    limit: usize,
) -> Answer<Vec<Stored>> {
    let mut found: Vec<Stored> = Vec::new();
    loop {
        let page = app.service().engine().reader().runs(&wanted).await?;
        let (full, last) = (page.len() == wanted.limit as usize, page.last().map(|run| run.id));
        found.extend(page.into_iter().filter(|run| caller.sees(&run.pipeline)));
        match last {
            Some(last) if full && found.len() < limit => wanted.after = Some(Cursor(last)),
            _ => break,
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// Runs, newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", params(Filter, Paging), responses((status = 200, body = Page<RunView>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<Read>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<RunView>>> {
    let limit = paging.limit() as usize;
    let wanted = filter_of(&filter, &paging)?;
    let mut found = match filter.q.as_deref().filter(|q| !q.is_empty()) {
        None => seen(&app, &caller, wanted, limit + 1).await?,
        Some(q) => search::found(&app, &caller, wanted, q, limit + 1).await?,
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().map(|run| run.id.to_string()) } else { None };
    Ok(Json(Page { items: found.iter().map(RunView::from).collect(), next }))
}

/// One run. Its steps and its graph are calls of their own, since both may be long.
#[utoipa::path(get, path = "/runs/{id}", tag = "runs", params(("id" = String, Path, description = "the run")), responses((status = 200, body = RunDetail), (status = 304, description = "as it was"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let stored = run(&app, &caller, &id).await?;
    let service = app.service();
    let engine = service.engine();
    let look = engine.look(stored.id).await?;
    let children = RunFilter { parent: Some(stored.id), limit: 100, ..RunFilter::default() };
    let children = seen(&app, &caller, children, 100).await?;
    let place = service.desk().place(stored.id, &stored.pipeline);
    let steps = || look.plan.nodes.iter().zip(&look.facts);
    let waiting = steps().filter(|(_, facts)| facts.status == StepStatus::Waiting).take(WAITS);
    let failed = failed_step(&look).and_then(|ix| look.plan.nodes.get(ix.index()));
    let detail = RunDetail {
        cause: (&look.origin.cause).into(),
        inputs: shown(&look.origin.inputs),
        outputs: look.state.run_outputs().filter(|_| stored.status == RunStatus::Succeeded).map(shown),
        fault: look.state.fault().filter(|_| stored.status != RunStatus::Succeeded).map(Into::into),
        failed_step: failed.map(|node| node.id.to_string()),
        seq: look.state.seq(),
        owner: engine.owner(stored.id).await?.as_ref().map(Into::into),
        interval: look.origin.interval.as_ref().map(|interval| IntervalView {
            start: time(interval.start),
            end: time(interval.end),
            zone: interval.zone.clone(),
        }),
        steps: StepsView::of(look.facts.iter().map(|facts| facts.status)),
        waits: waiting.map(|(node, facts)| StepView::new(&look, node, facts)).collect(),
        queue: place.map(|(place, estimate)| QueueView {
            position: place.position,
            reason: match place.blocked {
                Blocked::Group(_) => "group",
                Blocked::Pool(_) => "pool",
                Blocked::Slots => "slots",
            },
            text: place.blocked.to_string(),
            holders: place.holders.iter().take(20).map(RunId::to_string).collect(),
            estimate_s: estimate.map(seconds),
        }),
        children: children.iter().map(RunView::from).collect(),
        run: (&stored).into(),
    };
    Ok(tagged(&headers, &detail))
}

/// Asks for the end of a run: `finally` still runs. A second call stops it at once.
#[utoipa::path(post, path = "/runs/{id}/cancel", tag = "runs", params(("id" = String, Path, description = "the run")), responses((status = 202, body = RunView), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn cancel(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path(id): Path<String>,
) -> Answer<(StatusCode, Json<RunView>)> {
    let stored = run(&app, &caller, &id).await?;
    let service = app.service();
    service.engine().cancel(stored.id, caller.name()).await?;
    // One that waited has ended; one that was started meanwhile gives back what it holds when it ends.
    if stored.status == RunStatus::Queued && !service.engine().drives(stored.id) {
        service.desk().gone(stored.id);
    }
    service.audit().record(caller.name(), Action::RunCancel, &id, json!({})).await?;
    Ok((StatusCode::ACCEPTED, Json(RunView::from(&service.engine().reader().run(stored.id).await?))))
}

/// Goes on with an interrupted or failed run.
#[utoipa::path(post, path = "/runs/{id}/resume", tag = "runs", params(("id" = String, Path, description = "the run")), responses((status = 202, body = RunView), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn resume(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path(id): Path<String>,
) -> Answer<(StatusCode, Json<RunView>)> {
    let stored = run(&app, &caller, &id).await?;
    let service = app.service();
    service.desk().resume(stored.id, caller.name()).await?;
    service.audit().record(caller.name(), Action::RunResume, &id, json!({})).await?;
    Ok((StatusCode::ACCEPTED, Json(RunView::from(&service.engine().reader().run(stored.id).await?))))
}

/// From where to repeat.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// The first step that runs again.
    from: String,
    /// Whether to take the pipeline's file as it is now, not as it was.
    edited: Option<bool>,
}

/// A repetition.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerunRequest {
    /// The first step that runs again.
    from: String,
    /// Whether to take the pipeline's file as it is now, not as it was.
    #[serde(default)]
    edited: bool,
}

/// What a repetition would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RerunView {
    /// Steps whose outputs are taken over.
    reused: Vec<String>,
    /// Steps that run again.
    again: Vec<AgainView>,
}

/// A step that runs again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgainView {
    /// Its id.
    step: String,
    /// Why.
    reason: String,
}

async fn edited(app: &App, name: &str, wanted: bool) -> Answer<Option<std::sync::Arc<millwork_engine::graph::Plan>>> {
    if !wanted {
        return Ok(None);
    }
    let (catalog, of) = (app.service().catalog().clone(), name.to_owned());
    let entry = tokio::task::spawn_blocking(move || catalog.fresh(&of)).await.ok().flatten();
    let entry = entry.ok_or_else(|| Problem::missing("pipeline", name))?;
    if entry.counts().0 > 0 {
        return Err(broken(&entry));
    }
    match &entry.startable {
        Some(startable) => Ok(Some(startable.plan().await?)),
        None => Ok(None),
    }
}

/// What repeating a run from a step on would do.
#[utoipa::path(get, path = "/runs/{id}/rerun", tag = "runs", params(("id" = String, Path, description = "the run"), From), responses((status = 200, body = RerunView), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn rerun_plan(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(id): Path<String>,
    Query(from): Query<From>,
) -> Answer<Json<RerunView>> {
    let stored = run(&app, &caller, &id).await?;
    let plan = edited(&app, &stored.pipeline, from.edited.unwrap_or(false)).await?;
    let plan = app.service().engine().rerun_plan(stored.id, &from.from, plan).await?;
    let again = plan.again.into_iter().map(|(step, reason)| AgainView { step: step.to_string(), reason });
    let reused = plan.reused.iter().map(Name::to_string).collect();
    Ok(Json(RerunView { reused, again: again.collect() }))
}

/// Repeats a run from a step on, as a new run; what came before is taken over where it is unchanged.
#[utoipa::path(post, path = "/runs/{id}/rerun", tag = "runs", params(("id" = String, Path, description = "the run")), request_body = RerunRequest, responses((status = 201, body = RunView), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn rerun(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path(id): Path<String>,
    Body(request): Body<RerunRequest>,
) -> Answer<Response> {
    let stored = run(&app, &caller, &id).await?;
    let service = app.service();
    let plan = edited(&app, &stored.pipeline, request.edited).await?;
    let prepared = service.engine().prepare_rerun(stored.id, &request.from, plan).await?;
    let started = Box::pin(async { Ok::<_, Problem>(service.start(prepared).await?) });
    let (new, _) = service.quotas().counted(caller.principal(), 1, started, |_| 1).await?;
    let detail = json!({"of": id, "from": request.from, "edited": request.edited});
    service.audit().record(caller.name(), Action::RunRerun, &new.to_string(), detail).await?;
    let view = RunView::from(&service.engine().reader().run(new).await?);
    let location = [(header::LOCATION, format!("/api/v1/runs/{new}"))];
    Ok((StatusCode::CREATED, location, Json(view)).into_response())
}
