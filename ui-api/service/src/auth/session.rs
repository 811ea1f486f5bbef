//! Sessions of browsers: what a token is exchanged for, so that no page holds the token itself.

use std::{sync::Arc, time::Duration};

use millwork_engine::{
    model::{Clock, Digest, Timestamp},
    store::{RecordKind, StateStore, StoreError, When},
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{
    Denied, Principal, Secret, Tokens,
    secret::Presented,
    shelf::{Shelf, is_due},
};

/// What every session's text begins with.
const TEXT: &str = "mws_";
/// What the key of every session begins with.
const ID: &str = "ses_";
/// How long a session lasts that nobody uses.
const IDLE: Duration = Duration::from_hours(8);
/// How long any session lasts.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// What is kept of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    digest: Digest,
    /// The token that it was begun with, and ends with.
    token: String,
    begun_at: Timestamp,
    /// When it was last used, to a minute.
    used_at: Timestamp,
}

impl Kept {
    fn expires_at(&self) -> Timestamp {
        self.used_at.after(IDLE).min(self.begun_at.after(LONGEST))
    }
}

/// A session that has just begun.
#[derive(Debug)]
pub struct Begun {
    /// The text for the cookie.
    pub session: Secret,
    /// The text that pages send along with whatever changes something.
    pub csrf: Secret,
    /// When it ends if it is not used.
    pub expires_at: Timestamp,
}

/// A session that is good.
#[derive(Debug)]
pub struct Session {
    /// Whose it is: as the token says now.
    pub principal: Principal,
    /// The text that pages send along with whatever changes something.
    pub csrf: Secret,
    /// When it ends if it is not used.
    pub expires_at: Timestamp,
}

/// All sessions of a state.
#[derive(Debug)]
pub struct Sessions {
    shelf: Shelf<Kept>,
    clock: Arc<dyn Clock>,
    tokens: Arc<Tokens>,
}

impl Sessions {
    /// The sessions of a state, which are begun with these tokens.
    pub fn new(store: Arc<dyn StateStore>, clock: Arc<dyn Clock>, tokens: Arc<Tokens>) -> Self {
        Self { shelf: Shelf::new(store, RecordKind::Session, ID), clock, tokens }
    }

    /// Begins a session of somebody who has shown a token.
    pub async fn begin(&self, principal: &Principal) -> Result<Begun, Denied> {
        let token = self.tokens.holder(&principal.id).await?.id;
        let session = Secret::draw(TEXT).map_err(Denied::Unavailable)?;
        let drawn = Presented::read(session.expose(), TEXT, ID).ok_or(Denied::Unauthenticated)?;
        let now = self.clock.now();
        let kept = Kept { digest: drawn.digest(), token, begun_at: now, used_at: now };
        if !self.shelf.put(&drawn.id, Some(&kept), When::Absent).await? {
            return Err(Denied::Unauthenticated);
        }
        Ok(Begun { csrf: csrf_of(session.expose()), session, expires_at: kept.expires_at() })
    }

    /// Whose session a text is. It ends with its token, when nobody has used it for 8 hours, or after 7 days.
    pub async fn authenticate(&self, text: &str) -> Result<Session, Denied> {
        let now = self.clock.now();
        let presented = Presented::read(text, TEXT, ID).ok_or(Denied::Unauthenticated)?;
        let found = self.shelf.recent(&presented.id, now).await?;
        let mut found = found.filter(|found| presented.is(&found.value.digest)).ok_or(Denied::Unauthenticated)?;
        if now >= found.value.expires_at() {
            return Err(Denied::Expired);
        }
        let principal = self.tokens.holder(&found.value.token).await?;
        if is_due(Some(found.value.used_at), now) {
            found.value.used_at = now;
            // One that was ended meanwhile has no such version any more, and stays ended.
            if !self.shelf.put(&found.key, Some(&found.value), When::Version(found.version)).await? {
                tracing::debug!("a session was used or ended elsewhere at the same time");
            }
        }
        Ok(Session { principal, csrf: csrf_of(text), expires_at: found.value.expires_at() })
    }

    /// Whether a text is the CSRF token of a session, in a time that does not tell how far they agree.
    pub fn check_csrf(session: &str, csrf: &str) -> Result<(), Denied> {
        let right = csrf_of(session);
        let same: bool = right.expose().as_bytes().ct_eq(csrf.as_bytes()).into();
        same.then_some(()).ok_or(Denied::Csrf)
    }

    /// Ends a session. Whether there was one.
    pub async fn end(&self, text: &str) -> Result<bool, StoreError> {
        let Some(presented) = Presented::read(text, TEXT, ID) else { return Ok(false) };
        let Some(found) = self.shelf.now(&presented.id).await?.filter(|found| presented.is(&found.value.digest)) else {
            return Ok(false);
        };
        self.shelf.put(&found.key, None, When::Always).await
    }

    /// Removes sessions that are over, and those whose tokens are. How many.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let mut removed = 0;
        for found in self.shelf.all().await? {
            let over = self.clock.now() >= found.value.expires_at();
            if (over || !self.tokens.is_good(&found.value.token).await?)
                && self.shelf.put(&found.key, None, When::Version(found.version)).await?
            {
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// The CSRF token of a session follows from its text, so that it need not be kept, and every page can be told it.
/// It does not give the session's text away.
fn csrf_of(session: &str) -> Secret {
    Secret::of("", &blake3::derive_key("millwork 2026 csrf of a session", session.as_bytes()))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
