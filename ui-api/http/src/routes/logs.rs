//! Log lines of a run.

use axum::{Json, extract::State};
use millwork_engine::{LogLine, LogPlace, LogQuery, step::LogStream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::run;
use crate::{
    app::App,
    guard::{Caller, Read},
    problem::{Answer, Path, Query, Refusals},
    views::time,
};

/// Which lines.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Lines {
    /// Of this step.
    step: Option<String>,
    /// Of this item.
    item: Option<u32>,
    /// From this line of the selection on.
    from: Option<u64>,
    /// The last lines instead, this many.
    tail: Option<u64>,
    /// How many at most, 1 to 5,000; 1,000 unless given.
    #[param(minimum = 1, maximum = 5000)]
    limit: Option<u64>,
    /// Only lines with this text.
    q: Option<String>,
}

/// A part of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogView {
    /// The lines, oldest first.
    lines: Vec<LineView>,
    /// The number of the first line here, among those selected.
    first: u64,
    /// The number of the line after the last one here.
    next: u64,
    /// Lines selected so far.
    total: u64,
}

/// A line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LineView {
    /// Its number among those selected, from 0.
    pub n: u64,
    /// When.
    pub at: String,
    /// Which step.
    pub step: String,
    /// Which item.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// `stdout`, `stderr`, or `log` for what the step itself says.
    pub stream: &'static str,
    /// The text.
    pub text: String,
}

impl LineView {
    pub(crate) fn new(n: u64, line: &LogLine) -> Self {
        Self {
            n,
            at: time(line.at),
            step: line.step.to_string(),
            item: line.item,
            attempt: line.attempt,
            stream: match line.stream {
                LogStream::Stdout => "stdout",
                LogStream::Stderr => "stderr",
                LogStream::Step => "log",
            },
            text: line.text.clone(),
        }
    }
}

/// Log lines of a run, or of a step of it, by ranges.
#[utoipa::path(get, path = "/runs/{id}/logs", tag = "runs", params(("id" = String, Path, description = "the run"), Lines), responses((status = 200, body = LogView), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(id): Path<String>,
    Query(asked): Query<Lines>,
) -> Answer<Json<LogView>> {
    let stored = run(&app, &caller, &id).await?;
    let limit = asked.limit.unwrap_or(1000).clamp(1, 5000);
    let (place, limit) = match asked.tail {
        Some(tail) => (LogPlace::Tail, tail.min(limit)),
        None => (LogPlace::From(asked.from.unwrap_or(0)), limit),
    };
    let query = LogQuery { step: asked.step, item: asked.item, text: asked.q };
    let page = app.service().engine().log_page(stored.id, query, place, limit).await?;
    let lines: Vec<LineView> = (page.first..).zip(&page.lines).map(|(n, line)| LineView::new(n, line)).collect();
    Ok(Json(LogView { next: page.first + lines.len() as u64, lines, first: page.first, total: page.total }))
}
