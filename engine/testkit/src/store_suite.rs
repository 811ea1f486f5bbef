//! The conformance suite of stores: what every [`StateStore`] keeps to. A backend passes it by calling
//! [`run_all`] from a test; a broken promise panics with what was expected.

use std::{collections::BTreeMap, fmt::Debug, future::Future, sync::Arc};

use millwork_engine::{
    graph::Bundle,
    model::{
        Digest, Event, Fault, Name, NodeIx, OwnerId, Recorded, RunId, RunStatus, StepStatus, Ticket, Timestamp,
        event::{Cause, ItemOutcome, RunOrigin, StoredOutputs, VERSION},
    },
    step::{Entry, Settlement},
    store::{
        Append, CacheEntry, Cursor, Doomed, ItemFilter, ItemRow, NewRun, OutputRow, RequestKind, RunFilter, Scope,
        StateStore, StoreError,
    },
};
use serde_json::json;

use self::journal::{key, spent};

mod journal;
mod service;

/// A store as the suite uses it.
pub type Store = Arc<dyn StateStore>;

/// Runs every test of the suite, each on a new, empty store.
///
/// # Panics
/// If the store breaks a promise.
pub async fn run_all<F, Fut>(make_store: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Store>,
{
    creates_and_reads(make_store().await).await;
    creates_one_child_a_step(make_store().await).await;
    creates_one_run_a_key(make_store().await).await;
    appends_once(make_store().await).await;
    refuses_stale_owners(make_store().await).await;
    keeps_neighbours(make_store().await).await;
    appends_of_many_tasks(make_store().await).await;
    lists_runs(make_store().await).await;
    keeps_items(make_store().await).await;
    recovers_from_snapshots(make_store().await).await;
    carries_state(make_store().await).await;
    keeps_outputs_and_sweeps(make_store().await).await;
    forgets(make_store().await).await;
    caches(make_store().await).await;
    orders_requests(make_store().await).await;
    journal::replays_the_journal(make_store().await).await;
    journal::keeps_budgets(make_store().await).await;
    journal::keeps_budgets_against_many(make_store().await).await;
    names_live_artifacts(make_store().await).await;
    service::keeps_records(make_store().await).await;
    service::chains_the_audit_log(make_store().await).await;
    service::feeds_every_commit_once(make_store().await).await;
}

/// A run's id made from a number.
pub fn run_id(n: u64) -> RunId {
    RunId::from_parts(at(n), u128::from(n))
}

/// An owner's id made from a number.
pub fn owner_id(n: u64) -> OwnerId {
    OwnerId::from_parts(at(n), u128::from(n))
}

fn at(n: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + n as i64 * 1_000)
}

fn name(text: &str) -> Name {
    must(Name::new(text).ok_or("a bad name"))
}

fn must<T, E: Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(e) => panic!("a store must do this: {e:?}"),
    }
}

fn bundle(text: &str) -> Bundle {
    Bundle {
        path: "p.yaml".into(),
        base: "/".into(),
        text: text.into(),
        files: BTreeMap::new(),
        kinds: BTreeMap::from([("sql".into(), 1)]),
    }
}

/// Events numbered on from `after`.
pub fn events(after: u64, events: impl IntoIterator<Item = Event>) -> Vec<Recorded> {
    (after + 1..).zip(events).map(|(seq, event)| Recorded { seq, at: at(seq), version: VERSION, event }).collect()
}

/// A run with its first two events.
pub fn new_run(n: u64, pipeline: &str) -> NewRun {
    let bundle = bundle(pipeline);
    let origin = RunOrigin {
        pipeline: pipeline.into(),
        revision: bundle.revision(),
        inputs: json!({"n": n}),
        labels: BTreeMap::new(),
        cause: Cause::Manual,
        only: Vec::new(),
        reused_labels: BTreeMap::new(),
        reused: BTreeMap::new(),
        deadline: None,
        interval: None,
        event: None,
        ticket: Ticket::default(),
        asked: None,
    };
    NewRun {
        id: run_id(n),
        pipeline: pipeline.into(),
        bundle,
        parent: None,
        key: None,
        owner: owner_id(1),
        events: events(0, [Event::RunCreated { origin: Box::new(origin) }, Event::RunStarted]),
        status: RunStatus::Running,
    }
}

/// An append of one event after `after`, at epoch 1.
pub fn append(run: RunId, after: u64) -> Append {
    let started = Event::AttemptStarted { node: NodeIx(0), attempt: after as u32 };
    Append {
        run,
        epoch: 1,
        after,
        events: events(after, [started]),
        items: Vec::new(),
        outputs: Vec::new(),
        status: RunStatus::Running,
        steps: vec![(NodeIx(0), StepStatus::Running)],
        snapshot: None,
        state: Vec::new(),
    }
}

async fn created(store: &Store, n: u64) -> RunId {
    must(store.create(new_run(n, "p")).await)
}

async fn creates_and_reads(store: Store) {
    let new = new_run(1, "nightly");
    assert_eq!(store.create(new.clone()).await, Ok(new.id));
    assert_eq!(store.create(new.clone()).await, Ok(new.id), "the same again is success");
    let other = NewRun { events: events(0, [Event::RunStarted]), ..new.clone() };
    assert!(matches!(store.create(other).await, Err(StoreError::Conflict { .. })), "another run of the same id");
    let holes = NewRun { id: run_id(9), events: events(1, [Event::RunStarted]), ..new.clone() };
    assert!(matches!(store.create(holes).await, Err(StoreError::Conflict { .. })), "events from 2 on");
    let view = must(store.run(new.id).await);
    assert_eq!((view.pipeline.as_str(), view.status, view.seq, view.epoch), ("nightly", RunStatus::Running, 2, 1));
    assert_eq!((view.created_at, view.ended_at, view.parent), (at(1), None, None));
    assert_eq!(must(store.bundle(view.revision).await), new.bundle);
    assert_eq!(must(store.events(new.id, 0, 10).await), new.events);
    assert_eq!(must(store.events(new.id, 1, 10).await), new.events[1..]);
    assert_eq!(must(store.events(new.id, 0, 1).await), new.events[..1]);
    assert_eq!(must(store.owner(new.id).await).owner, owner_id(1));
    let nobody = run_id(99);
    assert_eq!(store.run(nobody).await, Err(StoreError::NoRun(nobody)));
    assert_eq!(store.events(nobody, 0, 1).await, Err(StoreError::NoRun(nobody)));
    assert_eq!(store.steps(nobody).await, Err(StoreError::NoRun(nobody)));
    assert!(store.log(nobody).await.is_err() && store.owner(nobody).await.is_err());
    assert!(store.bundle(Digest::of(b"?")).await.is_err() && store.outputs(Digest::of(b"?")).await.is_err());
}

async fn creates_one_child_a_step(store: Store) {
    let parent = created(&store, 1).await;
    let child = |n, item| NewRun { parent: Some((parent, NodeIx(3), item)), ..new_run(n, "child") };
    assert_eq!(store.create(child(2, None)).await, Ok(run_id(2)));
    assert_eq!(store.create(child(3, None)).await, Ok(run_id(2)), "the first child comes back");
    assert_eq!(store.create(child(4, Some(0))).await, Ok(run_id(4)), "an item has a child of its own");
    let (a, b) = tokio::join!(store.create(child(5, Some(1))), store.create(child(6, Some(1))));
    assert_eq!(a, b, "two at once get the same");
    assert_eq!(must(store.run(run_id(2)).await).parent, Some(parent));
}

async fn creates_one_run_a_key(store: Store) {
    let keyed = |n, key: &str| NewRun { key: Some(key.to_owned()), ..new_run(n, "keyed") };
    assert_eq!(store.create(keyed(1, "a")).await, Ok(run_id(1)));
    assert_eq!(store.create(keyed(1, "a")).await, Ok(run_id(1)), "the same again is success");
    assert_eq!(store.create(keyed(2, "a")).await, Ok(run_id(1)), "the first run comes back");
    assert!(store.run(run_id(2)).await.is_err(), "and there is no second");
    let (a, b) = tokio::join!(store.create(keyed(3, "b")), store.create(keyed(4, "b")));
    assert_eq!(a, b, "two at once get the same");
    assert_eq!(store.run_of_key("a").await, Ok(Some(run_id(1))));
    assert_eq!(store.run_of_key("c").await, Ok(None));
    must(store.forget(run_id(1)).await);
    assert_eq!(store.run_of_key("a").await, Ok(None));
    assert_eq!(store.create(keyed(5, "a")).await, Ok(run_id(5)), "what is forgotten may be done again");
}

async fn appends_once(store: Store) {
    let run = created(&store, 1).await;
    let first = append(run, 2);
    assert_eq!(must(store.append(first.clone()).await).seq, 3);
    assert_eq!(must(store.append(first.clone()).await).seq, 3, "the same again is success");
    assert_eq!(must(store.append(append(run, 3)).await).seq, 4);
    assert_eq!(must(store.append(first.clone()).await).seq, 4, "an old one that stands too");
    let other = Append { events: events(2, [Event::RunStarted]), ..first.clone() };
    assert_eq!(store.append(other).await, Err(StoreError::Conflict { expected: 2, current: 4 }));
    let ahead = append(run, 9);
    assert_eq!(store.append(ahead).await, Err(StoreError::Conflict { expected: 9, current: 4 }));
    let nobody = run_id(99);
    assert_eq!(store.append(append(nobody, 0)).await, Err(StoreError::NoRun(nobody)));
    let seqs: Vec<u64> = must(store.events(run, 0, 99).await).iter().map(|e| e.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
    let steps = must(store.steps(run).await);
    assert_eq!(steps.iter().map(|s| (s.node.0, s.status)).collect::<Vec<_>>(), [(0, StepStatus::Running)]);
    let (a, b) = tokio::join!(store.append(append(run, 4)), store.append(append(run, 4)));
    assert!(a.is_ok() && b.is_ok(), "twice the same at once: {a:?} {b:?}");
    let done = Event::RunEnded { status: RunStatus::Succeeded, outputs: json!({}), fault: None };
    let end = Append { events: events(5, [done]), status: RunStatus::Succeeded, ..append(run, 5) };
    must(store.append(end).await);
    assert_eq!(must(store.run(run).await).ended_at, Some(at(6)));
    must(store.append(append(run, 6)).await);
    assert_eq!(must(store.run(run).await).ended_at, None, "a run that goes on has not ended");
}

async fn refuses_stale_owners(store: Store) {
    let run = created(&store, 1).await;
    let record = must(store.take(run, owner_id(2), 1).await);
    assert_eq!((record.owner, record.epoch), (owner_id(2), 2));
    assert_eq!(store.append(append(run, 2)).await, Err(StoreError::NotOwner { current: 2 }));
    must(store.append(Append { epoch: 2, ..append(run, 2) }).await);
    assert_eq!(must(store.owner(run).await), record);
    assert_eq!(store.take(run_id(99), owner_id(2), 1).await, Err(StoreError::NoRun(run_id(99))));
    // Who saw the same dead owner and comes second gets nothing.
    assert_eq!(store.take(run, owner_id(3), 1).await, Err(StoreError::NotOwner { current: 2 }));
    assert_eq!(must(store.owner(run).await), record);
}

async fn keeps_neighbours(store: Store) {
    for n in 1..=20 {
        created(&store, n).await;
    }
    let appends = (1..=20).map(|n| {
        let store = store.clone();
        // Every third is at the wrong place, every fifth has the wrong epoch.
        let epoch = if n % 5 == 0 { 7 } else { 1 };
        let after = if n % 3 == 0 { 1 } else { 2 };
        let append = Append { epoch, ..append(run_id(n), after) };
        tokio::spawn(async move { (n, store.append(append).await) })
    });
    for task in appends.collect::<Vec<_>>() {
        let (n, done) = must(task.await);
        assert_eq!(done.is_ok(), n % 5 != 0 && n % 3 != 0, "run {n}: {done:?}");
        let expected = if done.is_ok() { 3 } else { 2 };
        assert_eq!(must(store.run(run_id(n)).await).seq, expected, "run {n}");
    }
}

async fn appends_of_many_tasks(store: Store) {
    let tasks = (1..=50).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let run = created(&store, n).await;
            for after in 2..12 {
                must(store.append(append(run, after)).await);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        must(task.await);
    }
    for n in 1..=50 {
        assert_eq!(must(store.events(run_id(n), 0, 99).await).len(), 12);
    }
}

async fn lists_runs(store: Store) {
    for n in 1..=5 {
        must(store.create(new_run(n, if n % 2 == 0 { "even" } else { "odd" })).await);
    }
    must(store.append(Append { status: RunStatus::Failed, ..append(run_id(3), 2) }).await);
    let list = async |filter: RunFilter| -> Vec<RunId> {
        must(store.runs(&filter).await).into_iter().map(|run| run.id).collect()
    };
    let all = RunFilter { limit: 10, ..RunFilter::default() };
    let ids = |numbers: &[u64]| numbers.iter().map(|n| run_id(*n)).collect::<Vec<_>>();
    assert_eq!(list(all.clone()).await, ids(&[5, 4, 3, 2, 1]), "newest first");
    assert_eq!(list(RunFilter { limit: 2, ..all.clone() }).await, ids(&[5, 4]));
    assert_eq!(list(RunFilter { after: Some(Cursor(run_id(4))), ..all.clone() }).await, ids(&[3, 2, 1]));
    assert_eq!(list(RunFilter { pipeline: Some("even".into()), ..all.clone() }).await, ids(&[4, 2]));
    assert_eq!(list(RunFilter { statuses: vec![RunStatus::Failed], ..all.clone() }).await, ids(&[3]));
    assert_eq!(list(RunFilter { statuses: vec![RunStatus::Running], ..all.clone() }).await, ids(&[5, 4, 2, 1]));
    assert!(list(RunFilter { parent: Some(run_id(1)), ..all }).await.is_empty());
}

async fn keeps_items(store: Store) {
    let run = created(&store, 1).await;
    let row = |item, outcome| ItemRow {
        node: NodeIx(1),
        item,
        outcome,
        attempts: 1,
        outputs: (outcome == ItemOutcome::Succeeded).then(|| json!({"x": item})),
        fault: (outcome == ItemOutcome::Failed).then(|| Fault::user("x.y", "no").help("do").exit_code(3)),
    };
    let rows: Vec<ItemRow> = (0..2_500)
        .map(|item| row(item, if item % 1_000 == 7 { ItemOutcome::Failed } else { ItemOutcome::Succeeded }))
        .collect();
    must(store.append(Append { items: rows.clone(), ..append(run, 2) }).await);
    let node = NodeIx(1);
    let all = ItemFilter { limit: 10_000, ..ItemFilter::default() };
    assert_eq!(must(store.items(run, node, &all).await), rows);
    let failed = ItemFilter { outcome: Some(ItemOutcome::Failed), ..all };
    let numbers = |rows: Vec<ItemRow>| rows.into_iter().map(|row| row.item).collect::<Vec<_>>();
    assert_eq!(numbers(must(store.items(run, node, &failed).await)), [7, 1_007, 2_007]);
    let page = ItemFilter { from: 2_498, limit: 1, ..all };
    assert_eq!(numbers(must(store.items(run, node, &page).await)), [2_498]);
    assert!(must(store.items(run, NodeIx(2), &all).await).is_empty());
    let again = ItemRow { attempts: 2, ..row(7, ItemOutcome::Succeeded) };
    must(store.append(Append { items: vec![again.clone()], ..append(run, 3) }).await);
    let one = ItemFilter { from: 7, limit: 1, ..all };
    assert_eq!(must(store.items(run, node, &one).await), [again], "the newest row counts");
}

async fn recovers_from_snapshots(store: Store) {
    let run = created(&store, 1).await;
    assert_eq!(must(store.log(run).await).events.len(), 2);
    must(store.append(Append { snapshot: Some(vec![1, 2]), ..append(run, 2) }).await);
    must(store.append(append(run, 3)).await);
    let log = must(store.log(run).await);
    assert_eq!(log.snapshot, Some((3, vec![1, 2])));
    assert_eq!(log.events.iter().map(|e| e.seq).collect::<Vec<_>>(), [4]);
    must(store.append(Append { snapshot: Some(vec![3]), ..append(run, 4) }).await);
    let log = must(store.log(run).await);
    assert_eq!((log.snapshot, log.events.len()), (Some((5, vec![3])), 0));
}

async fn carries_state(store: Store) {
    let run = created(&store, 1).await;
    let state = vec![(name("watermark"), json!(7)), (name("a"), json!({"b": null}))];
    must(store.append(Append { state, ..append(run, 2) }).await);
    let expected = vec![("a".to_owned(), json!({"b": null})), ("watermark".to_owned(), json!(7))];
    assert_eq!(must(store.state("p").await), expected);
    let next = created(&store, 2).await;
    assert_eq!(must(store.log(next).await).state, expected, "the next run sees it");
    must(store.append(Append { state: vec![(name("a"), json!(1))], ..append(next, 2) }).await);
    assert_eq!(must(store.state("p").await)[0], ("a".to_owned(), json!(1)));
    must(store.forget(run).await);
    assert_eq!(must(store.state("p").await).len(), 2, "it outlives the run");
    assert!(must(store.state("q").await).is_empty());
}

fn row(text: &str) -> OutputRow {
    OutputRow { digest: Digest::of(text.as_bytes()), json: text.to_owned() }
}

fn succeeded(outputs: StoredOutputs) -> Event {
    let labels = BTreeMap::new();
    Event::StepSucceeded { node: NodeIx(0), attempt: 1, outputs, labels, rows: None, reused: false }
}

async fn keeps_outputs_and_sweeps(store: Store) {
    let (first, second) = (created(&store, 1).await, created(&store, 2).await);
    let shared = row(r#"{"x":1}"#);
    let named = StoredOutputs::Row { digest: shared.digest };
    let event = events(2, [succeeded(named.clone())]);
    let with_row = Append { events: event.clone(), outputs: vec![shared.clone(), row("{}")], ..append(first, 2) };
    must(store.append(with_row).await);
    must(store.append(Append { events: event, ..append(second, 2) }).await);
    assert_eq!(must(store.outputs(shared.digest).await), shared.json);
    assert_eq!(must(store.sweep(None).await), 0, "everything is named");
    must(store.forget(first).await);
    assert_eq!(must(store.sweep(None).await), 1, "what only the forgotten run had goes");
    assert_eq!(must(store.outputs(shared.digest).await), shared.json, "another run names it");
    let entry = CacheEntry { outputs: named, labels: json!({}), rows: None, run: second };
    must(store.cache(Digest::of(b"f"), entry).await);
    must(store.forget(second).await);
    assert_eq!(must(store.sweep(None).await), 1, "the bundle goes");
    assert_eq!(must(store.outputs(shared.digest).await), shared.json, "the cache names it");
}

async fn forgets(store: Store) {
    let run = created(&store, 1).await;
    let key = key(run, "k");
    must(store.finish(&key, Digest::of(b"r"), &json!(1), &spent(5)).await);
    must(store.request(run, RequestKind::Cancel, "me", at(1)).await);
    must(store.forget(run).await);
    assert_eq!(store.run(run).await, Err(StoreError::NoRun(run)));
    assert_eq!(store.forget(run).await, Err(StoreError::NoRun(run)));
    created(&store, 1).await;
    assert_eq!(must(store.entry(&key).await), Entry::Absent);
    assert!(must(store.requests(run, 0).await).is_empty());
    assert!(must(store.balance(&Scope::Run(run)).await).is_empty());
    assert!(must(store.steps(run).await).is_empty());
}

async fn caches(store: Store) {
    let entry = CacheEntry {
        outputs: StoredOutputs::Inline(json!({"x": 1})),
        labels: json!({"x": {}}),
        rows: Some(3),
        run: run_id(1),
    };
    let key = Digest::of(b"key");
    assert_eq!(must(store.cached(key).await), None);
    must(store.cache(key, entry.clone()).await);
    assert_eq!(must(store.cached(key).await), Some(entry.clone()));
    let newer = CacheEntry { rows: None, ..entry };
    must(store.cache(key, newer.clone()).await);
    assert_eq!(must(store.cached(key).await), Some(newer));
}

async fn orders_requests(store: Store) {
    let (run, other) = (created(&store, 1).await, created(&store, 2).await);
    let answer = RequestKind::Answer { node: NodeIx(1), shown: Digest::of(b"s"), answer: json!({"ok": true}) };
    let a = must(store.request(run, RequestKind::Cancel, "ann", at(1)).await);
    let b = must(store.request(other, RequestKind::Interrupt, "bob", at(2)).await);
    let c = must(store.request(run, answer.clone(), "cy", at(3)).await);
    assert!(a < b && b < c);
    let all = must(store.requests(run, 0).await);
    assert_eq!(
        all.iter().map(|r| (r.id, r.by.as_str(), r.at)).collect::<Vec<_>>(),
        [(a, "ann", at(1)), (c, "cy", at(3))]
    );
    assert_eq!(all[1].kind, answer);
    assert_eq!(must(store.requests(run, a).await).len(), 1);
    assert!(must(store.requests(run, c).await).is_empty());
    let nobody = run_id(99);
    assert_eq!(store.request(nobody, RequestKind::Cancel, "me", at(1)).await, Err(StoreError::NoRun(nobody)));
}

async fn names_live_artifacts(store: Store) {
    let run = created(&store, 1).await;
    let artifact = |text: &str| millwork_engine::model::ArtifactId(Digest::of(text.as_bytes()));
    let kept = |text: &str| json!({"kept": artifact(text)});
    let outputs = StoredOutputs::Artifact { artifact: artifact("event") };
    let item = ItemRow {
        node: NodeIx(1),
        item: 0,
        outcome: ItemOutcome::Succeeded,
        attempts: 1,
        outputs: Some(kept("item")),
        fault: None,
    };
    must(
        store
            .append(Append {
                events: events(2, [succeeded(outputs)]),
                items: vec![item],
                outputs: vec![row(&kept("row").to_string())],
                ..append(run, 2)
            })
            .await,
    );
    must(store.finish(&key(run, "k"), Digest::of(b"r"), &kept("journal"), &Settlement::default()).await);
    let entry = CacheEntry { outputs: StoredOutputs::Inline(kept("cache")), labels: json!({}), rows: None, run };
    must(store.cache(Digest::of(b"f"), entry).await);
    let live = must(store.live_artifacts(&Doomed::default()).await);
    for text in ["event", "item", "row", "journal", "cache"] {
        assert!(live.contains(&artifact(text)), "{text}");
    }
    let doomed = Doomed { runs: vec![run], cached_before: None };
    assert_eq!(must(store.live_artifacts(&doomed).await), [artifact("cache")], "as if the run were forgotten");
    let later = Some(run_id(2));
    let doomed = Doomed { runs: vec![run], cached_before: later };
    assert!(must(store.live_artifacts(&doomed).await).is_empty(), "as if the cached result were, too");
    must(store.forget(run).await);
    must(store.sweep(None).await);
    let live = must(store.live_artifacts(&Doomed::default()).await);
    assert!(
        live.contains(&artifact("cache")) && !live.contains(&artifact("event")) && !live.contains(&artifact("row"))
    );
    must(store.sweep(Some(run)).await);
    assert!(must(store.cached(Digest::of(b"f")).await).is_some(), "its run is not older than itself");
    must(store.sweep(later).await);
    assert_eq!(must(store.cached(Digest::of(b"f")).await), None);
}
