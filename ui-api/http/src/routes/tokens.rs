//! Tokens: making them and taking them back.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use millwork_service::{
    audit::Action,
    auth::{NewToken, PipelineScope, Role, TokenView as Kept},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    guard::{Administer, Caller},
    page::Page,
    problem::{Answer, Body, Path, Refusals},
    views::{time, word},
};

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// How much it may do.
    #[schema(value_type = RoleName)]
    role: String,
    /// Patterns of the pipelines that it reaches; empty: all.
    pipelines: Vec<String>,
    /// When it was made.
    created_at: String,
    /// When it ends.
    expires_at: Option<String>,
    /// Requests a minute that it is good for.
    per_minute: Option<u32>,
    /// Runs a day that it may start.
    runs_per_day: Option<u32>,
    /// When it was used last, to the minute.
    last_used_at: Option<String>,
    /// The text, when it was just made: it is not shown again.
    token: Option<String>,
}

impl From<&Kept> for TokenView {
    fn from(kept: &Kept) -> Self {
        Self {
            id: kept.id.clone(),
            name: kept.name.clone(),
            role: word(kept.role),
            pipelines: kept.scope.patterns().to_vec(),
            created_at: time(kept.created_at),
            expires_at: kept.expires_at.map(time),
            per_minute: kept.per_minute,
            runs_per_day: kept.runs_per_day,
            last_used_at: kept.last_used_at.map(time),
            token: None,
        }
    }
}

/// A role, in the document. Each may do what those before it may.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum RoleName {
    /// Looks.
    Viewer,
    /// Starts, stops and answers as well.
    Operator,
    /// Makes tokens and reads the audit log as well.
    Admin,
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// What people call it.
    name: String,
    /// How much it may do.
    #[schema(value_type = RoleName)]
    role: Role,
    /// Patterns of the pipelines that it reaches; empty: all.
    #[serde(default)]
    pipelines: Vec<String>,
    /// For how many seconds it is good; for ever unless given.
    expires_in_s: Option<u64>,
    /// Requests a minute that it is good for; any number unless given.
    per_minute: Option<u32>,
    /// Runs a day (UTC) that it may start, however: also by hooks that it opens and by backfills; any number unless given.
    runs_per_day: Option<u32>,
}

/// Tokens that are good.
#[utoipa::path(get, path = "/tokens", tag = "tokens", responses((status = 200, body = Page<TokenView>), Refusals), security(("token" = ["admin"])))]
pub(crate) async fn list(State(app): State<App>, _: Caller<Administer>) -> Answer<Json<Page<TokenView>>> {
    let all = app.service().tokens().list().await?;
    Ok(Json(Page::whole(all.iter().map(TokenView::from).collect())))
}

/// Makes a token; its text is in this answer and never again.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = TokenRequest, responses((status = 201, body = TokenView), Refusals), security(("token" = ["admin"])))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<Administer>,
    Body(request): Body<TokenRequest>,
) -> Answer<(StatusCode, Json<TokenView>)> {
    let new = NewToken {
        scope: PipelineScope::parse(&request.pipelines)?,
        expires_in: request.expires_in_s.map(Duration::from_secs),
        per_minute: request.per_minute,
        runs_per_day: request.runs_per_day,
        ..NewToken::new(request.name, request.role)
    };
    let service = app.service();
    let (kept, secret) = service.tokens().create(new).await?;
    let detail = json!({"name": kept.name, "role": kept.role, "pipelines": request.pipelines});
    service.audit().record(caller.name(), Action::TokenCreate, &kept.id, detail).await?;
    let view = TokenView { token: Some(secret.expose().to_owned()), ..TokenView::from(&kept) };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Takes a token back.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "the token's id")), responses((status = 204), Refusals), security(("token" = ["admin"])))]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<Administer>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let service = app.service();
    let kept = service.tokens().revoke(&id).await?;
    service.audit().record(caller.name(), Action::TokenRevoke, &kept.id, json!({"name": kept.name})).await?;
    Ok(StatusCode::NO_CONTENT)
}
