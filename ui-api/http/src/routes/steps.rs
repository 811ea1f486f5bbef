//! Steps of a run: state, outputs, items, rows of tables.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use millwork_engine::{
    data::{Table, Value},
    graph::Work,
    model::{Fault, event::ItemOutcome},
    store::ItemFilter,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    artifacts::{As, send},
    run,
};
use crate::{
    app::App,
    attempts::AttemptView,
    guard::{Caller, Read},
    page::{Page, Paging},
    problem::{Answer, AnyJson, Path, Problem, Query, Refusals},
    views::{FaultView, OutputView, RowsView, StepView, columns, rows, shown, word},
};

/// A step with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepDetail {
    /// As in the run.
    #[serde(flatten)]
    step: StepView,
    /// Its kind; `null` for a body of several steps.
    kind: Option<String>,
    /// What it gave, if it succeeded.
    outputs: Vec<OutputView>,
    /// Its attempts, oldest first.
    attempts_log: Vec<AttemptView>,
}

/// One step of a run, with its outputs.
#[utoipa::path(get, path = "/runs/{id}/steps/{step}", tag = "steps", params(("id" = String, Path, description = "the run"), ("step" = String, Path, description = "the step")), responses((status = 200, body = StepDetail), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<Read>,
    Path((id, step)): Path<(String, String)>,
) -> Answer<Json<StepDetail>> {
    let stored = run(&app, &caller, &id).await?;
    let engine = app.service().engine();
    let look = engine.look(stored.id).await?;
    let (ix, facts) = look.step(&step).ok_or_else(|| Problem::missing("step", &step))?;
    let node = look.plan.nodes.get(ix.index()).ok_or_else(|| Problem::missing("step", &step))?;
    let mut outputs: Vec<OutputView> = match facts.stored {
        Some(_) => engine.outputs(stored.id, &step).await?.iter().map(|(n, v)| OutputView::new(n, v)).collect(),
        None => Vec::new(),
    };
    for output in &mut outputs {
        if let Some(file) = &mut output.file {
            file.url = format!("/api/v1/runs/{}/steps/{step}/file/{}", stored.id, output.name);
        }
    }
    Ok(Json(StepDetail {
        step: StepView::new(&look, node, facts),
        kind: match &node.work {
            Work::Kind { kind, .. } => Some(kind.name().to_owned()),
            Work::Body { .. } => None,
        },
        outputs,
        attempts_log: app.attempts().of(engine, stored.id, ix).await?,
    }))
}

/// Which items.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Items {
    /// Only those that ended so: `succeeded`, `failed`, `skipped` or `cancelled`.
    status: Option<String>,
    /// From this number on.
    from: Option<u32>,
}

/// An item of a fan-out that has ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemView {
    /// Its number, from 0.
    item: u32,
    /// `succeeded`, `failed`, `skipped` or `cancelled`.
    status: String,
    /// Attempts that it took.
    attempts: u32,
    /// Why it failed.
    fault: Option<FaultView>,
    /// What it gave.
    #[schema(value_type = Option<Object>)]
    outputs: Option<AnyJson>,
}

/// Items of a fan-out that have ended, by number.
#[utoipa::path(get, path = "/runs/{id}/steps/{step}/items", tag = "steps", params(("id" = String, Path, description = "the run"), ("step" = String, Path, description = "the step"), Items, Paging), responses((status = 200, body = Page<ItemView>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn items(
    State(app): State<App>,
    caller: Caller<Read>,
    Path((id, step)): Path<(String, String)>,
    Query(items): Query<Items>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<ItemView>>> {
    let stored = run(&app, &caller, &id).await?;
    let engine = app.service().engine();
    let plan = engine.plan_of_revision(stored.revision).await?;
    let node = plan.node(&step).ok_or_else(|| Problem::missing("step", &step))?.ix;
    let outcome = items.status.as_deref().map(|word| {
        serde_json::from_value::<ItemOutcome>(AnyJson::String(word.to_owned()))
            .map_err(|_| Problem::bad(format!("`{word}` is no end of an item: succeeded, failed, skipped, cancelled")))
    });
    let cursor = paging
        .cursor
        .as_deref()
        .map(|text| text.parse::<u32>().map_err(|_| Problem::bad(format!("`{text}` is no cursor of this list"))));
    let from = cursor.transpose()?.or(items.from).unwrap_or(0);
    let filter = ItemFilter { outcome: outcome.transpose()?, from, limit: paging.limit() + 1 };
    let mut found = engine.reader().items(stored.id, node, &filter).await?;
    let next = if found.len() > paging.limit() as usize { found.pop().map(|item| item.item.to_string()) } else { None };
    let views = found.iter().map(|item| ItemView {
        item: item.item,
        status: word(item.outcome),
        attempts: item.attempts,
        fault: item.fault.as_ref().map(Into::into),
        outputs: item.outputs.as_ref().map(shown),
    });
    Ok(Json(Page { items: views.collect(), next }))
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Rows {
    /// The first row, from 0.
    offset: Option<u64>,
    /// How many at most, 1 to 10,000; 100 unless given.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<u64>,
}

/// The most rows before a preview that are read past.
const DEEPEST: u64 = 1_000_000;

/// Rows of a table that a step gave: as JSON, or as an Arrow IPC stream where `Accept` says
/// `application/vnd.apache.arrow.stream`.
#[utoipa::path(get, path = "/runs/{id}/steps/{step}/table/{output}", tag = "steps", params(("id" = String, Path, description = "the run"), ("step" = String, Path, description = "the step"), ("output" = String, Path, description = "the output"), Rows), responses((status = 200, content((RowsView = "application/json"), (Vec<u8> = "application/vnd.apache.arrow.stream"))), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn table(
    State(app): State<App>,
    caller: Caller<Read>,
    Path((id, step, output)): Path<(String, String, String)>,
    Query(asked): Query<Rows>,
    headers: HeaderMap,
) -> Answer<Response> {
    let stored = run(&app, &caller, &id).await?;
    let engine = app.service().engine();
    let (offset, limit) = (asked.offset.unwrap_or(0), asked.limit.unwrap_or(100).clamp(1, 10_000));
    if offset > DEEPEST {
        return Err(Problem::bad(format!("a preview begins within the first {DEEPEST} rows; use SQL for more")));
    }
    let outputs = engine.outputs(stored.id, &step).await?;
    let found = outputs.iter().find(|(name, _)| name.as_str() == output).map(|(_, value)| value);
    let table: &Table = match found {
        Some(Value::Table(table)) => table,
        Some(_) => return Err(Problem::bad(format!("`{output}` is no table"))),
        None => return Err(Problem::missing("output", &output)),
    };
    let mut skip = offset as usize;
    let read = engine.tables().read(table, None, Some(offset + limit)).await?;
    let mut batches = Vec::new();
    for batch in read {
        let from = skip.min(batch.num_rows());
        skip -= from;
        if from < batch.num_rows() {
            batches.push(batch.slice(from, batch.num_rows() - from));
        }
    }
    let arrow = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if arrow.is_some_and(|accept| accept.contains("application/vnd.apache.arrow.stream")) {
        let bytes = stream(table, &batches).map_err(|e| Fault::internal("table.encode", e.to_string()))?;
        return Ok(([(header::CONTENT_TYPE, "application/vnd.apache.arrow.stream")], bytes).into_response());
    }
    let view = RowsView { columns: columns(&table.schema), rows: rows(&batches), offset, total: table.rows };
    Ok(Json(view).into_response())
}

/// A file that a step gave, or a range of it: what was kept of it, or the file itself where it was written to.
#[utoipa::path(get, path = "/runs/{id}/steps/{step}/file/{output}", tag = "steps", params(("id" = String, Path, description = "the run"), ("step" = String, Path, description = "the step"), ("output" = String, Path, description = "the output"), As, ("Range" = Option<String>, Header, description = "one range of bytes")), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 206, body = Vec<u8>, content_type = "application/octet-stream"), (status = 304, description = "as it was"), (status = 416, description = "the range is outside"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn file(
    State(app): State<App>,
    caller: Caller<Read>,
    Path((id, step, output)): Path<(String, String, String)>,
    Query(mut how): Query<As>,
    headers: HeaderMap,
) -> Answer<Response> {
    let stored = run(&app, &caller, &id).await?;
    let engine = app.service().engine();
    let outputs = engine.outputs(stored.id, &step).await?;
    let found = outputs.iter().find(|(name, _)| name.as_str() == output).map(|(_, value)| value);
    let file = match found {
        Some(Value::File(file)) => file,
        Some(_) => return Err(Problem::bad(format!("`{output}` is no file"))),
        None => return Err(Problem::missing("output", &output)),
    };
    how.name.get_or_insert_with(|| file.path.rsplit('/').next().unwrap_or_default().to_owned());
    let kept = file.artifact.and_then(|artifact| engine.artifacts().local_path(artifact));
    let path = match kept {
        Some(path) => path,
        None => engine.plan_of_revision(stored.revision).await?.base.join(&file.path),
    };
    // A file may be written again by a later run.
    let modified = tokio::fs::metadata(&path).await.and_then(|meta| meta.modified()).ok();
    let modified = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    let tag = format!("\"{:x}-{:x}\"", modified.as_nanos(), file.bytes);
    send(&path, &tag, &output, how, &headers).await
}

fn stream(table: &Table, batches: &[arrow::record_batch::RecordBatch]) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let mut bytes = Vec::new();
    let schema = batches.first().map_or_else(|| table.schema.clone(), |batch| batch.schema());
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}
