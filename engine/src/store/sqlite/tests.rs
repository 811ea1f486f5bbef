//! What only this backend can get wrong: its file, other processes, broken rows.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};
use tokio::sync::oneshot;

use super::{
    SqliteStore,
    connect::{VERSION, options},
    group,
    known::Known,
    op::{Answer, Job, Op, Prepared, Refusal},
};
use crate::{
    model::{RunId, SystemClock, Timestamp},
    step::{JournalKey, JournalStore, Reservation, Resource, Settlement},
    store::{
        Durability, Ledger, RunReader, RunWriter, Scope, StoreError,
        bench::{plain_append, plain_run},
    },
};

async fn open(home: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(home, Durability::Process, Arc::new(SystemClock)).await
}

async fn raw(home: &Path) -> SqliteConnection {
    options(&home.join("state.db"), Durability::Process).connect().await.unwrap()
}

async fn execute(conn: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap();
}

fn run_id(n: u128) -> RunId {
    RunId::from_parts(Timestamp::default(), n)
}

#[tokio::test]
async fn a_newer_file_or_event_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    store.create(plain_run(run_id(1))).await.unwrap();
    let mut conn = raw(dir.path()).await;
    execute(&mut conn, "UPDATE events SET version = 2").await;
    assert!(matches!(store.log(run_id(1)).await, Err(StoreError::Newer(_))));
    execute(&mut conn, "UPDATE events SET version = 1, event = '{\"type\":\"no_such\"}'").await;
    assert!(matches!(store.log(run_id(1)).await, Err(StoreError::Broken(_))));
    store.close().await;
    execute(&mut conn, "PRAGMA user_version = 99").await;
    let refused = open(dir.path()).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Newer(text) if text.contains("99")), "{refused}");
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_found() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(SqliteStore::examine(dir.path()).await, Ok(None));
    let store = open(dir.path()).await.unwrap();
    store.create(plain_run(run_id(1))).await.unwrap();
    let health = SqliteStore::examine(dir.path()).await.unwrap().unwrap();
    assert_eq!((health.version, health.runs, health.problems), (VERSION, 1, Vec::new()));
    store.close().await;
    let file = dir.path().join("state.db");
    let bytes = std::fs::read(&file).unwrap();
    for broken in [&b"hello"[..], &bytes[..8192], &bytes[..bytes.len() - 100], b""] {
        std::fs::write(&file, broken).unwrap();
        let found = SqliteStore::examine(dir.path()).await;
        assert!(!matches!(&found, Ok(Some(health)) if health.problems.is_empty()), "{} bytes: {found:?}", broken.len());
    }
}

/// A folder in the place of the log is as good as one without the right to write.
#[tokio::test]
async fn a_home_that_cannot_be_written_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let clock = || Arc::new(SystemClock);
    assert!(SqliteStore::open_to_read(dir.path(), clock()).await.unwrap().is_none(), "nothing is made");
    let store = open(dir.path()).await.unwrap();
    store.create(plain_run(run_id(1))).await.unwrap();
    for shut in [false, true] {
        let reader = SqliteStore::open_to_read(dir.path(), clock()).await.unwrap().expect("a state");
        assert_eq!(reader.run(run_id(1)).await.unwrap().id, run_id(1), "shut: {shut}");
        let refused = reader.create(plain_run(run_id(2))).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Broken(text) if text.contains("state.db")), "{refused}");
        reader.close().await;
        if !shut {
            store.close().await;
            std::fs::create_dir(dir.path().join("state.db-wal")).unwrap();
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("state.db"), vec![b'x'; 5_000]).unwrap();
    let refused = open(dir.path()).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Broken(text) if text.contains("not a database")), "{refused}");
}

#[tokio::test]
async fn a_writer_waits_for_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    store.create(plain_run(run_id(1))).await.unwrap();
    let mut other = raw(dir.path()).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let release = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        execute(&mut other, "COMMIT").await;
    };
    let (appended, ()) = tokio::join!(store.append(plain_append(run_id(1), 1)), release);
    assert_eq!(appended.unwrap().seq, 2);
}

fn job(append: crate::store::Append) -> Job {
    Job { op: Op::Append(Prepared::new(append, 0).unwrap()), reply: oneshot::channel().0 }
}

#[tokio::test]
async fn a_row_that_breaks_a_transaction_spares_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    for n in 1..=3 {
        store.create(plain_run(run_id(n))).await.unwrap();
    }
    let mut conn = raw(dir.path()).await;
    // A row where run 2's next event belongs: the store's own writes never leave one.
    execute(&mut conn, "INSERT INTO events SELECT key, 2, 0, 1, '' FROM runs ORDER BY id LIMIT 1 OFFSET 1").await;
    let [a, b, c] = [1, 2, 3].map(|n| store.append(plain_append(run_id(n), 1)));
    let (a, b, c) = tokio::join!(a, b, c);
    assert!(a.is_ok() && c.is_ok(), "{a:?} {c:?}");
    assert!(matches!(b, Err(StoreError::Broken(_))), "{b:?}");
    // The same as one group, for certain: nothing of it stays.
    let jobs: Vec<Job> = [1, 2, 3].map(|n| job(plain_append(run_id(n), if n == 2 { 1 } else { 2 }))).into();
    assert!(group::commit(&mut conn, &jobs, &SystemClock, &mut Known::default()).await.is_err());
    assert_eq!(store.run(run_id(1)).await.unwrap().seq, 2);
    let outcomes = group::commit(&mut conn, &jobs[..1], &SystemClock, &mut Known::default()).await.unwrap();
    assert!(matches!(outcomes[..], [Some(Ok(Answer::Committed(_)))]), "the connection is usable afterwards");
}

#[tokio::test]
async fn one_transaction_holds_each_run_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    store.create(plain_run(run_id(1))).await.unwrap();
    let mut conn = raw(dir.path()).await;
    let jobs = vec![job(plain_append(run_id(1), 1)), job(plain_append(run_id(1), 2)), job(plain_append(run_id(9), 1))];
    let outcomes = group::commit(&mut conn, &jobs, &SystemClock, &mut Known::default()).await.unwrap();
    assert!(matches!(
        outcomes[..],
        [Some(Ok(Answer::Committed(_))), None, Some(Err(Refusal::Store(StoreError::NoRun(_))))]
    ));
}

/// Two processes ask for the last of a budget at once: the write lock lets one have it.
#[tokio::test]
async fn processes_share_a_budget() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (open(dir.path()).await.unwrap(), open(dir.path()).await.unwrap());
    let run = a.create(plain_run(run_id(1))).await.unwrap();
    a.set_limit(&Scope::Run(run), Resource::NanoUsd, Some(10)).await.unwrap();
    let key = |n: u32| JournalKey { run, node: None, item: Some(n), key: "k".into() };
    let request = crate::model::Digest::of(b"r");
    let ten = Reservation(vec![(Resource::NanoUsd, 6), (Resource::NanoUsd, 4)]);
    let (key_a, key_b) = (key(1), key(2));
    let (x, y) = tokio::join!(a.intend(&key_a, request, &ten, 1), b.intend(&key_b, request, &ten, 1));
    assert!(x.is_ok() != y.is_ok(), "{x:?} {y:?}");
    let fault = x.err().or(y.err()).unwrap();
    assert!(fault.message.contains("0.000000010 USD"), "{}", fault.message);
    let won = if a.unsettled(run).await.unwrap()[0].key == key_a { key_a } else { key_b };
    let free = Settlement::default();
    b.finish(&won, request, &serde_json::json!(null), &free).await.unwrap();
    assert_eq!(a.balance(&Scope::Run(run)).await.unwrap()[0].reserved, 0);
}

/// What one writer knows of a run holds only until another one writes to it.
#[tokio::test]
async fn a_run_that_another_writer_took_is_looked_at_again() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()).await.unwrap(), open(dir.path()).await.unwrap());
    let (run, owner) = (run_id(1), crate::model::OwnerId::from_parts(Timestamp::default(), 2));
    first.create(plain_run(run)).await.unwrap();
    let begun = first.owner(run).await.unwrap();
    let seq = first.run(run).await.unwrap().seq;
    let append = |after: u64, epoch: u64| {
        let mut append = plain_append(run, after);
        append.epoch = epoch;
        append
    };
    first.append(append(seq, begun.epoch)).await.unwrap();
    // Done again, as after a time-out: it is known to be there.
    first.append(append(seq, begun.epoch)).await.unwrap();
    let taken = second.take(run, owner, begun.epoch).await.unwrap();
    let late = first.append(append(seq + 1, begun.epoch)).await;
    assert_eq!(late, Err(StoreError::NotOwner { current: taken.epoch }));
    second.append(append(seq + 1, taken.epoch)).await.unwrap();
    second.append(append(seq + 2, taken.epoch)).await.unwrap();
    assert_eq!(first.run(run).await.unwrap().seq, seq + 3);
    // The first writer goes on with other runs, its connection is in order.
    first.create(plain_run(run_id(2))).await.unwrap();
    first
        .append({
            let mut other = plain_append(run_id(2), seq);
            other.epoch = 1;
            other
        })
        .await
        .unwrap();
}

/// A key of a forgotten run may be another run's later.
#[tokio::test]
async fn a_key_that_is_used_again_is_no_run_that_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()).await.unwrap(), open(dir.path()).await.unwrap());
    first.create(plain_run(run_id(1))).await.unwrap();
    let seq = first.run(run_id(1)).await.unwrap().seq;
    second.forget(run_id(1)).await.unwrap();
    second.create(plain_run(run_id(2))).await.unwrap();
    let mut append = plain_append(run_id(1), seq);
    append.epoch = 1;
    assert_eq!(first.append(append).await, Err(StoreError::NoRun(run_id(1))));
    assert_eq!(first.run(run_id(2)).await.unwrap().seq, seq);
}

#[tokio::test]
async fn runs_of_older_tables_say_when_they_began() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    for n in 1..3 {
        store.create(plain_run(run_id(n))).await.unwrap();
    }
    store.close().await;
    let mut conn = raw(dir.path()).await;
    execute(&mut conn, "DELETE FROM events WHERE json_extract(event, '$.type') = 'run_started'").await;
    execute(&mut conn, "INSERT INTO events VALUES (1, 90, 123, 1, '{\"type\":\"run_started\"}')").await;
    execute(&mut conn, "DROP INDEX runs_pipeline_failed; DROP INDEX runs_pipeline_cancelled").await;
    execute(&mut conn, "ALTER TABLE runs DROP COLUMN started_at; PRAGMA user_version = 3").await;
    drop(conn);
    let store = open(dir.path()).await.unwrap();
    let began = async |n| store.run(run_id(n)).await.unwrap().started_at;
    assert_eq!((began(1).await, began(2).await), (Some(Timestamp::from_micros(123)), None));
}
