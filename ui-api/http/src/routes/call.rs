//! Request and response: a run whose caller waits for its outputs.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use millwork_engine::{
    RunHandle, RunRequest,
    model::{Fault, RunId, RunStatus, event::Cause},
};
use millwork_service::{audit::Action, desk::Outcome, events::Teller};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    events::Telling,
    runs::{broken, fresh, inputs},
};
use crate::{
    app::App,
    guard::{Caller, Operate},
    problem::{Answer, AnyJson, Body, Path, Problem, Query, Refusals},
    sse::{named, stream},
    views::word,
};

/// What a pipeline is called with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallRequest {
    /// Inputs by name; defaults fill the rest.
    #[serde(default)]
    #[schema(value_type = Object)]
    inputs: serde_json::Map<String, AnyJson>,
}

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Patience {
    /// Seconds after which the run is cancelled, 1 to 3,600; 300 unless given.
    #[param(minimum = 1, maximum = 3600)]
    timeout_s: Option<u64>,
}

/// What came of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallView {
    /// The run.
    run: String,
    /// How it ended.
    status: String,
    /// What it gave.
    #[schema(value_type = Object)]
    outputs: AnyJson,
}

/// Bytes of outputs that an answer has at most.
const LARGEST: usize = 8 << 20;

/// Cancels a run when its caller goes away.
struct Guard {
    handle: RunHandle,
    armed: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed {
            self.handle.cancel("its caller, who went away");
        }
    }
}

/// Runs a pipeline and answers with its outputs; with `Accept: text/event-stream` its changes are told meanwhile, and
/// `result` at the end. Who goes away, cancels it. The record is that of any run.
#[utoipa::path(post, path = "/pipelines/{name}/call", tag = "runs", params(("name" = String, Path, description = "the pipeline"), Patience), request_body = CallRequest, responses((status = 200, content((CallView = "application/json"), (String = "text/event-stream"))), (status = 504, body = crate::problem::ProblemBody, content_type = "application/problem+json", description = "it took too long and was cancelled"), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn call(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path(name): Path<String>,
    Query(patience): Query<Patience>,
    headers: HeaderMap,
    Body(request): Body<CallRequest>,
) -> Answer<Response> {
    let entry = fresh(&app, &caller, &name).await?;
    let Some(plan) = entry.plan.clone() else { return Err(broken(&entry)) };
    let service = app.service();
    let patience = Duration::from_secs(patience.timeout_s.unwrap_or(300).clamp(1, 3600));
    let cause = Cause::Call { who: caller.name().to_owned() };
    let run = RunRequest { inputs: inputs(&request.inputs), ..RunRequest::default() };
    let prepared = service.engine().prepare(plan.clone(), run, cause, None).await?;
    let id = prepared.id();
    let handle = match service.desk().start(prepared, None).await? {
        Outcome::Started(handle) => handle,
        // It waits for its turn as any other; its caller waits with it.
        Outcome::Queued(run) => queued(&app, run, patience).await?,
        Outcome::Before(run) => return Err(Fault::internal("run.exists", format!("{run} has no key")).into()),
        Outcome::Skipped { group, .. } => {
            let fault = Fault::user("run.skipped", format!("the concurrency group `{group}` is taken"));
            return Err(Problem::conflict(fault.help("try again when its run has ended")));
        }
    };
    service.audit().record(caller.name(), Action::RunCall, &id.to_string(), json!({"pipeline": name})).await?;
    let streamed = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if streamed.is_some_and(|accept| accept.contains("text/event-stream")) {
        return Ok(told(&app, handle, id, name, &plan, patience));
    }
    let (status, view) = finish(&app, handle, patience).await?;
    Ok((status, Json(view)).into_response())
}

/// Waits until the queue has let a run in.
async fn queued(app: &App, run: RunId, patience: Duration) -> Answer<RunHandle> {
    let engine = app.service().engine().clone();
    let mut following = app.service().hub().follow();
    let wait = async {
        loop {
            if let Some(handle) = engine.handle(run).await? {
                return Ok(handle);
            }
            let _ = following.next().await;
        }
    };
    match tokio::time::timeout(patience, wait).await {
        Ok(handle) => handle.map_err(|fault: Fault| fault.into()),
        Err(_) => {
            engine.cancel(run, "its caller, who waited too long").await?;
            app.service().desk().gone(run);
            Err(late(run))
        }
    }
}

fn late(run: RunId) -> Problem {
    let fault = Fault::external("call.timeout", format!("{run} did not end in time, and was cancelled"));
    let fault = fault.help("give it more time with `timeout_s`, or start it with `POST /runs` and follow it");
    Problem::new(StatusCode::GATEWAY_TIMEOUT, fault).with_run(run)
}

async fn finish(app: &App, handle: RunHandle, patience: Duration) -> Answer<(StatusCode, CallView)> {
    let run = handle.id();
    let mut guard = Guard { handle: handle.another(), armed: true };
    let ended = tokio::time::timeout(patience, handle.ended(false)).await;
    let summary = match ended {
        Ok(summary) => summary?,
        Err(_) => {
            drop(guard);
            return Err(late(run));
        }
    };
    guard.armed = false;
    let _ = app;
    if summary.status != RunStatus::Succeeded {
        let ended = || Fault::user("call.ended", format!("{run} was {}", word(summary.status)));
        return Err(
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, summary.fault.clone().unwrap_or_else(ended)).with_run(run)
        );
    }
    if summary.outputs.to_string().len() > LARGEST {
        let fault = Fault::user("call.large", format!("the outputs have more than {LARGEST} bytes"));
        return Err(Problem::from(fault.help("read them from the run, or let the pipeline give less")).with_run(run));
    }
    let view = CallView { run: run.to_string(), status: word(summary.status), outputs: summary.outputs };
    Ok((StatusCode::OK, view))
}

/// The changes of a called run, then its result.
fn told(
    app: &App,
    handle: RunHandle,
    run: RunId,
    pipeline: String,
    plan: &millwork_engine::graph::Plan,
    patience: Duration,
) -> Response {
    let (sink, response) = stream();
    let mut telling =
        Telling { run, pipeline, teller: Teller::new(run, plan), told: 0, logs: Some(0), sink: sink.clone() };
    let app = app.clone();
    tokio::spawn(async move {
        let service = app.service().clone();
        let result = async {
            // Dropped when the reader is gone, which cancels the run.
            tokio::select! {
                result = finish(&app, handle, patience) => Some(result),
                () = sink.closed() => None,
            }
        };
        let (_, result) = tokio::join!(telling.all(&service), result);
        let event = match result {
            None => return,
            Some(Ok((_, view))) => named("result", &view),
            Some(Err(problem)) => problem.event(),
        };
        let _ = sink.send(Ok(event)).await;
    });
    response.into_response()
}
