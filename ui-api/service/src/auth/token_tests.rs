use std::time::Duration;

use millwork_engine::{
    model::ManualClock,
    store::{Durability, MemoryStore, Records as _, SqliteStore},
};

use super::*;
use crate::auth::{PipelineScope, Role};

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000_000)));
        Self { store: Arc::new(MemoryStore::new(clock.clone())), clock }
    }

    /// The tokens as a process sees them.
    fn process(&self) -> Tokens {
        Tokens::new(self.store.clone(), self.clock.clone())
    }

    fn later(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }
}

fn new(name: &str) -> NewToken {
    NewToken::new(name, Role::Operator)
}

#[tokio::test]
async fn a_token_lets_its_holder_in_and_nobody_else() {
    let world = World::new();
    let tokens = world.process();
    let scope = PipelineScope::parse(["nightly_*"]).unwrap();
    let asked = NewToken { scope: scope.clone(), per_minute: Some(60), ..new("ci") };
    let (view, text) = tokens.create(asked).await.unwrap();
    let principal = tokens.authenticate(text.expose()).await.unwrap();
    assert_eq!((&principal.id, principal.name.as_str()), (&view.id, "ci"));
    assert_eq!((principal.role, principal.scope, principal.per_minute), (Role::Operator, scope, Some(60)));
    let other = Secret::draw(TEXT).unwrap();
    for bad in ["", "mw_", &text.expose()[3..], &view.id, other.expose(), &format!("{} ", text.expose())] {
        assert_eq!(tokens.authenticate(bad).await, Err(Denied::Unauthenticated), "{bad}");
    }
}

#[tokio::test]
async fn a_text_with_the_same_id_but_another_digest_is_refused() {
    let world = World::new();
    let tokens = world.process();
    let (view, text) = tokens.create(new("ci")).await.unwrap();
    let mut record = world.store.record(RecordKind::Token, &view.id).await.unwrap().unwrap();
    let other = Presented::read(Secret::draw(TEXT).unwrap().expose(), TEXT, ID).unwrap();
    record.value["digest"] = other.digest().to_string().into();
    world.store.put_record(RecordKind::Token, &view.id, Some(record.value), When::Always).await.unwrap();
    assert_eq!(tokens.authenticate(text.expose()).await, Err(Denied::Unauthenticated));
}

#[tokio::test]
async fn the_store_never_sees_the_text() {
    let world = World::new();
    let (_, text) = world.process().create(new("ci")).await.unwrap();
    let body = &text.expose()[3..];
    for record in world.store.records(RecordKind::Token, "", None, 10).await.unwrap() {
        assert!(!record.key.contains(body) && !record.value.to_string().contains(body), "{record:?}");
    }
}

#[tokio::test]
async fn another_process_sees_a_new_token_at_once_and_a_revoked_one_within_a_second() {
    let world = World::new();
    let (server, command) = (world.process(), world.process());
    assert!(!server.any().await.unwrap() && !server.configured().await.unwrap());
    let (view, text) = command.create(new("ci")).await.unwrap();
    assert!(server.authenticate(text.expose()).await.is_ok());
    assert!(server.authenticate(text.expose()).await.is_ok());
    assert!(server.any().await.unwrap());
    assert_eq!(command.revoke(&view.id).await.unwrap().name, "ci");
    assert_eq!(command.authenticate(text.expose()).await, Err(Denied::Revoked), "at once where it was done");
    world.later(1_000);
    assert_eq!(server.authenticate(text.expose()).await, Err(Denied::Revoked));
    assert!(!server.any().await.unwrap() && server.configured().await.unwrap());
    assert_eq!(server.list().await.unwrap(), []);
    assert_eq!(command.revoke(&view.id).await.unwrap_err().code.as_str(), "token.none");
    assert_eq!(command.revoke("name:ci").await.unwrap_err().code.as_str(), "token.none");
}

#[tokio::test]
async fn an_expired_token_lets_nobody_in_but_stays_configured() {
    let world = World::new();
    let tokens = world.process();
    let asked = NewToken { expires_in: Some(Duration::from_secs(10)), ..new("ci") };
    let (view, text) = tokens.create(asked).await.unwrap();
    world.later(9_999);
    assert!(tokens.authenticate(text.expose()).await.is_ok());
    world.later(1);
    assert_eq!(tokens.authenticate(text.expose()).await, Err(Denied::Expired), "to the microsecond");
    assert!(!tokens.any().await.unwrap() && tokens.configured().await.unwrap());
    assert_eq!(tokens.list().await.unwrap().len(), 1);
    // The name is free again, and stands for the newer one.
    let (again, _) = tokens.create(new("CI")).await.unwrap();
    assert_ne!(again.id, view.id);
    assert_eq!(tokens.find("ci").await.unwrap().map(|found| found.id), Some(again.id));
    assert_eq!(tokens.find(&view.id).await.unwrap().map(|found| found.id), Some(view.id));
}

#[tokio::test]
async fn names_are_unique_among_the_living() {
    let world = World::new();
    let (one, two) = (world.process(), world.process());
    let (view, _) = one.create(new("ci")).await.unwrap();
    for name in ["ci", "CI"] {
        assert_eq!(two.create(new(name)).await.unwrap_err().code.as_str(), "token.exists", "{name}");
    }
    one.revoke(&view.id).await.unwrap();
    assert!(two.create(new("ci")).await.is_ok());
    assert_eq!(one.create(new("")).await.unwrap_err().code.as_str(), "token.config");
    assert_eq!(one.list().await.unwrap().len(), 1, "what was refused leaves nothing");
}

#[tokio::test]
async fn who_loses_the_race_for_a_name_leaves_nothing() {
    let world = World::new();
    let tokens = world.process();
    let id = "tok_0000000000000000";
    // As another process leaves it between the look and the write: the name is there, its token is not good.
    let key = name_key("ci");
    let stale = serde_json::json!({"token": id});
    world.store.put_record(RecordKind::Token, &key, Some(stale), When::Always).await.unwrap();
    let (_, first) = tokens.create(new("ci")).await.unwrap();
    // As two find the name free at once, and one is the first to take it.
    for named in [None, Some(1)] {
        assert_eq!(tokens.add(new("ci"), named).await.unwrap_err().code.as_str(), "token.exists", "{named:?}");
    }
    assert!(tokens.authenticate(first.expose()).await.is_ok());
    assert_eq!(tokens.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn its_use_is_written_once_a_minute_and_never_over_a_revocation() {
    let world = World::new();
    let tokens = world.process();
    let (view, text) = tokens.create(new("ci")).await.unwrap();
    let start = world.clock.now();
    let version = async || world.store.record(RecordKind::Token, &view.id).await.unwrap().unwrap().version;
    for (millis, expected) in [(0, 2), (59_999, 2), (1, 3), (30_000, 3)] {
        world.later(millis);
        tokens.authenticate(text.expose()).await.unwrap();
        assert_eq!(version().await, expected, "{millis}");
    }
    let used = tokens.list().await.unwrap()[0].last_used_at;
    assert_eq!(used, Some(start.after(Duration::from_secs(60))));
    // Another process revokes while this one believes the token and is about to write its use.
    world.later(59_500);
    tokens.authenticate(text.expose()).await.unwrap();
    tokens.authenticate(text.expose()).await.unwrap();
    world.process().revoke(&view.id).await.unwrap();
    let kept = tokens.token(&view.id).await.unwrap().unwrap();
    let value = Token { revoked_at: None, ..kept.value };
    tokens.note(&Kept { key: kept.key, version: kept.version - 1, value }, world.clock.now()).await;
    world.later(1_000);
    assert_eq!(tokens.authenticate(text.expose()).await, Err(Denied::Revoked));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_lets_nobody_in() {
    let world = World::new();
    let tokens = world.process();
    let (view, text) = tokens.create(new("ci")).await.unwrap();
    let mut record = world.store.record(RecordKind::Token, &view.id).await.unwrap().unwrap();
    record.value["pipelines"] = serde_json::json!(["A?"]);
    world.store.put_record(RecordKind::Token, &view.id, Some(record.value), When::Always).await.unwrap();
    assert!(matches!(tokens.authenticate(text.expose()).await, Err(Denied::Unavailable(_))));
    assert!(tokens.any().await.is_err());
}

#[tokio::test]
async fn two_processes_share_the_tokens_of_a_home() {
    let home = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000_000)));
    let process = async || {
        let store = SqliteStore::open(home.path(), Durability::Process, clock.clone()).await.unwrap();
        Tokens::new(Arc::new(store), clock.clone())
    };
    let (server, command) = (process().await, process().await);
    let (view, text) = command.create(new("ci")).await.unwrap();
    assert_eq!(server.authenticate(text.expose()).await.map(|principal| principal.id), Ok(view.id.clone()));
    assert_eq!(server.create(new("ci")).await.unwrap_err().code.as_str(), "token.exists");
    assert_eq!(command.list().await.unwrap()[0].last_used_at, Some(clock.now()));
    command.revoke(&view.id).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(server.authenticate(text.expose()).await, Err(Denied::Revoked));
    assert!(server.create(new("ci")).await.is_ok());
}
