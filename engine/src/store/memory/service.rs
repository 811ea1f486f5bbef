//! What the service keeps, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::sync::watch;

use super::{
    super::{
        AuditEntry, AuditLog, AuditRow, Feed, FeedCommit, FeedPage, Record, RecordKind, Records, StoreError, When,
    },
    MemoryStore,
};
use crate::model::{Recorded, RunId};

/// Documents, the audit log, and the order of commits.
#[derive(Default)]
pub(super) struct Service {
    records: BTreeMap<(RecordKind, String), (u64, Json)>,
    audit: Vec<AuditRow>,
    commits: BTreeMap<u64, (RunId, u64, u64)>,
    last: u64,
    floor: u64,
}

impl Service {
    /// A run was written: these events.
    pub(super) fn wrote(&mut self, run: RunId, events: &[Recorded]) {
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            self.last += 1;
            self.commits.insert(self.last, (run, first.seq, last.seq));
        }
    }

    pub(super) fn forget(&mut self, run: RunId) {
        let last = self.commits.iter().rev().find(|(_, (of, ..))| *of == run).map_or(0, |(pos, _)| *pos);
        self.floor = self.floor.max(last);
        self.commits.retain(|_, (of, ..)| *of != run);
    }
}

#[async_trait]
impl Records for MemoryStore {
    async fn record(&self, kind: RecordKind, key: &str) -> Result<Option<Record>, StoreError> {
        let inner = self.lock();
        let found = inner.service.records.get(&(kind, key.to_owned()));
        Ok(found.map(|(version, value)| Record { key: key.to_owned(), version: *version, value: value.clone() }))
    }

    async fn records(
        &self,
        kind: RecordKind,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let inner = self.lock();
        let of_kind = inner.service.records.range((kind, prefix.to_owned())..);
        let found = of_kind.take_while(|((of, key), _)| *of == kind && key.starts_with(prefix));
        let found = found.filter(|((_, key), _)| after.is_none_or(|after| key.as_str() > after));
        let record = |((_, key), (version, value)): (&(RecordKind, String), &(u64, Json))| Record {
            key: key.clone(),
            version: *version,
            value: value.clone(),
        };
        Ok(found.take(limit as usize).map(record).collect())
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        key: &str,
        value: Option<Json>,
        when: When,
    ) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        let at = (kind, key.to_owned());
        let version = inner.service.records.get(&at).map(|(version, _)| *version);
        let holds = match when {
            When::Always => true,
            When::Absent => version.is_none(),
            When::Version(wanted) => version == Some(wanted),
        };
        if holds {
            match value {
                Some(value) => drop(inner.service.records.insert(at, (version.unwrap_or(0) + 1, value))),
                None => drop(inner.service.records.remove(&at)),
            }
        }
        Ok(holds)
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        let text = serde_json::to_string(&entry).map_err(|e| StoreError::Broken(e.to_string()))?;
        let mut inner = self.lock();
        let before = inner.service.audit.last().map_or(AuditRow::GENESIS, |row| row.hash);
        let seq = inner.service.audit.len() as u64 + 1;
        let hash = AuditRow::chained(before, seq, &text);
        inner.service.audit.push(AuditRow { seq, entry, text, hash });
        Ok(seq)
    }

    async fn audited(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let inner = self.lock();
        Ok(inner.service.audit.iter().skip(after as usize).take(limit as usize).cloned().collect())
    }

    async fn audit_head(&self) -> Result<u64, StoreError> {
        Ok(self.lock().service.audit.len() as u64)
    }
}

#[async_trait]
impl Feed for MemoryStore {
    async fn feed(&self, after: u64, limit: u32) -> Result<FeedPage, StoreError> {
        let inner = self.lock();
        let commits = inner.service.commits.range(after + 1..).take(limit as usize).filter_map(|(pos, place)| {
            let (id, first, last) = *place;
            let run = inner.runs.get(&id)?;
            let events = run.events.get(first as usize - 1..last as usize)?.to_vec();
            let (pipeline, revision) = (run.pipeline.clone(), run.revision);
            Some(FeedCommit { pos: *pos, run: id, pipeline, revision, events })
        });
        Ok(FeedPage { floor: inner.service.floor, commits: commits.collect() })
    }

    async fn feed_head(&self) -> Result<u64, StoreError> {
        Ok(self.lock().service.last)
    }

    fn feed_watch(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }
}
