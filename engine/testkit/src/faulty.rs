//! A store that fails by plan: for tests of what stands on a store.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use millwork_engine::{
    graph::Bundle,
    model::{ArtifactId, Digest, Fault, NodeIx, OwnerId, Recorded, RunId, Timestamp},
    step::{Entry, JournalKey, JournalStore, Reservation, Resource, Settlement},
    store::{
        Append, AuditEntry, AuditLog, AuditRow, Balance, CacheEntry, Committed, Doomed, Feed, FeedPage, ItemFilter,
        ItemView, Ledger, NewRun, OwnerRecord, Record, RecordKind, Records, Request, RequestKind, Requests, RunFilter,
        RunLog, RunReader, RunView, RunWriter, Scope, StateStore, StepView, StoreError, Unsettled, When,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value as Json;
use tokio::sync::watch;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The store says that it cannot; nothing was done.
    Unavailable,
    /// The store does not answer; nothing was done.
    Timeout,
    /// The store does not answer; it was done.
    DoneButTimeout,
    /// Another process is said to own the run; nothing was done. Only appends fail so, others time out.
    NotOwner,
}

/// When calls fail: for each kind, its share of all calls. Reads never fail as if they had been done.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    /// Where the schedule comes from: the same seed and the same calls give the same faults.
    pub seed: u64,
    /// Kinds and their shares, between 0 and 1 together.
    pub shares: Vec<(FaultKind, f64)>,
    /// Whether reads never fail.
    pub spare_reads: bool,
}

/// Passes calls on to `S`, and lets some fail by plan.
pub struct FaultyStore<S> {
    inner: S,
    shares: Vec<(FaultKind, f64)>,
    spare_reads: bool,
    schedule: Mutex<Schedule>,
}

struct Schedule {
    rng: StdRng,
    given: Vec<FaultKind>,
    forced: Vec<FaultKind>,
}

impl<S> FaultyStore<S> {
    /// Fails calls on `inner` by `plan`.
    pub fn new(inner: S, plan: FaultPlan) -> Self {
        let rng = StdRng::seed_from_u64(plan.seed);
        let schedule = Mutex::new(Schedule { rng, given: Vec::new(), forced: Vec::new() });
        Self { inner, shares: plan.shares, spare_reads: plan.spare_reads, schedule }
    }

    /// The store behind, which never fails by plan.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Lets the next write fail so, whatever the plan says.
    pub fn fail_next(&self, kind: FaultKind) {
        self.lock().forced.insert(0, kind);
    }

    /// The faults given so far.
    pub fn given(&self) -> Vec<FaultKind> {
        self.lock().given.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, writes: bool) -> Option<FaultKind> {
        let mut schedule = self.lock();
        let forced = if writes { schedule.forced.pop() } else { None };
        let kind = forced.or_else(|| {
            let mut at: f64 = schedule.rng.random();
            self.shares.iter().find_map(|(kind, share)| {
                at -= share;
                (at < 0.0).then_some(*kind)
            })
        })?;
        schedule.given.push(kind);
        Some(kind)
    }

    fn read(&self) -> Result<(), StoreError> {
        if self.spare_reads {
            return Ok(());
        }
        match self.draw(false) {
            None => Ok(()),
            Some(FaultKind::Unavailable) => Err(unavailable()),
            Some(FaultKind::Timeout | FaultKind::DoneButTimeout | FaultKind::NotOwner) => Err(StoreError::Unknown),
        }
    }

    async fn write<T, E: From<StoreError>>(
        &self,
        epoch: Option<u64>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match (self.draw(true), epoch) {
            (None, _) => call.await,
            (Some(FaultKind::Unavailable), _) => Err(unavailable().into()),
            (Some(FaultKind::NotOwner), Some(epoch)) => Err(StoreError::NotOwner { current: epoch + 1 }.into()),
            (Some(FaultKind::Timeout | FaultKind::NotOwner), _) => Err(StoreError::Unknown.into()),
            (Some(FaultKind::DoneButTimeout), _) => {
                call.await?;
                Err(StoreError::Unknown.into())
            }
        }
    }
}

fn unavailable() -> StoreError {
    StoreError::Broken("it is unavailable, by plan".into())
}

impl<S> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("given", &self.given()).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: StateStore> RunWriter for FaultyStore<S> {
    async fn create(&self, run: NewRun) -> Result<RunId, StoreError> {
        self.write(None, self.inner.create(run)).await
    }
    async fn append(&self, append: Append) -> Result<Committed, StoreError> {
        self.write(Some(append.epoch), self.inner.append(append)).await
    }
    async fn take(&self, run: RunId, owner: OwnerId, after: u64) -> Result<OwnerRecord, StoreError> {
        self.write(None, self.inner.take(run, owner, after)).await
    }
    async fn forget(&self, run: RunId) -> Result<(), StoreError> {
        self.write(None, self.inner.forget(run)).await
    }
    async fn sweep(&self, cached_before: Option<RunId>) -> Result<u64, StoreError> {
        self.write(None, self.inner.sweep(cached_before)).await
    }
    async fn cache(&self, fingerprint: Digest, entry: CacheEntry) -> Result<(), StoreError> {
        self.write(None, self.inner.cache(fingerprint, entry)).await
    }
}

#[async_trait]
impl<S: StateStore> RunReader for FaultyStore<S> {
    async fn run(&self, run: RunId) -> Result<RunView, StoreError> {
        self.read()?;
        self.inner.run(run).await
    }
    async fn owner(&self, run: RunId) -> Result<OwnerRecord, StoreError> {
        self.read()?;
        self.inner.owner(run).await
    }
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunView>, StoreError> {
        self.read()?;
        self.inner.runs(filter).await
    }
    async fn steps(&self, run: RunId) -> Result<Vec<StepView>, StoreError> {
        self.read()?;
        self.inner.steps(run).await
    }
    async fn log(&self, run: RunId) -> Result<RunLog, StoreError> {
        self.read()?;
        self.inner.log(run).await
    }
    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        self.read()?;
        self.inner.events(run, after, limit).await
    }
    async fn items(&self, run: RunId, node: NodeIx, filter: &ItemFilter) -> Result<Vec<ItemView>, StoreError> {
        self.read()?;
        self.inner.items(run, node, filter).await
    }
    async fn outputs(&self, digest: Digest) -> Result<String, StoreError> {
        self.read()?;
        self.inner.outputs(digest).await
    }
    async fn bundle(&self, revision: Digest) -> Result<Bundle, StoreError> {
        self.read()?;
        self.inner.bundle(revision).await
    }
    async fn run_of_key(&self, key: &str) -> Result<Option<RunId>, StoreError> {
        self.read()?;
        self.inner.run_of_key(key).await
    }
    async fn cached(&self, fingerprint: Digest) -> Result<Option<CacheEntry>, StoreError> {
        self.read()?;
        self.inner.cached(fingerprint).await
    }
    async fn state(&self, pipeline: &str) -> Result<Vec<(String, Json)>, StoreError> {
        self.read()?;
        self.inner.state(pipeline).await
    }
    async fn live_artifacts(&self, without: &Doomed) -> Result<Vec<ArtifactId>, StoreError> {
        self.read()?;
        self.inner.live_artifacts(without).await
    }
}

#[async_trait]
impl<S: StateStore> Requests for FaultyStore<S> {
    async fn request(&self, run: RunId, kind: RequestKind, by: &str, at: Timestamp) -> Result<i64, StoreError> {
        self.write(None, self.inner.request(run, kind, by, at)).await
    }
    async fn requests(&self, run: RunId, after: i64) -> Result<Vec<Request>, StoreError> {
        self.read()?;
        self.inner.requests(run, after).await
    }
}

#[async_trait]
impl<S: StateStore> JournalStore for FaultyStore<S> {
    async fn entry(&self, key: &JournalKey) -> Result<Entry, Fault> {
        self.read()?;
        self.inner.entry(key).await
    }
    async fn intend(&self, key: &JournalKey, request: Digest, reserve: &Reservation, epoch: u64) -> Result<(), Fault> {
        self.write(None, self.inner.intend(key, request, reserve, epoch)).await
    }
    async fn finish(&self, key: &JournalKey, request: Digest, result: &Json, settle: &Settlement) -> Result<(), Fault> {
        self.write(None, self.inner.finish(key, request, result, settle)).await
    }
}

#[async_trait]
impl<S: StateStore> Records for FaultyStore<S> {
    async fn record(&self, kind: RecordKind, key: &str) -> Result<Option<Record>, StoreError> {
        self.read()?;
        self.inner.record(kind, key).await
    }
    async fn records(
        &self,
        kind: RecordKind,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        self.read()?;
        self.inner.records(kind, prefix, after, limit).await
    }
    async fn put_record(
        &self,
        kind: RecordKind,
        key: &str,
        value: Option<Json>,
        when: When,
    ) -> Result<bool, StoreError> {
        self.write(None, self.inner.put_record(kind, key, value, when)).await
    }
}

#[async_trait]
impl<S: StateStore> AuditLog for FaultyStore<S> {
    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        self.write(None, self.inner.audit(entry)).await
    }
    async fn audited(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.read()?;
        self.inner.audited(after, limit).await
    }
    async fn audit_head(&self) -> Result<u64, StoreError> {
        self.read()?;
        self.inner.audit_head().await
    }
}

#[async_trait]
impl<S: StateStore> Feed for FaultyStore<S> {
    async fn feed(&self, after: u64, limit: u32) -> Result<FeedPage, StoreError> {
        self.read()?;
        self.inner.feed(after, limit).await
    }
    async fn feed_head(&self) -> Result<u64, StoreError> {
        self.read()?;
        self.inner.feed_head().await
    }
    fn feed_watch(&self) -> watch::Receiver<u64> {
        self.inner.feed_watch()
    }
}

#[async_trait]
impl<S: StateStore> Ledger for FaultyStore<S> {
    async fn set_limit(&self, scope: &Scope, resource: Resource, limit: Option<u64>) -> Result<(), StoreError> {
        self.write(None, self.inner.set_limit(scope, resource, limit)).await
    }
    async fn nest(&self, scope: &Scope, within: &Scope) -> Result<(), StoreError> {
        self.write(None, self.inner.nest(scope, within)).await
    }
    async fn balance(&self, scope: &Scope) -> Result<Vec<Balance>, StoreError> {
        self.read()?;
        self.inner.balance(scope).await
    }
    async fn release(&self, key: &JournalKey) -> Result<(), StoreError> {
        self.write(None, self.inner.release(key)).await
    }
    async fn unsettled(&self, run: RunId) -> Result<Vec<Unsettled>, StoreError> {
        self.read()?;
        self.inner.unsettled(run).await
    }
}
