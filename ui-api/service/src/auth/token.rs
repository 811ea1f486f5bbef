//! Tokens: made, listed, revoked, and recognised.

use std::sync::Arc;

use millwork_engine::{
    model::{Clock, Fault, Timestamp},
    store::{RecordKind, StateStore, StoreError, When},
};

use super::{
    Denied, NewToken, Principal, Secret, TokenView,
    secret::Presented,
    shelf::{Kept, Shelf, is_due},
    token_record::{Document, Token},
};

/// What every token's text begins with.
const TEXT: &str = "mw_";
/// What every token's id begins with.
const ID: &str = "tok_";
/// How often a write is tried again that somebody else came before.
const TRIES: u32 = 8;

/// All tokens of a state. An id is the beginning of the digest of its token's text, so a text is found with one
/// look, and what was found is believed for a second: a token that another process makes is good at once, and one
/// that is revoked is not good a second later.
#[derive(Debug)]
pub struct Tokens {
    shelf: Shelf<Document>,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    /// The tokens of a state.
    pub fn new(store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Self {
        Self { shelf: Shelf::new(store, RecordKind::Token, ID), clock }
    }

    /// Makes a token. Its text is given here and never again.
    pub async fn create(&self, new: NewToken) -> Result<(TokenView, Secret), Fault> {
        new.check()?;
        let holder = self.name_holder(&new.name).await?;
        if let Some((_, id)) = &holder
            && self.is_good(id).await?
        {
            return Err(taken(&new.name));
        }
        self.add(new, holder.map(|(version, _)| version)).await
    }

    /// Makes a token whose name is free, as far as the document of this version says; `None` is that there was none.
    async fn add(&self, new: NewToken, named: Option<u64>) -> Result<(TokenView, Secret), Fault> {
        let text = Secret::draw(TEXT)?;
        let Some(drawn) = Presented::read(text.expose(), TEXT, ID) else {
            return Err(Fault::internal("token.text", "a token's text that was just drawn is none"));
        };
        let (name, token) = (new.name.clone(), Token::new(new, drawn.digest(), self.clock.now()));
        let document = Document::Token(token.clone());
        if !self.shelf.put(&drawn.id, Some(&document), When::Absent).await? {
            return Err(Fault::internal("token.text", "a token's text was drawn twice"));
        }
        // The token before its name, so that a name never stands for a token that is still to come.
        let when = named.map_or(When::Absent, When::Version);
        let named = Document::Name { token: drawn.id.clone() };
        if !self.shelf.put(&name_key(&name), Some(&named), when).await? {
            self.shelf.put(&drawn.id, None, When::Always).await?;
            return Err(taken(&name));
        }
        Ok((token.view(drawn.id), text))
    }

    /// Tokens that are not revoked, the oldest first; those that have expired as well.
    pub async fn list(&self) -> Result<Vec<TokenView>, StoreError> {
        let kept = self.shelf.all().await?.into_iter().filter_map(as_token);
        let living = kept.filter(|kept| kept.value.revoked_at.is_none());
        let mut views: Vec<_> = living.map(|kept| kept.value.view(kept.key)).collect();
        // Stable, so that tokens of one time are in the order of their ids.
        views.sort_by_key(|view| view.created_at);
        Ok(views)
    }

    /// The token with an id, or with a name, that is not revoked.
    pub async fn find(&self, id_or_name: &str) -> Result<Option<TokenView>, StoreError> {
        let same = |view: &TokenView| view.id == id_or_name || view.name.eq_ignore_ascii_case(id_or_name);
        // Of several with one name, all but the last have expired.
        Ok(self.list().await?.into_iter().rfind(same))
    }

    /// Takes a token back. It is good for nothing from now on here, and within a second in other processes.
    pub async fn revoke(&self, id: &str) -> Result<TokenView, Fault> {
        for _ in 0..TRIES {
            let Some(kept) = self.token(id).await?.filter(|kept| kept.value.revoked_at.is_none()) else {
                let message = format!("there is no token `{}`", super::token_record::shown(id));
                return Err(Fault::user("token.none", message).help("`millwork token list` shows those there are"));
            };
            let revoked = Token { revoked_at: Some(self.clock.now()), ..kept.value };
            let document = Document::Token(revoked.clone());
            if self.shelf.put(id, Some(&document), When::Version(kept.version)).await? {
                return Ok(revoked.view(kept.key));
            }
        }
        Err(StoreError::Unknown.into())
    }

    /// Whether there is a token that lets somebody in at present, or was a second ago.
    pub async fn any(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.some(now, |token| token.good(now).is_ok()).await
    }

    /// Whether there ever was a token, even if it has expired or was revoked: whoever wanted tokens to be needed did
    /// not mean them to be needless when the last one ends. Known to a second, as [`Tokens::any`] is.
    pub async fn configured(&self) -> Result<bool, StoreError> {
        self.some(self.clock.now(), |_| true).await
    }

    /// Who holds the text of a token.
    pub async fn authenticate(&self, text: &str) -> Result<Principal, Denied> {
        let presented = Presented::read(text, TEXT, ID).ok_or(Denied::Unauthenticated)?;
        let now = self.clock.now();
        let kept = self.recent(&presented.id, now).await?;
        if !presented.is(&kept.value.digest) {
            return Err(Denied::Unauthenticated);
        }
        self.admit(kept, now).await
    }

    /// Who holds the token with an id, for somebody who has proved that in another way.
    pub(super) async fn holder(&self, id: &str) -> Result<Principal, Denied> {
        let now = self.clock.now();
        let kept = self.recent(id, now).await?;
        self.admit(kept, now).await
    }

    /// Whether the token with an id still lets somebody in. This is no use of it.
    pub(super) async fn is_good(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.token(id).await?.is_some_and(|kept| kept.value.good(self.clock.now()).is_ok()))
    }

    async fn recent(&self, id: &str, now: Timestamp) -> Result<Kept<Token>, Denied> {
        self.shelf.recent(id, now).await?.and_then(as_token).ok_or(Denied::Unauthenticated)
    }

    async fn admit(&self, kept: Kept<Token>, now: Timestamp) -> Result<Principal, Denied> {
        kept.value.good(now)?;
        if is_due(kept.value.last_used_at, now) {
            self.note(&kept, now).await;
        }
        Ok(kept.value.principal(kept.key))
    }

    /// Writes that a token was used. If somebody else has written it meanwhile, perhaps that it is revoked, theirs stands.
    async fn note(&self, kept: &Kept<Token>, now: Timestamp) {
        let used = Document::Token(Token { last_used_at: Some(now), ..kept.value.clone() });
        if let Err(e) = self.shelf.put(&kept.key, Some(&used), When::Version(kept.version)).await {
            tracing::debug!(token = kept.key, "it is not written that a token was used: {e}");
        }
    }

    async fn some(&self, now: Timestamp, is: impl Fn(&Token) -> bool + Send) -> Result<bool, StoreError> {
        let all = self.shelf.recent_all(now).await?;
        Ok(all.iter().any(|kept| matches!(&kept.value, Document::Token(token) if is(token))))
    }

    /// A token as it is.
    async fn token(&self, id: &str) -> Result<Option<Kept<Token>>, StoreError> {
        Ok(self.shelf.now(id).await?.and_then(as_token))
    }

    /// Which token has a name, and the version of the document that says it.
    async fn name_holder(&self, name: &str) -> Result<Option<(u64, String)>, StoreError> {
        Ok(self.shelf.now(&name_key(name)).await?.and_then(|kept| match kept.value {
            Document::Name { token } => Some((kept.version, token)),
            Document::Token(_) => None,
        }))
    }
}

fn as_token(kept: Kept<Document>) -> Option<Kept<Token>> {
    match kept.value {
        Document::Token(value) => Some(Kept { key: kept.key, version: kept.version, value }),
        Document::Name { .. } => None,
    }
}

fn name_key(name: &str) -> String {
    format!("name:{}", name.to_ascii_lowercase())
}

fn taken(name: &str) -> Fault {
    Fault::user("token.exists", format!("there is a token named `{name}` already"))
        .help("choose another name, or revoke that one first")
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
