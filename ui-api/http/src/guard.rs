//! Who asks, and whether they may: before any handler.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use millwork_engine::model::Fault;
use millwork_service::auth::{Denied, Foreign, Incoming, Permission, Principal, Sessions};

use crate::{
    app::App,
    lapse::{Shown, bearer},
    problem::Problem,
};

/// The cookie with a browser's session.
pub(crate) const COOKIE: &str = "millwork_session";
/// The header with the text that shows that a page of this server made the request.
pub(crate) const CSRF: &str = "x-millwork-csrf";

/// What is known of who asks.
#[derive(Debug, Clone)]
pub(crate) enum Asker {
    /// Nobody, and why.
    Nobody(Reason),
    /// Somebody.
    Known(Principal),
}

/// Why somebody is nobody.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reason {
    Unauthenticated,
    Expired,
    Revoked,
}

impl From<Reason> for Denied {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unauthenticated => Self::Unauthenticated,
            Reason::Expired => Self::Expired,
            Reason::Revoked => Self::Revoked,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The session in the cookies.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Refuses what comes from a foreign page; says who asks; counts the request. Adds headers that every answer has.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match ask(&app, &parts).await {
        Ok(asker) => {
            parts.extensions.insert(asker);
            let shown = Shown::of(&parts.headers);
            parts.extensions.insert(shown);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "SAMEORIGIN"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    ));
    response
}

async fn ask(app: &App, request: &Parts) -> Result<Asker, Problem> {
    let headers = &request.headers;
    // A hook starts runs with any method.
    let is_unsafe = !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS)
        || request.uri.path().starts_with("/hooks/");
    let bearer = bearer(headers);
    let incoming = Incoming {
        host: text(headers, "host").or_else(|| request.uri.authority().map(|authority| authority.as_str())),
        origin: text(headers, "origin"),
        fetch_site: text(headers, "sec-fetch-site"),
        is_unsafe,
        is_ambient: bearer.is_none(),
    };
    app.hosts().check(incoming).map_err(|foreign| {
        let status = match foreign {
            Foreign::Host(_) => StatusCode::MISDIRECTED_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        Problem::new(status, Fault::from(foreign))
    })?;
    let known = match (bearer, cookie(headers)) {
        (Some(token), _) => app.service().tokens().authenticate(token).await,
        (None, Some(session)) => match app.service().sessions().authenticate(session).await {
            Ok(found) => {
                if is_unsafe {
                    Sessions::check_csrf(session, text(headers, CSRF).unwrap_or_default())?;
                }
                Ok(found.principal)
            }
            Err(denied) => Err(denied),
        },
        (None, None) => Err(Denied::Unauthenticated),
    };
    let principal = match known {
        Ok(principal) => principal,
        Err(Denied::Unauthenticated) if bearer.is_none() && app.is_open().await? => Principal::local(),
        Err(Denied::Unauthenticated) => return Ok(Asker::Nobody(Reason::Unauthenticated)),
        Err(Denied::Expired) => return Ok(Asker::Nobody(Reason::Expired)),
        Err(Denied::Revoked) => return Ok(Asker::Nobody(Reason::Revoked)),
        Err(denied) => return Err(denied.into()),
    };
    app.admit(&principal)?;
    Ok(Asker::Known(principal))
}

/// Something that a role allows.
pub(crate) trait Needs: Send {
    /// What.
    const PERMISSION: Permission;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident = $permission:ident;)*) => {
        $($(#[$doc])* #[derive(Debug)] pub(crate) struct $name;
        impl Needs for $name { const PERMISSION: Permission = Permission::$permission; })*
    };
}

needs! {
    /// Looking.
    Read = Read;
    /// Starting, stopping, answering.
    Operate = Operate;
    /// Tokens and the audit log.
    Administer = Administer;
}

/// Somebody whose role is enough. Pipelines outside their scope are still to be asked for.
#[derive(Debug)]
pub(crate) struct Caller<N> {
    principal: Principal,
    shown: Shown,
    needs: PhantomData<N>,
}

impl<N: Needs> Caller<N> {
    /// What stands in the audit log.
    pub(crate) fn name(&self) -> &str {
        &self.principal.name
    }

    /// Who.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What they showed to be let in.
    pub(crate) fn shown(&self) -> Shown {
        self.shown.clone()
    }

    /// Refuses a pipeline that they may not know of.
    pub(crate) fn may(&self, pipeline: &str) -> Result<(), Problem> {
        Ok(self.principal.may(N::PERMISSION, Some(pipeline))?)
    }

    /// Whether they may know of a pipeline.
    pub(crate) fn sees(&self, pipeline: &str) -> bool {
        self.principal.sees(pipeline)
    }
}

impl<N: Needs> FromRequestParts<App> for Caller<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        match parts.extensions.get::<Asker>() {
            Some(Asker::Known(principal)) => {
                principal.may(N::PERMISSION, None)?;
                let shown = parts.extensions.get::<Shown>().cloned().unwrap_or(Shown::Nothing);
                Ok(Self { principal: principal.clone(), shown, needs: PhantomData })
            }
            Some(Asker::Nobody(reason)) => Err(Denied::from(*reason).into()),
            None => Err(Denied::Unauthenticated.into()),
        }
    }
}
