//! What a store promises about journals and budgets.

use millwork_engine::{
    model::{Digest, Fault, NodeIx, RunId},
    step::{Entry, Journal, JournalKey, Reservation, Resource, Settlement},
    store::{NewRun, Scope},
};
use serde_json::json;

use super::{Store, created, must, new_run, owner_id, run_id};

pub(super) fn key(run: RunId, key: &str) -> JournalKey {
    JournalKey { run, node: Some(NodeIx(1)), item: None, key: key.into() }
}

pub(super) fn spent(tokens: u64) -> Settlement {
    Settlement(vec![(Resource::Tokens, tokens)])
}

fn wanted(tokens: u64) -> Reservation {
    Reservation(vec![(Resource::Tokens, tokens)])
}

fn code<T>(result: Result<T, Fault>) -> String {
    result.err().map(|fault| fault.code.to_string()).unwrap_or_default()
}

pub(super) async fn replays_the_journal(store: Store) {
    let run = created(&store, 1).await;
    let (request, other) = (Digest::of(b"request"), Digest::of(b"other"));
    let call = key(run, "call");
    assert_eq!(must(store.entry(&call).await), Entry::Absent);
    must(store.intend(&call, request, &wanted(10), 1).await);
    must(store.intend(&call, request, &wanted(10), 1).await);
    assert_eq!(must(store.balance(&Scope::Run(run)).await)[0].reserved, 10, "the same intent reserves once");
    assert_eq!(must(store.entry(&call).await), Entry::Intended { request });
    let open = must(store.unsettled(run).await);
    assert_eq!((open.len(), &open[0].key, &open[0].reserved), (1, &call, &wanted(10)));
    assert_eq!(code(store.intend(&call, other, &wanted(1), 1).await), "journal.changed");
    assert_eq!(code(store.finish(&call, other, &json!(1), &spent(1)).await), "journal.changed");
    must(store.finish(&call, request, &json!({"r": [1]}), &spent(4)).await);
    must(store.finish(&call, request, &json!({"r": [1]}), &spent(4)).await);
    assert_eq!(must(store.entry(&call).await), Entry::Done { request, result: json!({"r": [1]}) });
    let balance = must(store.balance(&Scope::Run(run)).await)[0];
    assert_eq!((balance.reserved, balance.settled), (0, 4), "settled once");
    assert!(must(store.unsettled(run).await).is_empty());
    let null = key(run, "null");
    must(store.finish(&null, request, &json!(null), &Settlement::default()).await);
    assert_eq!(must(store.entry(&null).await), Entry::Done { request, result: json!(null) });
    for (node, item) in [(None, None), (Some(NodeIx(1)), Some(0)), (Some(NodeIx(2)), None)] {
        let elsewhere = JournalKey { node, item, ..call.clone() };
        assert_eq!(must(store.entry(&elsewhere).await), Entry::Absent, "{elsewhere:?}");
    }
    assert_eq!(code(store.intend(&key(run_id(99), "k"), request, &wanted(1), 1).await), "store.no_run");
    assert_eq!(code(store.finish(&key(run_id(99), "k"), request, &json!(1), &spent(1)).await), "store.no_run");

    let journal = Journal::new(store.clone(), run, NodeIx(5), Some(3), 1);
    let once = journal.once("part", request, async { Ok::<_, Fault>(41) }).await;
    assert_eq!(once, Ok(41));
    let replayed = journal.once("part", request, async { Err::<i32, _>(Fault::internal("x.y", "ran again")) }).await;
    assert_eq!(replayed, Ok(41));
    assert_eq!(code(journal.once("part", other, async { Ok::<_, Fault>(1) }).await), "journal.changed");

    // Who lost the run begins no call, not even one that it had announced; a begun one may be recorded.
    let late = key(run, "late");
    must(store.intend(&late, request, &wanted(1), 1).await);
    must(store.take(run, owner_id(2), 1).await);
    assert_eq!(code(store.intend(&late, request, &wanted(1), 1).await), "store.not_owner");
    assert_eq!(code(store.intend(&key(run, "new"), request, &wanted(1), 1).await), "store.not_owner");
    must(store.intend(&late, request, &wanted(1), 2).await);
    must(store.finish(&late, request, &json!(1), &spent(1)).await);
}

pub(super) async fn keeps_budgets(store: Store) {
    let parent = created(&store, 1).await;
    let child = NewRun { parent: Some((parent, NodeIx(7), None)), ..new_run(2, "child") };
    let run = must(store.create(child).await);
    let day = Scope::Named("workspace 2026-01-01".into());
    must(store.nest(&Scope::Run(parent), &day).await);
    let request = Digest::of(b"r");
    let limit = async |scope: &Scope, limit| must(store.set_limit(scope, Resource::Tokens, limit).await);
    let scopes =
        [Scope::Step(run, NodeIx(1)), Scope::Run(run), Scope::Step(parent, NodeIx(7)), Scope::Run(parent), day];
    for (n, scope) in scopes.iter().enumerate() {
        limit(scope, Some(10)).await;
        let k = |what: &str| key(run, &format!("{what}{n}"));
        must(store.intend(&k("fits"), request, &wanted(10), 1).await);
        let refused = store.intend(&k("over"), request, &wanted(1), 1).await;
        assert_eq!(code(refused), "budget.exceeded", "{scope}");
        assert_eq!(must(store.entry(&k("over")).await), Entry::Absent, "nothing of it is kept");
        must(store.intend(&k("free"), request, &Reservation::default(), 1).await);
        must(store.release(&k("fits")).await);
        assert_eq!(must(store.entry(&k("fits")).await), Entry::Absent);
        limit(scope, None).await;
    }
    limit(&scopes[4], Some(100)).await;
    let usd = Reservation(vec![(Resource::NanoUsd, 5), (Resource::Tokens, 60)]);
    must(store.intend(&key(run, "a"), request, &usd, 1).await);
    let paid = Settlement(vec![(Resource::NanoUsd, 3), (Resource::Tokens, 90)]);
    must(store.finish(&key(run, "a"), request, &json!(1), &paid).await);
    for scope in &scopes {
        let balance = must(store.balance(scope).await);
        let lines: Vec<_> = balance.iter().map(|b| (b.resource, b.reserved, b.settled)).collect();
        assert_eq!(lines, [(Resource::NanoUsd, 0, 3), (Resource::Tokens, 0, 90)], "{scope}");
    }
    assert_eq!(
        code(store.intend(&key(run, "b"), request, &wanted(11), 1).await),
        "budget.exceeded",
        "what was spent counts"
    );
    must(store.intend(&key(run, "b"), request, &wanted(10), 1).await);
    must(store.finish(&key(run, "b"), request, &json!(1), &spent(u64::MAX)).await);
    assert_eq!(code(store.intend(&key(run, "c"), request, &wanted(u64::MAX), 1).await), "budget.exceeded");
}

pub(super) async fn keeps_budgets_against_many(store: Store) {
    let run = created(&store, 1).await;
    must(store.set_limit(&Scope::Run(run), Resource::Tokens, Some(70)).await);
    let tasks = (0..100).map(|n| {
        let store = store.clone();
        tokio::spawn(
            async move { store.intend(&key(run, &n.to_string()), Digest::of(b"r"), &wanted(7), 1).await.is_ok() },
        )
    });
    let mut granted = 0;
    for task in tasks.collect::<Vec<_>>() {
        granted += u32::from(must(task.await));
    }
    assert_eq!(granted, 10);
    assert_eq!(must(store.balance(&Scope::Run(run)).await)[0].reserved, 70);
}
