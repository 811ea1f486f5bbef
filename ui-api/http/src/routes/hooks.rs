//! Webhooks: requests from outside that start runs.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use millwork_engine::{
    model::Fault,
    spec::{PipelineSpec, TriggerSpec},
    triggers_of,
};
use millwork_service::{
    audit::Action,
    auth::{Permission, Principal},
    triggers::{Request, receive},
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    guard::Asker,
    problem::{Answer, Problem, Query, Refusals},
    views::FaultView,
};

/// What a delivery led to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HookView {
    /// One for each pipeline that listens at the path.
    runs: Vec<HookedView>,
}

/// What a delivery led to for one pipeline.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct HookedView {
    /// The pipeline.
    pipeline: String,
    /// The run; `null` if nothing was started: there is a `fault`, or its concurrency group was full and says
    /// `on_conflict: skip`.
    run: Option<String>,
    /// Whether the same delivery came before.
    again: bool,
    /// Why it was not started. The delivery may be sent again: what was started is not started twice.
    fault: Option<FaultView>,
}

/// Whether somebody may start every pipeline that listens at a path.
fn may_start(app: &App, principal: &Principal, path: &str, method: &Method) -> bool {
    let listens = |spec: &PipelineSpec| {
        triggers_of(spec).any(|(_, trigger)| {
            matches!(trigger, TriggerSpec::Webhook(hook) if hook.path == path && hook.method == method.as_str())
        })
    };
    let all = app.service().catalog().all();
    all.values()
        .filter(|entry| entry.spec().is_some_and(|spec| listens(spec)))
        .all(|entry| principal.may(Permission::Operate, Some(&entry.name)).is_ok())
}

/// Starts the pipelines that listen at the path. The sender proves itself as the trigger says: by a signature, or by a
/// token that may start runs. Where some were started and others could not be, the answer is the problem of those, with
/// `runs` of all: sent again, the delivery starts only the rest.
#[utoipa::path(post, path = "/hooks/{path}", tag = "hooks", params(("path" = String, Path, description = "as in `on.webhook.path`")), request_body(content = Value, content_type = "application/json"), responses((status = 202, body = HookView), (status = 200, body = HookView, description = "the delivery came before"), Refusals), security((), ("token" = ["operator"])))]
pub(crate) async fn receive_hook(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Response> {
    let path = uri.path().strip_prefix("/hooks").unwrap_or_default().to_owned();
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let body = body.map_err(|rejection| Problem::rejected(rejection.status(), rejection.body_text()))?;
    let trusted = match &asker {
        Asker::Known(principal) if may_start(&app, principal, &path, &method) => Some(principal.clone()),
        _ => None,
    };
    let request = Request {
        path: path.clone(),
        method: method.as_str().to_owned(),
        headers: headers.iter().filter_map(text).collect(),
        query,
        body: body.to_vec(),
        trusted,
    };
    let service = app.service();
    let who = match &asker {
        Asker::Known(principal) => principal.name.clone(),
        Asker::Nobody(_) => "hook".to_owned(),
    };
    let refused = async |fault: &Fault| -> Answer<()> {
        // What nobody listens to is not worth a line that stays for ever.
        if !matches!(fault.code.as_str(), "hook.none" | "service.starting") {
            let why = json!({"code": fault.code.to_string()});
            service.audit().record(&who, Action::HookRefused, &path, why).await?;
        }
        Ok(())
    };
    let hooked = match receive(service, request).await {
        Ok(hooked) => hooked,
        Err(fault) => {
            refused(&fault).await?;
            return Err(fault.into());
        }
    };
    let mut first = None;
    for fault in hooked.iter().filter_map(|hooked| hooked.fault.as_ref()) {
        refused(fault).await?;
        // Who signs for one pipeline need not sign for all that listen here; anything else is to be tried again.
        if fault.code.as_str() != "hook.signature" {
            first.get_or_insert_with(|| fault.clone());
        }
    }
    let runs: Vec<HookedView> = hooked
        .into_iter()
        .map(|hooked| HookedView {
            pipeline: hooked.pipeline,
            run: hooked.run.map(|run| run.to_string()),
            again: hooked.again,
            fault: hooked.fault.as_ref().map(Into::into),
        })
        .collect();
    let accepted = || runs.iter().filter(|hooked| hooked.fault.is_none());
    let status = if accepted().all(|hooked| hooked.again) { StatusCode::OK } else { StatusCode::ACCEPTED };
    // Also one that came before: a crash may have cut the first answer off before it was written down.
    let named: Vec<_> = accepted().map(|hooked| hooked.run.clone()).collect();
    let detail = json!({"runs": named, "again": status == StatusCode::OK});
    service.audit().record(&who, Action::HookAccepted, &path, detail).await?;
    match first {
        // Senders deliver again what was not answered with success.
        Some(fault) => Err(Problem::from(fault).with_hooked(runs)),
        None => Ok((status, Json(HookView { runs })).into_response()),
    }
}
