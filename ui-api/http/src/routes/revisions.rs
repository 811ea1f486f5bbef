//! Revisions of a pipeline that the service has seen.

use axum::{Json, extract::State};
use millwork_engine::{model::Timestamp, store::RecordKind};
use serde::Deserialize;
use utoipa::IntoParams;

use super::pipeline;
use crate::{
    app::App,
    diff::unified,
    guard::{Caller, Read},
    page::Page,
    problem::{Answer, Path, Problem, Query, Refusals},
    views::{DiffView, RevisionText, RevisionView, time},
};

#[derive(Debug, Deserialize)]
struct Kept {
    seen_at: Timestamp,
    text: String,
}

/// With which revision to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Against {
    /// The one that is compared with; the one seen before it unless given.
    against: Option<String>,
}

async fn kept(app: &App, name: &str) -> Answer<Vec<(String, Kept)>> {
    let prefix = format!("{name}/");
    let records = app.service().engine().reader().records(RecordKind::Revision, &prefix, None, 1000).await?;
    let read = records.into_iter().filter_map(|record| {
        let revision = record.key.strip_prefix(&prefix)?.to_owned();
        Some((revision, serde_json::from_value::<Kept>(record.value).ok()?))
    });
    let mut all: Vec<(String, Kept)> = read.collect();
    all.sort_by_key(|(_, kept)| std::cmp::Reverse(kept.seen_at));
    Ok(all)
}

/// Revisions, newest first.
#[utoipa::path(get, path = "/pipelines/{name}/revisions", tag = "pipelines", params(("name" = String, Path, description = "its name")), responses((status = 200, body = Page<RevisionView>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(name): Path<String>,
) -> Answer<Json<Page<RevisionView>>> {
    let entry = pipeline(&app, &caller, &name)?;
    let current = entry.startable.as_ref().map(|startable| startable.revision.to_string());
    let views = kept(&app, &name).await?.into_iter().map(|(revision, kept)| RevisionView {
        current: Some(&revision) == current.as_ref(),
        seen_at: time(kept.seen_at),
        revision,
    });
    Ok(Json(Page::whole(views.collect())))
}

/// The text of a revision.
#[utoipa::path(get, path = "/pipelines/{name}/revisions/{revision}", tag = "pipelines", params(("name" = String, Path, description = "the pipeline"), ("revision" = String, Path, description = "its digest")), responses((status = 200, body = RevisionText), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<Read>,
    Path((name, revision)): Path<(String, String)>,
) -> Answer<Json<RevisionText>> {
    pipeline(&app, &caller, &name)?;
    let found = kept(&app, &name).await?.into_iter().find(|(known, _)| *known == revision);
    let (revision, kept) = found.ok_or_else(|| Problem::missing("revision", &revision))?;
    Ok(Json(RevisionText { revision, text: kept.text }))
}

/// What a revision changed.
#[utoipa::path(get, path = "/pipelines/{name}/revisions/{revision}/diff", tag = "pipelines", params(("name" = String, Path, description = "the pipeline"), ("revision" = String, Path, description = "its digest"), Against), responses((status = 200, body = DiffView), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn diff(
    State(app): State<App>,
    caller: Caller<Read>,
    Path((name, revision)): Path<(String, String)>,
    Query(against): Query<Against>,
) -> Answer<Json<DiffView>> {
    pipeline(&app, &caller, &name)?;
    let all = kept(&app, &name).await?;
    let at = all.iter().position(|(known, _)| *known == revision);
    let at = at.ok_or_else(|| Problem::missing("revision", &revision))?;
    let other = match &against.against {
        Some(other) => {
            let found = all.iter().find(|(known, _)| known == other);
            Some(found.ok_or_else(|| Problem::missing("revision", other))?)
        }
        None => all.get(at + 1),
    };
    let (from, before) = other.map_or(("", ""), |(revision, kept)| (revision.as_str(), kept.text.as_str()));
    let short = |revision: &str| revision.chars().take(12).collect::<String>();
    let unified = unified(before, &all[at].1.text, &short(from), &short(&revision));
    Ok(Json(DiffView { from: from.to_owned(), to: revision, unified }))
}
