use millwork_engine::{
    model::ManualClock,
    store::{MemoryStore, Records as _},
};

use super::*;
use crate::auth::{NewToken, Role, TokenView};

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    tokens: Arc<Tokens>,
    sessions: Sessions,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000_000)));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let tokens = Arc::new(Tokens::new(store.clone(), clock.clone()));
        let sessions = Sessions::new(store.clone(), clock.clone(), tokens.clone());
        Self { store, clock, tokens, sessions }
    }

    async fn begun(&self, new: NewToken) -> (TokenView, Begun) {
        let (view, text) = self.tokens.create(new).await.unwrap();
        let principal = self.tokens.authenticate(text.expose()).await.unwrap();
        (view, self.sessions.begin(&principal).await.unwrap())
    }

    /// What becomes of a session's next request.
    async fn used(&self, begun: &Begun) -> Result<(), Denied> {
        self.sessions.authenticate(begun.session.expose()).await.map(|_| ())
    }

    async fn records(&self) -> usize {
        self.store.records(RecordKind::Session, "", None, 100).await.unwrap().len()
    }
}

fn viewer() -> NewToken {
    NewToken::new("ana", Role::Viewer)
}

#[tokio::test]
async fn a_session_is_its_tokens_principal() {
    let world = World::new();
    let (view, begun) = world.begun(viewer()).await;
    let session = world.sessions.authenticate(begun.session.expose()).await.unwrap();
    assert_eq!((&session.principal.id, session.principal.name.as_str()), (&view.id, "ana"));
    assert_eq!((session.csrf, session.expires_at), (begun.csrf, begun.expires_at));
    let other = Secret::draw(TEXT).unwrap();
    for bad in ["", "mws_", &begun.session.expose().replace("mws_", "mw_"), other.expose()] {
        let refused = world.sessions.authenticate(bad).await.map(|_| ());
        assert_eq!(refused, Err(Denied::Unauthenticated), "{bad}");
    }
    let local = world.sessions.begin(&Principal::local()).await.map(|_| ());
    assert_eq!(local, Err(Denied::Unauthenticated), "who needs no token needs no session");
}

#[tokio::test]
async fn the_store_never_sees_the_texts() {
    let world = World::new();
    let (_, begun) = world.begun(viewer()).await;
    for record in world.store.records(RecordKind::Session, "", None, 100).await.unwrap() {
        let text = format!("{} {}", record.key, record.value);
        assert!(!text.contains(&begun.session.expose()[4..]) && !text.contains(begun.csrf.expose()), "{text}");
    }
    assert_eq!(world.records().await, 1);
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_after_a_week_anyway() {
    let world = World::new();
    let (_, begun) = world.begun(viewer()).await;
    let hours = Duration::from_hours;
    let just_before = |time: Duration| time.saturating_sub(Duration::from_micros(1));
    world.clock.advance(just_before(hours(8)));
    assert_eq!(world.used(&begun).await, Ok(()));
    let mut used = hours(8);
    while used + hours(7) < LONGEST {
        world.clock.advance(hours(7));
        used += hours(7);
        assert_eq!(world.used(&begun).await, Ok(()), "{used:?}");
    }
    world.clock.advance(just_before(LONGEST.saturating_sub(used)));
    assert_eq!(world.used(&begun).await, Ok(()));
    world.clock.advance(Duration::from_micros(2));
    assert_eq!(world.used(&begun).await, Err(Denied::Expired));
    let world = World::new();
    let (_, begun) = world.begun(viewer()).await;
    world.clock.advance(hours(8));
    assert_eq!(world.used(&begun).await, Err(Denied::Expired));
}

#[tokio::test]
async fn a_session_dies_with_its_token() {
    let world = World::new();
    let (view, begun) = world.begun(viewer()).await;
    world.tokens.revoke(&view.id).await.unwrap();
    assert_eq!(world.used(&begun).await, Err(Denied::Revoked));
    let short = NewToken { expires_in: Some(Duration::from_secs(60)), ..NewToken::new("bo", Role::Admin) };
    let (_, begun) = world.begun(short).await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.used(&begun).await, Err(Denied::Expired));
}

#[tokio::test]
async fn an_ended_session_stays_ended() {
    let world = World::new();
    let (_, begun) = world.begun(viewer()).await;
    assert_eq!(world.used(&begun).await, Ok(()));
    assert!(world.sessions.end(begun.session.expose()).await.unwrap());
    assert_eq!(world.used(&begun).await, Err(Denied::Unauthenticated));
    assert!(!world.sessions.end(begun.session.expose()).await.unwrap());
    assert!(!world.sessions.end("").await.unwrap());
}

#[tokio::test]
async fn a_sweep_removes_what_is_over_and_nothing_else() {
    let world = World::new();
    let (_, idle) = world.begun(NewToken::new("idle", Role::Viewer)).await;
    let (revoked, dead) = world.begun(NewToken::new("dead", Role::Viewer)).await;
    let (_, living) = world.begun(NewToken::new("living", Role::Viewer)).await;
    world.clock.advance(Duration::from_hours(5));
    assert_eq!((world.used(&dead).await, world.used(&living).await), (Ok(()), Ok(())));
    assert_eq!(world.sessions.sweep().await.unwrap(), 0);
    world.clock.advance(Duration::from_hours(4));
    world.tokens.revoke(&revoked.id).await.unwrap();
    assert_eq!(world.sessions.sweep().await.unwrap(), 2);
    assert_eq!(world.records().await, 1);
    assert_eq!(world.used(&living).await, Ok(()));
    assert!(world.used(&idle).await.is_err() && world.used(&dead).await.is_err());
}

#[tokio::test]
async fn a_csrf_token_is_good_for_its_session_only() {
    let world = World::new();
    let (_, one) = world.begun(NewToken::new("one", Role::Viewer)).await;
    let (_, two) = world.begun(NewToken::new("two", Role::Viewer)).await;
    let right = one.csrf.expose();
    let table = [
        (right, true),
        ("", false),
        (&right[1..], false),
        (two.csrf.expose(), false),
        (one.session.expose(), false),
        (&right.to_lowercase(), false),
    ];
    for (csrf, good) in table {
        assert_eq!(Sessions::check_csrf(one.session.expose(), csrf).is_ok(), good, "{csrf}");
    }
    assert_eq!(Sessions::check_csrf(two.session.expose(), right), Err(Denied::Csrf));
}
