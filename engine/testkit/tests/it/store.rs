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
    let plan = FaultPlan { seed: 1, shares: Vec::new() };
    let make = || async { Arc::new(FaultyStore::new(MemoryStore::new(clock()), plan.clone())) as Store };
    store_suite::run_all(make).await;
}

/// What the driver of a run does about `Unknown`: the same again.
#[tokio::test]
async fn appends_survive_planned_faults() {
    for seed in 0..20 {
        let shares = vec![(FaultKind::Timeout, 0.2), (FaultKind::DoneButTimeout, 0.2), (FaultKind::Unavailable, 0.1)];
        let store = FaultyStore::new(MemoryStore::new(clock()), FaultPlan { seed, shares });
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
