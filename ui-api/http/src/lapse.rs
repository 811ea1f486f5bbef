//! What lasts longer than a request ends with what let its asker in: a token that is taken back, a session that is over.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header};
use millwork_service::auth::Denied;

use crate::{app::App, guard::cookie, problem::Problem};

/// How often it is looked whether an asker may go on.
const EVERY: Duration = Duration::from_secs(2);

/// What an asker showed.
#[derive(Clone)]
pub(crate) enum Shown {
    /// Nothing: the server is open.
    Nothing,
    /// A token.
    Token(Arc<str>),
    /// A browser's session. A page that follows a stream uses its session.
    Session(Arc<str>),
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Token(_) => "a token",
            Self::Session(_) => "a session",
        })
    }
}

impl Shown {
    /// What a request shows.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match (bearer(headers), cookie(headers)) {
            (Some(token), _) => Self::Token(token.into()),
            (None, Some(session)) => Self::Session(session.into()),
            (None, None) => Self::Nothing,
        }
    }

    async fn is_good(&self, app: &App) -> Result<(), Denied> {
        let found = match self {
            Self::Token(token) => app.service().tokens().authenticate(token).await.map(drop),
            Self::Session(session) => app.service().sessions().authenticate(session).await.map(drop),
            Self::Nothing => Err(Denied::Unauthenticated),
        };
        match (found, self) {
            (Err(Denied::Unauthenticated), Self::Nothing | Self::Session(_)) if app.is_open().await? => Ok(()),
            (found, _) => found,
        }
    }
}

/// The token of `Authorization: Bearer`; the name of a scheme has no case (RFC 9110, 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

/// Comes when an asker may not go on, and says why.
pub(crate) async fn lapsed(app: &App, shown: &Shown) -> Problem {
    loop {
        tokio::time::sleep(EVERY).await;
        match shown.is_good(app).await {
            Ok(()) => {}
            // Not known at present: who was let in goes on.
            Err(Denied::Unavailable(fault)) => tracing::debug!(%fault, "a token cannot be looked at"),
            Err(denied) => return denied.into(),
        }
    }
}

/// Looks now and then whether a reader may go on: for streams that do nothing by themselves.
pub(crate) struct Watch {
    app: App,
    shown: Shown,
    looked: Instant,
}

impl Watch {
    /// Of a reader who was let in just now.
    pub(crate) fn new(app: &App, shown: Shown) -> Self {
        Self { app: app.clone(), shown, looked: Instant::now() }
    }

    /// Why the reader may not go on, if so; to be asked before anything is told.
    pub(crate) async fn over(&mut self) -> Option<Problem> {
        if self.looked.elapsed() < EVERY {
            return None;
        }
        self.looked = Instant::now();
        match self.shown.is_good(&self.app).await {
            Ok(()) | Err(Denied::Unavailable(_)) => None,
            Err(denied) => Some(denied.into()),
        }
    }
}
