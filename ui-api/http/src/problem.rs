//! Errors as `application/problem+json` (RFC 9457), with the codes that the command line has.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use millwork_engine::{
    diag::JsonDiagnostic,
    model::{Blame, Fault, Retry},
    store::StoreError,
};
use millwork_service::auth::Denied;
use serde::Serialize;

use crate::{help::help, routes::hooks::HookedView};
use serde_json::Value as AnyValue;
use utoipa::{IntoResponses, ToSchema};

/// What went wrong, and what to do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProblemBody {
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, in a sentence.
    pub detail: String,
    /// A stable code.
    pub code: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Whether the same request could succeed later: `no` or `later`.
    pub retry: &'static str,
    /// The run that it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Problems of a pipeline's text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub diagnostics: Vec<JsonDiagnostic>,
    /// What a delivery led to for each pipeline, where it led to something for some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<HookedView>,
}

/// A refusal. Boxed, because most calls give none.
#[derive(Debug)]
pub(crate) struct Problem(Box<Refusal>);

#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    fault: Fault,
    retry_after: Option<u64>,
    run: Option<String>,
    diagnostics: Vec<JsonDiagnostic>,
    hooked: Vec<HookedView>,
}

pub(crate) type Answer<T> = Result<T, Problem>;

impl Problem {
    pub(crate) fn new(status: StatusCode, fault: Fault) -> Self {
        let (diagnostics, hooked) = (Vec::new(), Vec::new());
        Self(Box::new(Refusal { status, fault, retry_after: None, run: None, diagnostics, hooked }))
    }

    /// There is no such thing.
    pub(crate) fn missing(what: &str, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Fault::user("api.missing", format!("there is no {what} `{name}`")))
    }

    /// What was sent is not as it must be.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Fault::user("api.request", message.into()))
    }

    /// What was sent cannot be read, and this is why.
    pub(crate) fn rejected(status: StatusCode, message: String) -> Self {
        Self::new(status, Fault::user("api.request", message))
    }

    /// It does not fit how things stand.
    pub(crate) fn conflict(fault: Fault) -> Self {
        Self::new(StatusCode::CONFLICT, fault)
    }

    pub(crate) fn with_run(mut self, run: impl ToString) -> Self {
        self.0.run = Some(run.to_string());
        self
    }

    pub(crate) fn with_hooked(mut self, hooked: Vec<HookedView>) -> Self {
        self.0.hooked = hooked;
        self
    }

    pub(crate) fn with_diagnostics(mut self, diagnostics: Vec<JsonDiagnostic>) -> Self {
        self.0.diagnostics = diagnostics;
        self
    }
}

impl Problem {
    /// As the last event of a stream.
    pub(crate) fn event(&self) -> axum::response::sse::Event {
        crate::sse::named("problem", &self.last())
    }

    /// The same, written.
    pub(crate) fn written(&self) -> axum::body::Bytes {
        format!("event: problem\ndata: {}\n\n", self.last()).into()
    }

    fn last(&self) -> serde_json::Value {
        let Refusal { run, fault, .. } = &*self.0;
        serde_json::json!({"run": run, "code": fault.code, "detail": fault.message, "help": help(fault)})
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let status = match fault.code.as_str() {
            "store.no_run" | "step.unknown" | "schedule.none" | "hook.none" | "outputs.none" | "artifact.missing"
            | "token.none" | "backfill.none" => StatusCode::NOT_FOUND,
            "run.owned" | "run.ended" | "run.succeeded" | "run.skipped" | "answer.given" | "answer.none"
            | "answer.stale" | "rerun.running" | "token.taken" => StatusCode::CONFLICT,
            "hook.signature" | "hook.time" => StatusCode::UNAUTHORIZED,
            "auth.quota" => StatusCode::TOO_MANY_REQUESTS,
            _ => match fault.blame {
                Blame::User => StatusCode::UNPROCESSABLE_ENTITY,
                Blame::External => StatusCode::SERVICE_UNAVAILABLE,
                Blame::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            },
        };
        let retry_after = match fault.retry {
            Retry::AfterMillis(millis) if status == StatusCode::TOO_MANY_REQUESTS => Some(millis.div_ceil(1000).max(1)),
            _ => None,
        };
        let mut problem = Self::new(status, fault);
        problem.0.retry_after = retry_after;
        problem
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Fault::from(error).into()
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let (status, wait) = match &denied {
            Denied::Unauthenticated | Denied::Expired | Denied::Revoked => (StatusCode::UNAUTHORIZED, None),
            Denied::Forbidden { .. } | Denied::Csrf => (StatusCode::FORBIDDEN, None),
            Denied::Hidden => (StatusCode::NOT_FOUND, None),
            Denied::Throttled { retry_after } | Denied::Quota { retry_after, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after))
            }
            Denied::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let retry_after = wait.map(|wait| wait.as_secs_f64().ceil().max(1.0) as u64);
        let mut problem = Self::new(status, denied.into());
        problem.0.retry_after = retry_after;
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Refusal { status, fault, retry_after, run, diagnostics, hooked } = *self.0;
        if status.is_server_error() {
            tracing::warn!(%fault, "a request failed");
        }
        let retry_after = retry_after.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(1));
        let later = retry_after.is_some() || fault.retry != Retry::Never || status == StatusCode::SERVICE_UNAVAILABLE;
        let help = help(&fault);
        let body = ProblemBody {
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: fault.message,
            code: fault.code.to_string(),
            help,
            retry: if later { "later" } else { "no" },
            run,
            diagnostics,
            runs: hooked,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The refusals that any call may meet, for the OpenAPI document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum Refusals {
    /// The request cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(ProblemBody),
    /// No token, or one that is over.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// The role is too small, or the request comes from a foreign page.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// There is no such thing, or none that the token may see.
    #[response(status = 404, content_type = "application/problem+json")]
    Missing(ProblemBody),
    /// It does not fit how things stand.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The body has another content type than JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    ContentType(ProblemBody),
    /// The host is none of this server.
    #[response(status = 421, content_type = "application/problem+json")]
    Misdirected(ProblemBody),
    /// What was asked for cannot be done as it is asked.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(ProblemBody),
    /// Too many requests.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// The state cannot be read or written at present.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// A JSON body; one that cannot be read is a problem with its reason.
#[derive(Debug)]
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> axum::extract::FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(Problem::rejected(rejection.status(), rejection.body_text())),
        }
    }
}

/// Parameters of the URL; those that cannot be read are a problem with its reason.
#[derive(Debug)]
pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> axum::extract::FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|query| Self(query.0)).map_err(|rejection| Problem::bad(rejection.body_text()))
    }
}

/// Parts of the path; those that cannot be read are not there.
#[derive(Debug)]
pub(crate) struct Path<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned + Send> axum::extract::FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|path| Self(path.0))
            .map_err(|rejection| Problem::new(StatusCode::NOT_FOUND, Fault::user("api.missing", rejection.body_text())))
    }
}

/// Any JSON, in schemas.
pub(crate) type AnyJson = AnyValue;
