//! The API as a document, made of the same list as its routes.

use axum::Router;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    routes::{
        approvals, artifacts, audit, backfills, call, events, health, hooks, logs, overview, parts, pipelines,
        revisions, runs, schedules, session, steps, tokens, why,
    },
};

/// Runs pipelines, and tells of them. Errors are `application/problem+json` with stable codes. The scopes of `token`
/// are the roles that are enough: viewer, operator, admin.
#[derive(OpenApi)]
#[openapi(info(title = "Millwork", license(name = "Apache-2.0", identifier = "Apache-2.0")), modifiers(&Security))]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let parts = document.components.get_or_insert_with(Default::default);
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("mw_...").build();
        parts.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::guard::COOKIE));
        parts.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The routes, and the document of them.
pub(crate) fn split() -> (Router<App>, openapi::OpenApi) {
    let api = OpenApiRouter::new()
        .routes(routes!(session::show, session::begin, session::end))
        .routes(routes!(overview::show))
        .routes(routes!(pipelines::list))
        .routes(routes!(pipelines::show))
        .routes(routes!(pipelines::source))
        .routes(routes!(pipelines::check))
        .routes(routes!(pipelines::check_text))
        .routes(routes!(pipelines::plan))
        .routes(routes!(revisions::list))
        .routes(routes!(revisions::show))
        .routes(routes!(revisions::diff))
        .routes(routes!(schedules::all))
        .routes(routes!(schedules::of_pipeline))
        .routes(routes!(schedules::ticks))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(backfills::begin))
        .routes(routes!(backfills::list))
        .routes(routes!(backfills::cancel))
        .routes(routes!(call::call))
        .routes(routes!(runs::start, runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::resume))
        .routes(routes!(runs::rerun_plan, runs::rerun))
        .routes(routes!(why::why))
        .routes(routes!(logs::list))
        .routes(routes!(parts::plan))
        .routes(routes!(parts::steps))
        .routes(routes!(steps::show))
        .routes(routes!(steps::items))
        .routes(routes!(steps::table))
        .routes(routes!(steps::file))
        .routes(routes!(artifacts::show))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::answer))
        .routes(routes!(events::all))
        .routes(routes!(events::of_run))
        .routes(routes!(audit::list))
        .routes(routes!(audit::check))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke));
    let root = OpenApiRouter::with_openapi(Document::openapi())
        .nest("/api/v1", api)
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics));
    let (router, mut document) = root.split_for_parts();
    // Served below a wildcard, which no template of a path can say.
    let hook = utoipa_axum::router::OpenApiRouter::<App>::new().routes(routes!(hooks::receive_hook));
    document.merge(hook.into_openapi());
    hooks_of_other_methods(&mut document);
    (router, document)
}

/// A trigger says by which method it is asked: the same by `PUT` and by `GET`.
fn hooks_of_other_methods(document: &mut openapi::OpenApi) {
    let Some(item) = document.paths.paths.get_mut("/hooks/{path}") else { return };
    let Some(post) = item.post.clone() else { return };
    let (mut get, mut put) = (post.clone(), post);
    (get.operation_id, get.request_body) = (Some("receive_hook_by_get".to_owned()), None);
    put.operation_id = Some("receive_hook_by_put".to_owned());
    (item.get, item.put) = (Some(get), Some(put));
}

/// The document, as it is kept and served.
pub fn document() -> openapi::OpenApi {
    split().1
}
