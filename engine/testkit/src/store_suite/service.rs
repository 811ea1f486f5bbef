//! What a store keeps for the service: documents, the audit log, the feed.

use millwork_engine::{
    model::{NodeIx, RunId},
    store::{AuditEntry, AuditRow, FeedPage, Record, RecordKind, When},
};
use serde_json::json;

use super::{NewRun, Store, append, at, created, must, new_run, run_id};

pub(super) async fn keeps_records(store: Store) {
    let kind = RecordKind::Token;
    assert_eq!(store.record(kind, "a").await, Ok(None));
    assert_eq!(store.put_record(kind, "a", Some(json!(1)), When::Version(1)).await, Ok(false));
    assert_eq!(store.put_record(kind, "a", Some(json!(1)), When::Absent).await, Ok(true));
    assert_eq!(store.put_record(kind, "a", Some(json!(2)), When::Absent).await, Ok(false));
    let record = |key: &str, version, value| Record { key: key.into(), version, value };
    assert_eq!(store.record(kind, "a").await, Ok(Some(record("a", 1, json!(1)))));
    assert_eq!(store.record(RecordKind::Session, "a").await, Ok(None), "kinds are apart");
    assert_eq!(store.put_record(kind, "a", Some(json!(3)), When::Version(1)).await, Ok(true));
    assert_eq!(store.put_record(kind, "a", Some(json!(4)), When::Version(1)).await, Ok(false), "it is at 2");
    assert_eq!(store.put_record(kind, "a", Some(json!({"n": 5})), When::Always).await, Ok(true));
    assert_eq!(store.record(kind, "a").await, Ok(Some(record("a", 3, json!({"n": 5})))));
    let (x, y) = tokio::join!(
        store.put_record(kind, "a", Some(json!("x")), When::Version(3)),
        store.put_record(kind, "a", Some(json!("y")), When::Version(3)),
    );
    assert_ne!(x, y, "of two at once one is told");
    for key in ["p/2", "p/1", "p%", "q", "p/1/x", "P/1"] {
        must(store.put_record(kind, key, Some(json!(key)), When::Always).await);
    }
    let keys = |records: Vec<Record>| records.into_iter().map(|record| record.key).collect::<Vec<_>>();
    assert_eq!(keys(must(store.records(kind, "p/", None, 10).await)), ["p/1", "p/1/x", "p/2"]);
    assert_eq!(keys(must(store.records(kind, "p/", Some("p/1"), 1).await)), ["p/1/x"]);
    assert_eq!(keys(must(store.records(kind, "p%", None, 10).await)), ["p%"]);
    assert_eq!(keys(must(store.records(kind, "", None, 2).await)), ["P/1", "a"]);
    assert_eq!(store.put_record(kind, "q", None, When::Version(9)).await, Ok(false));
    assert_eq!(store.put_record(kind, "q", None, When::Version(1)).await, Ok(true));
    assert_eq!(store.put_record(kind, "q", None, When::Absent).await, Ok(true));
    assert_eq!(store.put_record(kind, "a", None, When::Absent).await, Ok(false));
    assert_eq!(store.put_record(kind, "a", None, When::Always).await, Ok(true));
    assert_eq!(store.record(kind, "q").await, Ok(None));
    assert_eq!(store.record(kind, "a").await, Ok(None));
}

pub(super) async fn chains_the_audit_log(store: Store) {
    let entry = |n: u64| AuditEntry {
        at: at(n),
        actor: format!("token {n}"),
        action: "run.cancel".into(),
        target: run_id(n).to_string(),
        detail: json!({"n": n, "text": "ä \" \n"}),
    };
    assert_eq!(store.audit_head().await, Ok(0));
    assert_eq!(store.audit(entry(1)).await, Ok(1));
    let (a, b) = tokio::join!(store.audit(entry(2)), store.audit(entry(3)));
    let mut both = [must(a), must(b)];
    both.sort_unstable();
    assert_eq!(both, [2, 3], "no number is given twice, none is left out");
    assert_eq!(store.audit_head().await, Ok(3));
    let rows = must(store.audited(0, 10).await);
    assert_eq!(rows.first().map(|row| &row.entry), Some(&entry(1)));
    let mut before = AuditRow::GENESIS;
    for (n, row) in (1..).zip(&rows) {
        assert_eq!(row.seq, n);
        assert_eq!(row.hash, AuditRow::chained(before, n, &row.text));
        assert_eq!(serde_json::from_str::<AuditEntry>(&row.text).ok().as_ref(), Some(&row.entry));
        before = row.hash;
    }
    assert_eq!(must(store.audited(1, 1).await), rows[1..2]);
}

fn shown(page: &FeedPage) -> Vec<(RunId, Vec<u64>)> {
    page.commits.iter().map(|commit| (commit.run, commit.events.iter().map(|event| event.seq).collect())).collect()
}

pub(super) async fn feeds_every_commit_once(store: Store) {
    let mut watch = store.feed_watch();
    assert_eq!(store.feed_head().await, Ok(0));
    assert_eq!(store.feed(0, 10).await, Ok(FeedPage::default()));
    watch.borrow_and_update();
    let (a, b) = (created(&store, 1).await, must(store.create(NewRun { ..new_run(2, "other") }).await));
    assert!(watch.has_changed().unwrap_or(false), "who watches is told");
    must(store.append(append(a, 2)).await);
    must(store.append(append(b, 2)).await);
    must(store.append(append(b, 2)).await);
    must(store.append(append(a, 3)).await);
    let all = must(store.feed(0, 100).await);
    let expected = vec![(a, vec![1, 2]), (b, vec![1, 2]), (a, vec![3]), (b, vec![3]), (a, vec![4])];
    assert_eq!(shown(&all), expected, "what was appended twice is there once");
    assert!(all.commits.windows(2).all(|pair| pair[0].pos < pair[1].pos));
    assert_eq!(all.commits.last().map(|commit| commit.pos), store.feed_head().await.ok());
    let (first, last) = (&all.commits[0], &all.commits[1]);
    assert_eq!((first.pipeline.as_str(), last.pipeline.as_str()), ("p", "other"));
    assert_eq!(first.revision, must(store.run(a).await).revision);
    assert_eq!(first.events, must(store.events(a, 0, 2).await));
    // Read in pages, it is the same.
    let (mut after, mut paged) = (0, Vec::new());
    loop {
        let page = must(store.feed(after, 2).await);
        let Some(end) = page.commits.last() else { break };
        after = end.pos;
        paged.extend(shown(&page));
    }
    assert_eq!(paged, expected);
    // What is forgotten is below the floor, and its places are not given again.
    let head = must(store.feed_head().await);
    must(store.forget(a).await);
    let rest = must(store.feed(0, 100).await);
    assert_eq!(shown(&rest), [(b, vec![1, 2]), (b, vec![3])]);
    assert_eq!(rest.floor, head);
    assert_eq!(store.feed_head().await, Ok(head));
    created(&store, 3).await;
    let more = must(store.feed(head, 100).await);
    assert_eq!(shown(&more), [(run_id(3), vec![1, 2])]);
    must(store.append(append(run_id(3), 2)).await);
    assert_eq!(must(store.steps(run_id(3)).await)[0].node, NodeIx(0));
}
