//! Request and response: a run whose caller waits for its outputs.

use std::{future::Future, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use millwork_engine::{
    RunHandle, RunRequest, RunSummary,
    graph::Plan,
    model::{Fault, RunId, RunStatus, event::Cause},
};
use millwork_service::{audit::Action, desk::Outcome, events::Teller};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{runtime::Handle, time::Instant};
use utoipa::{IntoParams, ToSchema};

use super::{
    events::{Telling, while_good},
    runs::{broken, fresh, inputs},
};
use crate::{
    app::App,
    guard::{Caller, Operate},
    lapse::Shown,
    problem::{Answer, AnyJson, Body, Path, Problem, Query, Refusals},
    sse::{Known, named, stream},
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

/// Cancels a run, or takes it out of the queue, when its caller goes away or has waited too long.
struct Guard {
    app: App,
    run: RunId,
    by: &'static str,
    armed: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Where there is no runtime any more, the process ends, and the next one goes on with the run.
        if let Some(runtime) = Handle::try_current().ok().filter(|_| self.armed) {
            let (app, run, by) = (self.app.clone(), self.run, self.by);
            runtime.spawn(async move {
                let (engine, desk) = (app.service().engine(), app.service().desk());
                if let Err(fault) = engine.cancel(run, by).await {
                    tracing::debug!(%run, %fault, "the run of a call was not cancelled");
                }
                if !engine.drives(run) {
                    desk.gone(run);
                }
            });
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
    let Some(startable) = &entry.startable else { return Err(broken(&entry)) };
    let plan = startable.plan().await?;
    let service = app.service();
    let patience = Duration::from_secs(patience.timeout_s.unwrap_or(300).clamp(1, 3600));
    let cause = Cause::Call { who: caller.name().to_owned() };
    let run = RunRequest { inputs: inputs(&request.inputs), ..RunRequest::default() };
    let prepared = service.engine().prepare(plan.clone(), run, cause, None).await?;
    let id = prepared.id();
    let deadline = Instant::now() + patience;
    let started = Box::pin(async { Ok::<_, Problem>(service.desk().start(prepared, None).await?) });
    let handle = match service.quotas().counted(caller.principal(), 1, started, Outcome::new_runs).await? {
        Outcome::Started(handle) => Some(handle),
        // It waits for its turn as any other; its caller waits with it.
        Outcome::Queued(_) => None,
        Outcome::Before(run) => return Err(Fault::internal("run.exists", format!("{run} has no key")).into()),
        Outcome::Skipped { group, .. } => {
            let fault = Fault::user("run.skipped", format!("the concurrency group `{group}` is taken"));
            return Err(Problem::conflict(fault.help("try again when its run has ended")));
        }
    };
    let guard = Guard { app: app.clone(), run: id, by: "its caller, who went away", armed: true };
    let (target, detail) = (id.to_string(), json!({"pipeline": name}));
    let noted = service.audit().record(caller.name(), Action::RunCall, &target, detail);
    let result = finish(guard, handle, deadline);
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepts.is_some_and(|accept| accept.contains("text/event-stream")) {
        noted.await?;
        return Ok(told(&app, caller.shown(), result, id, name, &plan));
    }
    // The run goes on while it is noted; what cannot be noted, cancels it.
    let noted = async { noted.await.map_err(Problem::from) };
    let (_, view) = tokio::try_join!(noted, result)?;
    Ok(Json(view).into_response())
}

/// Waits until a run has ended: here, or in the queue.
async fn ended(app: &App, run: RunId, handle: Option<RunHandle>) -> Result<RunSummary, Fault> {
    let engine = app.service().engine();
    if let Some(handle) = handle {
        return handle.ended(false).await;
    }
    let mut following = app.service().hub().follow();
    let mut found: Option<RunHandle> = None;
    loop {
        if let Some(handle) = found {
            return handle.ended(false).await;
        }
        // What is over already was too short to be seen, or was cancelled while it waited.
        if engine.reader().run(run).await?.status.is_final() {
            return engine.summary(run).await;
        }
        found = engine.handle(run).await?;
        // A message of its own, or `None` after some were missed.
        while found.is_none() && following.next().await.is_some_and(|message| message.run != run) {}
    }
}

async fn finish(mut guard: Guard, handle: Option<RunHandle>, deadline: Instant) -> Answer<CallView> {
    let run = guard.run;
    let Ok(summary) = tokio::time::timeout_at(deadline, ended(&guard.app, run, handle)).await else {
        guard.by = "its caller, who waited too long";
        let fault = Fault::external("call.timeout", format!("{run} did not end in time, and was cancelled"));
        let fault = fault.help("give it more time with `timeout_s`, or start it with `POST /runs` and follow it");
        return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, fault).with_run(run));
    };
    guard.armed = false;
    let summary = summary?;
    if summary.status != RunStatus::Succeeded {
        let ended = || Fault::user("call.ended", format!("{run} was {}", word(summary.status)));
        let fault = summary.fault.unwrap_or_else(ended);
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, fault).with_run(run));
    }
    if summary.outputs.to_string().len() > LARGEST {
        let fault = Fault::user("call.large", format!("the outputs have more than {LARGEST} bytes"));
        return Err(Problem::from(fault.help("read them from the run, or let the pipeline give less")).with_run(run));
    }
    Ok(CallView { run: run.to_string(), status: word(summary.status), outputs: summary.outputs })
}

/// The changes of a called run, then its result.
fn told(
    app: &App,
    shown: Shown,
    result: impl Future<Output = Answer<CallView>> + Send + 'static,
    run: RunId,
    pipeline: String,
    plan: &Plan,
) -> Response {
    let (sink, response) = stream();
    let teller = Teller::new(run, plan);
    let mut telling = Telling { run, pipeline, teller, told: Known::default(), logs: Some(0), sink: sink.clone() };
    let app = app.clone();
    tokio::spawn(async move {
        let service = app.service().clone();
        let result = async {
            // Dropped when the reader is gone, which cancels the run.
            tokio::select! {
                result = result => Some(result),
                () = sink.closed() => None,
            }
        };
        let all = async {
            let ((), result) = tokio::join!(telling.all(&service), result);
            let event = match result {
                None => return,
                Some(Ok(view)) => named("result", &view),
                Some(Err(problem)) => problem.event(),
            };
            let _ = sink.send(Ok(event)).await;
        };
        while_good(&app, &shown, &sink, all).await;
    });
    response.into_response()
}
