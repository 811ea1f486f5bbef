//! Parts of a run that may be long: its graph and its steps.

use axum::{extract::State, http::HeaderMap, response::Response};
use millwork_engine::model::StepStatus;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::run;
use crate::{
    app::App,
    etag::{of_version, tagged_as},
    guard::{Caller, Read},
    problem::{Answer, Path, Problem, Query, Refusals},
    views::{PlanView, StepView},
};

/// The graph of a run, as it was frozen. It is that of the run's revision, and never changes.
#[utoipa::path(get, path = "/runs/{id}/plan", tag = "runs", params(("id" = String, Path, description = "the run")), responses((status = 200, body = PlanView), (status = 304, description = "as it was"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn plan(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let stored = run(&app, &caller, &id).await?;
    let plan = app.service().engine().plan_of_revision(stored.revision).await?;
    Ok(tagged_as(&headers, of_version(&stored.revision), || PlanView::new(&plan)))
}

/// Words of `status`.
const STATUSES: &str = "pending, ready, running, waiting, succeeded, failed, skipped, cancelled";

/// Which steps.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those in one of these states, separated by commas.
    status: Option<String>,
    /// How many at most, 1 to 5,000; 1,000 unless given.
    #[param(minimum = 1, maximum = 5000)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A part of the steps of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepsPage {
    /// The steps, in the order of the file.
    items: Vec<StepView>,
    /// `cursor` of the next page; `null` on the last.
    next: Option<String>,
    /// The number of the run's last event that these steps show; streams go on from there.
    seq: u64,
}

/// Steps of a run, in the order of the file.
#[utoipa::path(get, path = "/runs/{id}/steps", tag = "steps", params(("id" = String, Path, description = "the run"), Which), responses((status = 200, body = StepsPage), (status = 304, description = "as they were"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn steps(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(id): Path<String>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Answer<Response> {
    let stored = run(&app, &caller, &id).await?;
    let limit = which.limit.unwrap_or(1000).clamp(1, 5000);
    let from = which.cursor.as_deref().map(|cursor| {
        cursor.parse::<usize>().map_err(|_| Problem::bad(format!("`{cursor}` is no cursor of this list")))
    });
    let from = from.transpose()?.unwrap_or(0);
    let statuses = statuses(which.status.as_deref().unwrap_or_default())?;
    let look = app.service().engine().look(stored.id).await?;
    let seq = look.state.seq();
    Ok(tagged_as(&headers, of_version(&seq), || {
        let fits = |status: &StepStatus| statuses.is_empty() || statuses.contains(status);
        let steps = look.plan.nodes.iter().zip(&look.facts).skip(from);
        let mut steps = steps.filter(|(_, facts)| fits(&facts.status));
        let items = steps.by_ref().take(limit).map(|(node, facts)| StepView::new(&look, node, facts)).collect();
        let next = steps.next().map(|(node, _)| node.ix.0.to_string());
        StepsPage { items, next, seq }
    }))
}

fn statuses(list: &str) -> Answer<Vec<StepStatus>> {
    let words = list.split(',').filter(|word| !word.is_empty());
    let status = |word: &str| {
        serde_json::from_value::<StepStatus>(serde_json::json!(word))
            .map_err(|_| Problem::bad(format!("`{word}` is no state of a step: {STATUSES}")))
    };
    words.map(status).collect()
}
