use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use millwork_engine::{
    model::{Clock, SystemClock},
    store::{Durability, MemoryStore, RunReader, RunWriter, SqliteStore, StoreError},
};
use millwork_testkit::{
    FaultKind, FaultPlan, FaultyStore,
    store_suite::{self, Store, append, new_run, run_id},
};
use tempfile::TempDir;

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

async fn open(home: &std::path::Path) -> SqliteStore {
    SqliteStore::open(home, Durability::Process, clock()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    store_suite::run_all(|| async { Arc::new(MemoryStore::new(clock())) as Store }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let (dir, next) = (TempDir::new().unwrap(), AtomicUsize::new(0));
    let make = || async {
        let home = dir.path().join(next.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(open(&home).await) as Store
    };
    store_suite::run_all(make).await;
}

#[tokio::test]
async fn a_faulty_store_without_faults_conforms() {
    let plan = FaultPlan { seed: 1, ..FaultPlan::default() };
    let make = || async { Arc::new(FaultyStore::new(MemoryStore::new(clock()), plan.clone())) as Store };
    store_suite::run_all(make).await;
}

/// What the driver of a run does about `Unknown`: the same again.
#[tokio::test]
async fn appends_survive_planned_faults() {
    for seed in 0..20 {
        let shares = vec![(FaultKind::Timeout, 0.2), (FaultKind::DoneButTimeout, 0.2), (FaultKind::Unavailable, 0.1)];
        let store = FaultyStore::new(MemoryStore::new(clock()), FaultPlan { seed, shares, ..FaultPlan::default() });
        while store.create(new_run(1, "p")).await.is_err() {}
        for after in 2..50 {
            while store.append(append(run_id(1), after)).await.is_err() {}
        }
        let held = store.inner().events(run_id(1), 0, 99).await.unwrap();
        assert_eq!(held.len(), 50, "seed {seed}");
        store.fail_next(FaultKind::NotOwner);
        let refused = store.append(append(run_id(1), 50)).await;
        assert_eq!(refused, Err(StoreError::NotOwner { current: 2 }), "seed {seed}");
    }
}

/// Three stores on one file stand for three processes: nobody ever hears "locked", nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_share_a_file() {
    let dir = TempDir::new().unwrap();
    let (a, b, c) = tokio::join!(open(dir.path()), open(dir.path()), open(dir.path()));
    let stores = [a, b, c];
    let tasks = (0..48_u64).map(|n| {
        let (store, other) = (stores[n as usize % 3].clone(), stores[(n as usize + 1) % 3].clone());
        tokio::spawn(async move {
            let run = store.create(new_run(n, "p")).await.unwrap();
            for after in 2..32 {
                store.append(append(run, after)).await.unwrap();
                assert_eq!(other.run(run).await.unwrap().seq, after + 1, "others see it once it is committed");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    for n in 0..48 {
        assert_eq!(stores[0].run(run_id(n)).await.unwrap().seq, 32);
    }
    for store in stores {
        store.close().await;
        assert!(store.run(run_id(1)).await.is_err(), "closed");
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).await;
    store.create(new_run(1, "p")).await.unwrap();
    store.close().await;
    assert!(matches!(store.append(append(run_id(1), 2)).await, Err(StoreError::Broken(_))));
    let store = open(dir.path()).await;
    assert_eq!(store.append(append(run_id(1), 2)).await.unwrap().seq, 3);
}

/// A pipeline of four commits, 64 in flight. The figure is for `BENCHMARKS.md`; run it with
/// `cargo test -p millwork-testkit --test it -- --ignored --nocapture throughput`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
async fn throughput() {
    const PIPELINES: u64 = 4_000;
    for durability in [Durability::Process, Durability::Power] {
        let dir = tempfile::tempdir_in(".").unwrap();
        let store = SqliteStore::open(dir.path(), durability, clock()).await.unwrap();
        let next = Arc::new(std::sync::atomic::AtomicU64::new(1));
        let begin = std::time::Instant::now();
        let tasks = (0..64).map(|_| {
            let (store, next) = (store.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n > PIPELINES {
                        break;
                    }
                    let run = store.create(new_run(n, "p")).await.unwrap();
                    for after in 2..5 {
                        store.append(append(run, after)).await.unwrap();
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let rate = PIPELINES as f64 / begin.elapsed().as_secs_f64();
        let time = millwork_engine::store::bench::commit_time(dir.path(), 300, durability).await.unwrap();
        println!("{durability:?}: {rate:.0} pipelines/s; medians {time:?}");
    }
}

/// What an item takes on disk beside its outputs.
#[tokio::test]
async fn items_are_small_on_disk() {
    use millwork_engine::{
        model::{NodeIx, event::ItemOutcome},
        store::{Append, ItemRow},
    };
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).await;
    let run = store.create(new_run(1, "p")).await.unwrap();
    let row = |item| ItemRow {
        node: NodeIx(300),
        item,
        outcome: ItemOutcome::Succeeded,
        attempts: 1,
        outputs: Some(serde_json::json!({"x": 1})),
        fault: None,
    };
    // One commit of more rows than a statement can have.
    let items = (0..20_000).map(row).collect();
    store.append(Append { items, ..append(run, 2) }).await.unwrap();
    store.close().await;
    let bytes = std::fs::metadata(dir.path().join("state.db")).unwrap().len();
    assert!(bytes / 20_000 < 60, "{} bytes an item", bytes / 20_000);
}
