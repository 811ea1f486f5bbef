//! Logging in and out, and who one is.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use millwork_service::{audit::Action, auth::Denied};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    guard::{COOKIE, Caller, Read, cookie},
    problem::{Answer, Body, Problem, Refusals},
    views::{time, word},
};

/// Who one is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// The token's name, or `local`.
    actor: String,
    /// `viewer`, `operator` or `admin`.
    role: String,
    /// To be sent as `X-Millwork-CSRF` with whatever changes something, if one is in by a cookie.
    csrf: Option<String>,
    /// Whether nobody needs a token here.
    open: bool,
    /// Of the server.
    version: &'static str,
    /// The folder with the state.
    home: String,
    /// The folder with the pipelines.
    folder: String,
    /// When the session ends if it is not used.
    expires_at: Option<String>,
}

/// A login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// A token.
    token: String,
}

async fn view(app: &App, actor: String, role: String) -> Answer<SessionView> {
    let service = app.service();
    Ok(SessionView {
        actor,
        role,
        csrf: None,
        open: app.is_open().await?,
        version: env!("CARGO_PKG_VERSION"),
        home: service.engine().home().display().to_string(),
        folder: service.catalog().folder().display().to_string(),
        expires_at: None,
    })
}

/// Who one is.
#[utoipa::path(get, path = "/session", tag = "session", responses((status = 200, body = SessionView), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<Read>,
    headers: HeaderMap,
) -> Answer<Json<SessionView>> {
    let mut shown = view(&app, caller.name().to_owned(), word(caller.principal().role)).await?;
    if let Some(session) = cookie(&headers).filter(|_| !headers.contains_key(header::AUTHORIZATION))
        && let Ok(found) = app.service().sessions().authenticate(session).await
    {
        shown.csrf = Some(found.csrf.expose().to_owned());
        shown.expires_at = Some(time(found.expires_at));
    }
    Ok(Json(shown))
}

/// Logs a browser in with a token.
#[utoipa::path(post, path = "/session", tag = "session", request_body = LoginRequest, responses((status = 200, body = SessionView), Refusals), security(()))]
pub(crate) async fn begin(
    State(app): State<App>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Body(login): Body<LoginRequest>,
) -> Answer<Response> {
    app.attempt(from.ip())?;
    let service = app.service();
    let principal = match service.tokens().authenticate(login.token.trim()).await {
        Ok(principal) => principal,
        Err(denied) => {
            let detail = json!({"from": from.ip().to_string(), "why": denied.to_string()});
            service.audit().record("nobody", Action::SessionRefused, "session", detail).await?;
            return Err(denied.into());
        }
    };
    app.logged_in(from.ip());
    let begun = service.sessions().begin(&principal).await?;
    let detail = json!({"from": from.ip().to_string()});
    service.audit().record(&principal.name, Action::SessionBegin, &principal.id, detail).await?;
    let mut shown = view(&app, principal.name.clone(), word(principal.role)).await?;
    shown.csrf = Some(begun.csrf.expose().to_owned());
    shown.expires_at = Some(time(begun.expires_at));
    let mut response = Json(shown).into_response();
    let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", begun.session.expose());
    let value = HeaderValue::from_str(&cookie).map_err(|_| Problem::from(Denied::Unauthenticated))?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

/// Logs a browser out.
#[utoipa::path(delete, path = "/session", tag = "session", responses((status = 204), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn end(State(app): State<App>, caller: Caller<Read>, headers: HeaderMap) -> Answer<Response> {
    if let Some(session) = cookie(&headers) {
        app.service().sessions().end(session).await?;
        app.service().audit().record(caller.name(), Action::SessionEnd, "session", json!({})).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    if let Ok(value) = HeaderValue::from_str(&gone) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}
