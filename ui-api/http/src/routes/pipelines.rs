//! Pipelines of the catalog.

use std::collections::HashMap;

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use millwork_engine::{
    graph::CheckedPipeline,
    store::{RunFilter, RunView as Stored},
};
use millwork_service::{audit::Action, catalog::Entry};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::pipeline;
use crate::{
    app::App,
    etag::tagged,
    guard::{Caller, Operate, Read},
    help::diagnostic,
    page::{Page, Paging},
    problem::{Answer, Body, Path, Query, Refusals},
    views::{CheckRequest, CheckView, PipelineView, PlanView, RunView, SourceView, description, time},
};

/// Which pipelines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Only those with this text in their name or description.
    q: Option<String>,
}

async fn last_run(app: &App, name: &str) -> Answer<Option<Stored>> {
    let filter = RunFilter { pipeline: Some(name.to_owned()), limit: 1, ..RunFilter::default() };
    Ok(app.service().engine().reader().runs(&filter).await?.into_iter().next())
}

async fn view(app: &App, entry: &Entry, next: &HashMap<String, String>) -> Answer<PipelineView> {
    let mut view = PipelineView::new(entry, app.service().catalog().folder());
    view.last_run = last_run(app, &entry.name).await?.as_ref().map(RunView::from);
    view.next_tick = next.get(&entry.name).cloned();
    Ok(view)
}

/// When each pipeline is started next by a schedule.
pub(crate) async fn next_ticks(app: &App) -> HashMap<String, String> {
    let now = app.service().now();
    let mut next: HashMap<String, String> = HashMap::new();
    for view in app.service().ticker().schedules().await {
        if view.record.paused_by.is_some() {
            continue;
        }
        if let Some(at) = view.spec.calendar.ticks(now).next().map(time) {
            let soonest = next.entry(view.pipeline).or_insert_with(|| at.clone());
            if at < *soonest {
                *soonest = at;
            }
        }
    }
    next
}

/// Pipelines, by name.
#[utoipa::path(get, path = "/pipelines", tag = "pipelines", params(Search, Paging), responses((status = 200, body = Page<PipelineView>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<Read>,
    Query(search): Query<Search>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<PipelineView>>> {
    super::loaded(&app)?;
    let wanted = search.q.unwrap_or_default().to_lowercase();
    let all = app.service().catalog().all();
    let fits = |entry: &Entry| {
        entry.name.to_lowercase().contains(&wanted)
            || description(entry).is_some_and(|text| text.to_lowercase().contains(&wanted))
    };
    let after = paging.cursor.clone().unwrap_or_default();
    let found = all.values().filter(|entry| caller.sees(&entry.name) && entry.name > after && fits(entry));
    let limit = paging.limit() as usize;
    let mut found: Vec<_> = found.take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = next_ticks(&app).await;
    let mut items = Vec::with_capacity(found.len());
    for entry in &found {
        items.push(view(&app, entry, &next).await?);
    }
    let next = if more { found.last().map(|entry| entry.name.clone()) } else { None };
    Ok(Json(Page { items, next }))
}

/// One pipeline.
#[utoipa::path(get, path = "/pipelines/{name}", tag = "pipelines", params(("name" = String, Path, description = "its name")), responses((status = 200, body = PipelineView), (status = 304, description = "as it was"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let entry = pipeline(&app, &caller, &name)?;
    let next = next_ticks(&app).await;
    Ok(tagged(&headers, &view(&app, &entry, &next).await?))
}

/// The text of a pipeline.
#[utoipa::path(get, path = "/pipelines/{name}/source", tag = "pipelines", params(("name" = String, Path, description = "its name")), responses((status = 200, body = SourceView), (status = 304, description = "as it was"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn source(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let entry = pipeline(&app, &caller, &name)?;
    let folder = app.service().catalog().folder();
    let view = SourceView {
        path: entry.file.strip_prefix(folder).unwrap_or(&entry.file).display().to_string(),
        text: entry.source.text().to_owned(),
        revision: entry.startable.as_ref().map(|startable| startable.revision.to_string()),
    };
    Ok(tagged(&headers, &view))
}

/// What is wrong with a pipeline.
#[utoipa::path(get, path = "/pipelines/{name}/check", tag = "pipelines", params(("name" = String, Path, description = "its name")), responses((status = 200, body = CheckView), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn check(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(name): Path<String>,
) -> Answer<Json<CheckView>> {
    let entry = pipeline(&app, &caller, &name)?;
    let (errors, _) = entry.counts();
    let diagnostics = entry.diagnostics.iter().map(|problem| diagnostic(&entry.source, problem));
    let startable = entry.startable.as_ref().filter(|_| errors == 0);
    let revision = startable.map(|startable| startable.revision.to_string());
    Ok(Json(CheckView { revision, ok: errors == 0, diagnostics: diagnostics.collect() }))
}

/// Checks a text that is in no file.
#[utoipa::path(post, path = "/check", tag = "pipelines", request_body = CheckRequest, responses((status = 200, body = CheckView), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn check_text(
    State(app): State<App>,
    caller: Caller<Operate>,
    Body(request): Body<CheckRequest>,
) -> Answer<Json<CheckView>> {
    let service = app.service();
    let path = request.path.unwrap_or_else(|| "pipeline.yaml".to_owned());
    service.audit().record(caller.name(), Action::CheckText, &path, json!({"bytes": request.text.len()})).await?;
    let catalog = service.catalog().clone();
    let checked = tokio::task::spawn_blocking(move || catalog.check_text(&path, &request.text)).await;
    let CheckedPipeline { source, plan, diagnostics, .. } = checked
        .map_err(|e| millwork_engine::model::Fault::internal("check.stopped", format!("the check was stopped: {e}")))?;
    Ok(Json(CheckView {
        revision: plan.as_ref().map(|plan| plan.revision.to_string()),
        ok: plan.is_some(),
        diagnostics: diagnostics.iter().map(|problem| diagnostic(&source, problem)).collect(),
    }))
}

/// The graph of a pipeline.
#[utoipa::path(get, path = "/pipelines/{name}/plan", tag = "pipelines", params(("name" = String, Path, description = "its name")), responses((status = 200, body = PlanView), (status = 304, description = "as it was"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn plan(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let entry = pipeline(&app, &caller, &name)?;
    let Some(startable) = &entry.startable else { return Err(super::runs::broken(&entry)) };
    Ok(tagged(&headers, &PlanView::new(&*startable.plan().await?)))
}
