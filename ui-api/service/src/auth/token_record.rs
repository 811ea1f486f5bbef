//! What is kept of a token, what is asked of a new one, and what is shown of it.

use std::time::Duration;

use millwork_engine::model::{Digest, Fault, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Denied, PipelineScope, Principal, Role};

/// Names of actors that are no tokens.
const RESERVED: [&str; 4] = [Principal::LOCAL, "service", "system", "millwork"];

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What people call it; no two living tokens have one name.
    pub name: String,
    /// How much it allows.
    pub role: Role,
    /// Which pipelines it reaches.
    pub scope: PipelineScope,
    /// How long it is good for; `None` is until it is revoked.
    pub expires_in: Option<Duration>,
    /// How many requests a minute it is good for.
    pub per_minute: Option<u32>,
    /// How many runs a day it may start.
    pub runs_per_day: Option<u32>,
}

impl NewToken {
    /// A token of a role for all pipelines, without an end.
    pub fn new(name: impl Into<String>, role: Role) -> Self {
        Self {
            name: name.into(),
            role,
            scope: PipelineScope::all(),
            expires_in: None,
            per_minute: None,
            runs_per_day: None,
        }
    }

    /// Refuses what nobody can mean.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let refuse = |message: String, help: &str| Err(Fault::user("token.config", message).help(help));
        let name = &self.name;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._@-".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            let message = format!("`{}` is no name for a token", shown(name));
            return refuse(message, "a name has up to 64 letters, digits and `.`, `_`, `@`, `-`");
        }
        if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) || name.starts_with("tok_") {
            return refuse(
                format!("a token cannot be named `{name}`"),
                "the audit log would not tell it from something else: choose another name",
            );
        }
        if self.expires_in.is_some_and(|time| time.is_zero()) {
            return refuse("the token would be expired at once".to_owned(), "give a time, or none for no end");
        }
        if self.per_minute == Some(0) {
            return refuse("the token would allow no request".to_owned(), "give a number from 1, or none for no limit");
        }
        if self.runs_per_day == Some(0) {
            return refuse(
                "the token would start no run".to_owned(),
                "give a number from 1, or none for no limit; a token that only looks has the role viewer",
            );
        }
        if self.role == Role::Admin && !self.scope.is_all() {
            return refuse(
                "a token of the role admin cannot be limited to some pipelines, for it can make one without limits"
                    .to_owned(),
                "leave the pipelines out, or choose the role operator",
            );
        }
        Ok(())
    }
}

/// What is shown of a token: never its text, which nobody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenView {
    /// `tok_` and 16 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How much it allows.
    pub role: Role,
    /// Which pipelines it reaches.
    pub scope: PipelineScope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How many requests a minute it is good for.
    pub per_minute: Option<u32>,
    /// How many runs a day it may start.
    pub runs_per_day: Option<u32>,
    /// When it was last used, to a minute.
    pub last_used_at: Option<Timestamp>,
}

/// A document of [`RecordKind::Token`](millwork_engine::store::RecordKind::Token).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Document {
    /// Under its id.
    Token(Token),
    /// Under `name:` and its name in lower case: which token has the name. What makes names unique.
    Name {
        /// The token's id.
        token: String,
    },
}

/// What is kept of a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) digest: Digest,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) pipelines: PipelineScope,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) per_minute: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) runs_per_day: Option<u32>,
    pub(super) revoked_at: Option<Timestamp>,
    pub(super) last_used_at: Option<Timestamp>,
}

impl Token {
    pub(super) fn new(new: NewToken, digest: Digest, now: Timestamp) -> Self {
        Self {
            digest,
            name: new.name,
            role: new.role,
            pipelines: new.scope,
            created_at: now,
            expires_at: new.expires_in.map(|time| now.after(time)),
            per_minute: new.per_minute,
            runs_per_day: new.runs_per_day,
            revoked_at: None,
            last_used_at: None,
        }
    }

    /// Whether it still lets somebody in.
    pub(super) fn good(&self, now: Timestamp) -> Result<(), Denied> {
        if self.revoked_at.is_some() {
            return Err(Denied::Revoked);
        }
        if self.expires_at.is_some_and(|end| now >= end) {
            return Err(Denied::Expired);
        }
        Ok(())
    }

    pub(super) fn principal(self, id: String) -> Principal {
        let Self { name, role, pipelines: scope, per_minute, runs_per_day, .. } = self;
        Principal { id, name, role, scope, per_minute, runs_per_day }
    }

    pub(super) fn view(self, id: String) -> TokenView {
        let Self {
            name, role, pipelines: scope, created_at, expires_at, per_minute, runs_per_day, last_used_at, ..
        } = self;
        TokenView { id, name, role, scope, created_at, expires_at, per_minute, runs_per_day, last_used_at }
    }
}

/// The beginning of a text that somebody gave, fit for a message.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_may_be() {
        let scope = PipelineScope::parse(["a_*"]).unwrap();
        let new = |name: &str| NewToken::new(name, Role::Operator);
        let table = [
            (new("ci"), true),
            (new("Ana.B@example.org"), true),
            (new(&"a".repeat(64)), true),
            (new(&"a".repeat(65)), false),
            (new(""), false),
            (new("two words"), false),
            (new("ci\u{202e}"), false),
            (new("Local"), false),
            (new("service"), false),
            (new("tok_0123456789abcdef"), false),
            (NewToken { expires_in: Some(Duration::ZERO), ..new("ci") }, false),
            (NewToken { expires_in: Some(Duration::MAX), ..new("ci") }, true),
            (NewToken { per_minute: Some(0), ..new("ci") }, false),
            (NewToken { per_minute: Some(1), ..new("ci") }, true),
            (NewToken { scope: scope.clone(), ..new("ci") }, true),
            (NewToken { scope, role: Role::Admin, ..new("ci") }, false),
        ];
        for (token, good) in table {
            assert_eq!(token.check().is_ok(), good, "{token:?}");
        }
    }

    #[test]
    fn a_token_is_good_until_its_end() {
        let at = Timestamp::from_micros;
        let new = NewToken { expires_in: Some(Duration::from_micros(10)), ..NewToken::new("ci", Role::Viewer) };
        let token = Token::new(new, Digest::of(b"x"), at(100));
        let table = [(100, Ok(())), (109, Ok(())), (110, Err(Denied::Expired)), (999, Err(Denied::Expired))];
        for (now, expected) in table {
            assert_eq!(token.good(at(now)), expected, "{now}");
        }
        let revoked = Token { revoked_at: Some(at(105)), ..token };
        assert_eq!(revoked.good(at(101)), Err(Denied::Revoked));
    }

    #[test]
    fn documents_are_read_as_what_they_are() {
        let token = Token::new(NewToken::new("ci", Role::Viewer), Digest::of(b"x"), Timestamp::default());
        let json = serde_json::to_value(Document::Token(token)).unwrap();
        assert!(matches!(serde_json::from_value(json.clone()), Ok(Document::Token(_))));
        let name = serde_json::json!({"token": "tok_1"});
        assert!(matches!(serde_json::from_value(name), Ok(Document::Name { .. })));
        let mut wrong = json;
        wrong["role"] = "owner".into();
        assert!(serde_json::from_value::<Document>(wrong).is_err());
    }

    #[test]
    fn shown_texts_are_short_and_plain() {
        assert_eq!(shown("a\u{1b}[1m"), "a\\u{1b}[1m");
        assert!(shown(&"x".repeat(1_000)).len() < 50);
    }
}
