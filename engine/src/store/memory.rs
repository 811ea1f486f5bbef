use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::sync::watch;

use super::{
    Append, CacheEntry, Committed, Doomed, ItemFilter, ItemRow, ItemView, NewRun, OwnerRecord, Request, RequestKind,
    Requests, RunFilter, RunLog, RunReader, RunView, RunWriter, Scope, StepView, StoreError,
    ledger::{self, Line},
    named,
};
use crate::{
    graph::Bundle,
    model::{
        ArtifactId, Clock, Digest, Event, Fault, NodeIx, OwnerId, Recorded, RunId, RunStatus, StepStatus, Timestamp,
        event::StoredOutputs,
    },
    step::{Entry, JournalKey, JournalStore, Reservation, Resource, Settlement},
};

mod budgets;
mod service;

/// State in memory, for simulations and tests: the same promises as on disk, but for durability.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    committed: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    runs: BTreeMap<RunId, Run>,
    children: HashMap<(RunId, NodeIx, Option<u32>), RunId>,
    keys: HashMap<String, RunId>,
    bundles: HashMap<Digest, Bundle>,
    outputs: HashMap<Digest, String>,
    cache: HashMap<Digest, CacheEntry>,
    state: BTreeMap<(String, String), Json>,
    requests: Vec<Request>,
    last_request: i64,
    journal: BTreeMap<(RunId, Place), Part>,
    scopes: HashMap<String, String>,
    ledger: BTreeMap<(String, Resource), Line>,
    service: service::Service,
}

type Place = (Option<NodeIx>, Option<u32>, String);

struct Run {
    pipeline: String,
    revision: Digest,
    parent: Option<(RunId, NodeIx, Option<u32>)>,
    status: RunStatus,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    owner: OwnerRecord,
    events: Vec<Recorded>,
    steps: BTreeMap<NodeIx, StepStatus>,
    items: BTreeMap<(NodeIx, u32), ItemRow>,
    outputs: BTreeSet<Digest>,
    snapshot: Option<(u64, Vec<u8>)>,
}

struct Part {
    request: Digest,
    reserved: Reservation,
    result: Option<Json>,
}

impl MemoryStore {
    /// An empty store that tells the time by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, inner: Mutex::default(), committed: watch::channel(0).0 }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("runs", &self.lock().runs.len()).finish_non_exhaustive()
    }
}

impl Inner {
    fn run(&self, run: RunId) -> Result<&Run, StoreError> {
        self.runs.get(&run).ok_or(StoreError::NoRun(run))
    }

    fn run_mut(&mut self, run: RunId) -> Result<&mut Run, StoreError> {
        self.runs.get_mut(&run).ok_or(StoreError::NoRun(run))
    }

    /// The scopes of a journal key, and all that they are nested in.
    fn chain(&self, key: &JournalKey) -> Vec<String> {
        let mut chain = Scope::of(key);
        let mut next = 0;
        while let Some(scope) = chain.get(next) {
            let within = self.scopes.get(scope).filter(|within| !chain.contains(within)).cloned();
            chain.extend(within);
            next += 1;
        }
        chain
    }

    fn settle(&mut self, key: &JournalKey, reserved: &Reservation, settle: &Settlement) {
        for scope in self.chain(key) {
            for (resource, free, spent) in ledger::settled(reserved, settle) {
                let line = self.ledger.entry((scope.clone(), resource)).or_default();
                line.reserved = line.reserved.saturating_sub(free);
                line.settled = line.settled.saturating_add(spent);
            }
        }
    }
}

fn place(key: &JournalKey) -> (RunId, Place) {
    (key.run, (key.node, key.item, key.key.clone()))
}

impl Run {
    fn seq(&self) -> u64 {
        self.events.len() as u64
    }

    fn holds(&self, after: u64, events: &[Recorded]) -> bool {
        let from = after as usize;
        self.events.get(from..from + events.len()).is_some_and(|held| held == events)
    }

    fn stands(&mut self, status: RunStatus) {
        self.status = status;
        self.ended_at = if status.is_final() { self.events.last().map(|e| e.at) } else { None };
    }

    fn view(&self, id: RunId) -> RunView {
        RunView {
            id,
            pipeline: self.pipeline.clone(),
            revision: self.revision,
            status: self.status,
            parent: self.parent.map(|(run, ..)| run),
            created_at: self.created_at,
            started_at: self.events.iter().find(|e| matches!(e.event, Event::RunStarted)).map(|e| e.at),
            ended_at: self.ended_at,
            seq: self.seq(),
            epoch: self.owner.epoch,
        }
    }
}

#[async_trait]
impl RunWriter for MemoryStore {
    async fn create(&self, new: NewRun) -> Result<RunId, StoreError> {
        super::append::numbered(0, &new.events)?;
        let now = self.clock.now();
        let mut inner = self.lock();
        if let Some(child) = new.parent.and_then(|parent| inner.children.get(&parent)) {
            return Ok(*child);
        }
        if let Some(run) = new.key.as_ref().and_then(|key| inner.keys.get(key)) {
            return Ok(*run);
        }
        if let Some(run) = inner.runs.get(&new.id) {
            let same = run.holds(0, &new.events);
            return if same { Ok(new.id) } else { Err(StoreError::Conflict { expected: 0, current: run.seq() }) };
        }
        let revision = new.bundle.revision();
        inner.bundles.entry(revision).or_insert(new.bundle);
        if let Some(parent) = new.parent {
            inner.children.insert(parent, new.id);
            inner.scopes.extend(Scope::Run(new.id).links(&Scope::Step(parent.0, parent.1)));
        }
        if let Some(key) = new.key {
            inner.keys.insert(key, new.id);
        }
        let mut run = Run {
            pipeline: new.pipeline,
            revision,
            parent: new.parent,
            status: new.status,
            created_at: new.events.first().map_or(now, |e| e.at),
            ended_at: None,
            owner: OwnerRecord { owner: new.owner, epoch: 1 },
            outputs: new.events.iter().flat_map(|e| named::rows_of(&e.event)).collect(),
            events: new.events,
            steps: BTreeMap::new(),
            items: BTreeMap::new(),
            snapshot: None,
        };
        run.stands(new.status);
        inner.service.wrote(new.id, &run.events);
        inner.runs.insert(new.id, run);
        drop(inner);
        self.committed.send_modify(|commits| *commits += 1);
        Ok(new.id)
    }

    async fn append(&self, append: Append) -> Result<Committed, StoreError> {
        super::append::numbered(append.after, &append.events)?;
        let at = self.clock.now();
        let mut guard = self.lock();
        let inner = &mut *guard;
        let run = inner.runs.get_mut(&append.run).ok_or(StoreError::NoRun(append.run))?;
        if run.owner.epoch != append.epoch {
            return Err(StoreError::NotOwner { current: run.owner.epoch });
        }
        if run.seq() != append.after {
            let same = !append.events.is_empty() && run.holds(append.after, &append.events);
            let conflict = StoreError::Conflict { expected: append.after, current: run.seq() };
            return if same { Ok(Committed { seq: run.seq(), at }) } else { Err(conflict) };
        }
        run.outputs.extend(append.events.iter().flat_map(|e| named::rows_of(&e.event)));
        run.outputs.extend(append.outputs.iter().map(|row| row.digest));
        inner.service.wrote(append.run, &append.events);
        run.events.extend(append.events);
        run.stands(append.status);
        run.steps.extend(append.steps);
        run.items.extend(append.items.into_iter().map(|row| ((row.node, row.item), row)));
        if let Some(snapshot) = append.snapshot {
            run.snapshot = Some((run.seq(), snapshot));
        }
        for (name, value) in append.state {
            inner.state.insert((run.pipeline.clone(), name.to_string()), value);
        }
        inner.outputs.extend(append.outputs.into_iter().map(|row| (row.digest, row.json)));
        let seq = run.seq();
        drop(guard);
        self.committed.send_modify(|commits| *commits += 1);
        Ok(Committed { seq, at })
    }

    async fn take(&self, run: RunId, owner: OwnerId, after: u64) -> Result<OwnerRecord, StoreError> {
        let mut inner = self.lock();
        let run = inner.run_mut(run)?;
        if run.owner.epoch != after {
            return Err(StoreError::NotOwner { current: run.owner.epoch });
        }
        run.owner = OwnerRecord { owner, epoch: run.owner.epoch + 1 };
        Ok(run.owner)
    }

    async fn forget(&self, run: RunId) -> Result<(), StoreError> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.run(run)?;
        inner.runs.remove(&run);
        inner.service.forget(run);
        inner.children.retain(|_, child| *child != run);
        inner.keys.retain(|_, of| *of != run);
        inner.journal.retain(|(of, _), _| *of != run);
        inner.requests.retain(|request| request.run != run);
        let (own, steps) = (run.to_string(), format!("{run}/"));
        inner.ledger.retain(|(scope, _), _| *scope != own && !scope.starts_with(&steps));
        inner.scopes.retain(|scope, _| *scope != own && !scope.starts_with(&steps));
        Ok(())
    }

    async fn sweep(&self, cached_before: Option<RunId>) -> Result<u64, StoreError> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.cache.retain(|_, entry| cached_before.is_none_or(|oldest| entry.run >= oldest));
        let before = inner.bundles.len() + inner.outputs.len();
        let bundles: BTreeSet<Digest> = inner.runs.values().map(|run| run.revision).collect();
        let mut rows: BTreeSet<Digest> = inner.runs.values().flat_map(|run| run.outputs.iter().copied()).collect();
        rows.extend(inner.cache.values().filter_map(|entry| match entry.outputs {
            StoredOutputs::Row { digest } => Some(digest),
            _ => None,
        }));
        inner.bundles.retain(|digest, _| bundles.contains(digest));
        inner.outputs.retain(|digest, _| rows.contains(digest));
        Ok((before - inner.bundles.len() - inner.outputs.len()) as u64)
    }

    async fn cache(&self, fingerprint: Digest, entry: CacheEntry) -> Result<(), StoreError> {
        self.lock().cache.insert(fingerprint, entry);
        Ok(())
    }
}

#[async_trait]
impl RunReader for MemoryStore {
    async fn run(&self, run: RunId) -> Result<RunView, StoreError> {
        Ok(self.lock().run(run)?.view(run))
    }

    async fn owner(&self, run: RunId) -> Result<OwnerRecord, StoreError> {
        Ok(self.lock().run(run)?.owner)
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunView>, StoreError> {
        let wanted = |run: &RunView| {
            filter.pipeline.as_ref().is_none_or(|name| *name == run.pipeline)
                && (filter.statuses.is_empty() || filter.statuses.contains(&run.status))
                && (filter.parent.is_none() || filter.parent == run.parent)
                && (!filter.top || run.parent.is_none())
                && filter.since.is_none_or(|since| run.id >= since)
                && filter.after.is_none_or(|after| run.id < after.0)
        };
        let inner = self.lock();
        let newest = inner.runs.iter().rev().map(|(id, run)| run.view(*id));
        Ok(newest.filter(wanted).take(filter.limit as usize).collect())
    }

    async fn steps(&self, run: RunId) -> Result<Vec<StepView>, StoreError> {
        let inner = self.lock();
        Ok(inner.run(run)?.steps.iter().map(|(node, status)| StepView { node: *node, status: *status }).collect())
    }

    async fn log(&self, run: RunId) -> Result<RunLog, StoreError> {
        let inner = self.lock();
        let run = inner.run(run)?;
        let from = run.snapshot.as_ref().map_or(0, |(seq, _)| *seq as usize);
        let state = inner.state.iter().filter(|((pipeline, _), _)| *pipeline == run.pipeline);
        Ok(RunLog {
            snapshot: run.snapshot.clone(),
            events: run.events[from..].to_vec(),
            state: state.map(|((_, name), value)| (name.clone(), value.clone())).collect(),
        })
    }

    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        let inner = self.lock();
        Ok(inner.run(run)?.events.iter().skip(after as usize).take(limit as usize).cloned().collect())
    }

    async fn items(&self, run: RunId, node: NodeIx, filter: &ItemFilter) -> Result<Vec<ItemView>, StoreError> {
        let inner = self.lock();
        let rows = inner.run(run)?.items.range((node, filter.from)..=(node, u32::MAX)).map(|(_, row)| row);
        let rows = rows.filter(|row| filter.outcome.is_none_or(|outcome| row.outcome == outcome));
        Ok(rows.take(filter.limit as usize).cloned().collect())
    }

    async fn outputs(&self, digest: Digest) -> Result<String, StoreError> {
        let missing = || StoreError::Broken(format!("the outputs {digest} are not there"));
        self.lock().outputs.get(&digest).cloned().ok_or_else(missing)
    }

    async fn bundle(&self, revision: Digest) -> Result<Bundle, StoreError> {
        let missing = || StoreError::Broken(format!("the revision {revision} is not there"));
        self.lock().bundles.get(&revision).cloned().ok_or_else(missing)
    }

    async fn run_of_key(&self, key: &str) -> Result<Option<RunId>, StoreError> {
        Ok(self.lock().keys.get(key).copied())
    }

    async fn cached(&self, fingerprint: Digest) -> Result<Option<CacheEntry>, StoreError> {
        Ok(self.lock().cache.get(&fingerprint).cloned())
    }

    async fn state(&self, pipeline: &str) -> Result<Vec<(String, Json)>, StoreError> {
        let inner = self.lock();
        let state = inner.state.iter().filter(|((of, _), _)| of == pipeline);
        Ok(state.map(|((_, name), value)| (name.clone(), value.clone())).collect())
    }

    async fn live_artifacts(&self, without: &Doomed) -> Result<Vec<ArtifactId>, StoreError> {
        fn mark(found: &mut BTreeSet<ArtifactId>, what: &impl serde::Serialize) {
            named::artifacts_in(&serde_json::to_vec(what).unwrap_or_default(), found);
        }
        let mut found = BTreeSet::new();
        let inner = self.lock();
        let mut rows = BTreeSet::new();
        for (_, run) in inner.runs.iter().filter(|(id, _)| !without.runs.contains(id)) {
            run.events.iter().for_each(|event| mark(&mut found, &event.event));
            run.items.values().for_each(|item| mark(&mut found, &(&item.outputs, &item.fault)));
            rows.extend(run.outputs.iter().copied());
        }
        let oldest = without.cached_before;
        for entry in inner.cache.values().filter(|entry| oldest.is_none_or(|oldest| entry.run >= oldest)) {
            mark(&mut found, &entry.outputs);
            if let StoredOutputs::Row { digest } = entry.outputs {
                rows.insert(digest);
            }
        }
        let texts = inner.outputs.iter().filter(|(digest, _)| rows.contains(digest));
        texts.for_each(|(_, text)| named::artifacts_in(text.as_bytes(), &mut found));
        let parts = inner.journal.iter().filter(|((run, _), _)| !without.runs.contains(run));
        parts.for_each(|(_, part)| mark(&mut found, &part.result));
        inner.state.values().for_each(|value| mark(&mut found, value));
        Ok(found.into_iter().collect())
    }
}

#[async_trait]
impl Requests for MemoryStore {
    async fn request(&self, run: RunId, kind: RequestKind, by: &str, at: Timestamp) -> Result<i64, StoreError> {
        let mut inner = self.lock();
        inner.run(run)?;
        inner.last_request += 1;
        let id = inner.last_request;
        inner.requests.push(Request { id, run, kind, by: by.to_owned(), at });
        Ok(id)
    }

    async fn requests(&self, run: RunId, after: i64) -> Result<Vec<Request>, StoreError> {
        let inner = self.lock();
        Ok(inner.requests.iter().filter(|r| r.run == run && r.id > after).cloned().collect())
    }
}

#[async_trait]
impl JournalStore for MemoryStore {
    async fn entry(&self, key: &JournalKey) -> Result<Entry, Fault> {
        Ok(match self.lock().journal.get(&place(key)) {
            None => Entry::Absent,
            Some(Part { request, result: None, .. }) => Entry::Intended { request: *request },
            Some(Part { request, result: Some(result), .. }) => {
                Entry::Done { request: *request, result: result.clone() }
            }
        })
    }

    async fn intend(&self, key: &JournalKey, request: Digest, reserve: &Reservation, epoch: u64) -> Result<(), Fault> {
        let mut inner = self.lock();
        let current = inner.run(key.run)?.owner.epoch;
        if current != epoch {
            return Err(StoreError::NotOwner { current }.into());
        }
        if let Some(part) = inner.journal.get(&place(key)) {
            return if part.request == request { Ok(()) } else { Err(ledger::changed(key)) };
        }
        let (chain, amounts) = (inner.chain(key), ledger::totals(&reserve.0));
        let lines = chain.iter().flat_map(|scope| amounts.iter().map(move |(resource, n)| (scope, *resource, *n)));
        for (scope, resource, amount) in lines.clone() {
            let line = inner.ledger.get(&(scope.clone(), resource)).copied().unwrap_or_default();
            if !line.fits(amount) {
                return Err(ledger::exceeded(scope, resource, amount, line));
            }
        }
        for (scope, resource, amount) in lines {
            let line = inner.ledger.entry((scope.clone(), resource)).or_default();
            line.reserved = line.reserved.saturating_add(amount);
        }
        inner.journal.insert(place(key), Part { request, reserved: Reservation(amounts), result: None });
        Ok(())
    }

    async fn finish(&self, key: &JournalKey, request: Digest, result: &Json, settle: &Settlement) -> Result<(), Fault> {
        let mut inner = self.lock();
        inner.run(key.run)?;
        let reserved = match inner.journal.get(&place(key)) {
            Some(part) if part.request != request => return Err(ledger::changed(key)),
            Some(Part { result: Some(_), .. }) => return Ok(()),
            Some(part) => part.reserved.clone(),
            None => Reservation::default(),
        };
        inner.settle(key, &reserved, settle);
        let part = Part { request, reserved: Reservation::default(), result: Some(result.clone()) };
        inner.journal.insert(place(key), part);
        Ok(())
    }
}
