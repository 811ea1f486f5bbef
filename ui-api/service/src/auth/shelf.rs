//! Records of one kind, read as a type and remembered for a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use millwork_engine::{
    model::Timestamp,
    store::{RecordKind, StateStore, StoreError, When},
};
use serde::{Serialize, de::DeserializeOwned};

/// How long what was read is believed: another process may have changed it meanwhile.
const BELIEVED: Duration = Duration::from_secs(1);
/// How often at most it is written that something was used.
const NOTED: Duration = Duration::from_secs(60);
/// How many records are remembered before those that are not believed any more go.
const REMEMBERED: usize = 1024;
/// How many records are read at once.
const PAGE: u32 = 500;

/// A record as it was read.
#[derive(Debug, Clone)]
pub(super) struct Kept<T> {
    pub(super) key: String,
    pub(super) version: u64,
    pub(super) value: T,
}

#[derive(Debug)]
struct Seen<T> {
    kept: Kept<T>,
    at: Timestamp,
}

#[derive(Debug)]
struct Memory<T> {
    seen: HashMap<String, Seen<T>>,
    /// All of them, as they were then.
    all: Option<(Timestamp, Arc<[Kept<T>]>)>,
    /// Raised by every write: what was read before one and arrives after it is not remembered.
    writes: u64,
}

/// Records of one kind.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    store: Arc<dyn StateStore>,
    kind: RecordKind,
    /// What the keys of its records begin with.
    prefix: &'static str,
    memory: Mutex<Memory<T>>,
}

impl<T: Clone + Serialize + DeserializeOwned> Shelf<T> {
    pub(super) fn new(store: Arc<dyn StateStore>, kind: RecordKind, prefix: &'static str) -> Self {
        Self { store, kind, prefix, memory: Mutex::new(Memory { seen: HashMap::new(), all: None, writes: 0 }) }
    }

    /// A record as it was at most a second ago. What is not there is looked for every time.
    pub(super) async fn recent(&self, key: &str, now: Timestamp) -> Result<Option<Kept<T>>, StoreError> {
        let believed = |seen: &Seen<T>| is_believed(seen.at, now);
        let writes = {
            let memory = self.memory();
            if let Some(seen) = memory.seen.get(key).filter(|seen| believed(seen)) {
                return Ok(Some(seen.kept.clone()));
            }
            memory.writes
        };
        let found = self.now(key).await?;
        let mut memory = self.memory();
        match &found {
            Some(kept) if memory.writes == writes => {
                if memory.seen.len() >= REMEMBERED {
                    memory.seen.retain(|_, seen| believed(seen));
                }
                memory.seen.insert(key.to_owned(), Seen { kept: kept.clone(), at: now });
            }
            Some(_) => {}
            None => drop(memory.seen.remove(key)),
        }
        Ok(found)
    }

    /// A record as it is.
    pub(super) async fn now(&self, key: &str) -> Result<Option<Kept<T>>, StoreError> {
        let found = self.store.record(self.kind, key).await?;
        found.map(|record| self.read(record.key, record.version, record.value)).transpose()
    }

    /// Writes or removes a record, and forgets what was remembered of it.
    pub(super) async fn put(&self, key: &str, value: Option<&T>, when: When) -> Result<bool, StoreError> {
        let value = value.map(serde_json::to_value).transpose().map_err(|e| StoreError::Broken(e.to_string()))?;
        let done = self.store.put_record(self.kind, key, value, when).await;
        let mut memory = self.memory();
        memory.writes += 1;
        memory.seen.remove(key);
        memory.all = None;
        done
    }

    /// All records as they were at most a second ago.
    pub(super) async fn recent_all(&self, now: Timestamp) -> Result<Arc<[Kept<T>]>, StoreError> {
        let writes = {
            let memory = self.memory();
            if let Some((_, all)) = memory.all.as_ref().filter(|(at, _)| is_believed(*at, now)) {
                return Ok(all.clone());
            }
            memory.writes
        };
        let all: Arc<[_]> = self.all().await?.into();
        let mut memory = self.memory();
        if memory.writes == writes {
            memory.all = Some((now, all.clone()));
        }
        Ok(all)
    }

    /// All records as they are.
    pub(super) async fn all(&self) -> Result<Vec<Kept<T>>, StoreError> {
        let mut out: Vec<Kept<T>> = Vec::new();
        loop {
            let after = out.last().map(|kept| kept.key.clone());
            let page = self.store.records(self.kind, self.prefix, after.as_deref(), PAGE).await?;
            let last = page.len() < PAGE as usize;
            for record in page {
                out.push(self.read(record.key, record.version, record.value)?);
            }
            if last {
                return Ok(out);
            }
        }
    }

    fn read(&self, key: String, version: u64, value: serde_json::Value) -> Result<Kept<T>, StoreError> {
        match serde_json::from_value(value) {
            Ok(value) => Ok(Kept { key, version, value }),
            // What a newer version wrote, or somebody changed: it lets nobody in, and says so.
            Err(e) => Err(StoreError::Broken(format!("the record `{key}` of {:?} is not readable: {e}", self.kind))),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory<T>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what was read at a time is still believed; not so if the clock was set back since.
fn is_believed(at: Timestamp, now: Timestamp) -> bool {
    at <= now && now.since(at) < BELIEVED
}

/// Whether it is time to write that something was used, if that was last written `noted`.
pub(super) fn is_due(noted: Option<Timestamp>, now: Timestamp) -> bool {
    noted.is_none_or(|noted| now.since(noted) >= NOTED)
}

#[cfg(test)]
mod tests {
    use millwork_engine::{
        model::ManualClock,
        store::{MemoryStore, Records as _},
    };

    use super::*;

    const KIND: RecordKind = RecordKind::Cursor;

    fn shelf() -> (Arc<MemoryStore>, Shelf<u32>) {
        let store = Arc::new(MemoryStore::new(Arc::new(ManualClock::default())));
        (store.clone(), Shelf::new(store, KIND, "k"))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    #[tokio::test]
    async fn what_was_read_is_believed_for_a_second() {
        let (store, shelf) = shelf();
        assert!(shelf.recent("a", at(0)).await.unwrap().is_none());
        store.put_record(KIND, "a", Some(1.into()), When::Always).await.unwrap();
        assert_eq!(shelf.recent("a", at(0)).await.unwrap().map(|k| k.value), Some(1), "made by another process");
        store.put_record(KIND, "a", Some(2.into()), When::Always).await.unwrap();
        let table = [(0, 1), (999, 1), (1_000, 2), (-5_000, 2)];
        for (millis, expected) in table {
            assert_eq!(shelf.recent("a", at(millis)).await.unwrap().unwrap().value, expected, "{millis}");
        }
        store.put_record(KIND, "a", Some(3.into()), When::Always).await.unwrap();
        assert_eq!(shelf.recent("a", at(-6_000)).await.unwrap().unwrap().value, 3, "a clock that was set back");
        store.put_record(KIND, "a", None, When::Always).await.unwrap();
        assert!(shelf.recent("a", at(0)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_this_process_writes_shows_at_once() {
        let (_, shelf) = shelf();
        assert!(shelf.put("a", Some(&1), When::Absent).await.unwrap());
        let kept = shelf.recent("a", at(0)).await.unwrap().unwrap();
        assert!(shelf.put("a", Some(&2), When::Version(kept.version)).await.unwrap());
        assert_eq!(shelf.recent("a", at(0)).await.unwrap().unwrap().value, 2);
        assert!(!shelf.put("a", Some(&3), When::Version(kept.version)).await.unwrap());
    }

    #[tokio::test]
    async fn all_reads_page_after_page_and_memory_is_bounded() {
        let (_, shelf) = shelf();
        for n in 0..1_100_u32 {
            shelf.put(&format!("k{n:05}"), Some(&n), When::Absent).await.unwrap();
            shelf.recent(&format!("k{n:05}"), at(i64::from(n) * 10)).await.unwrap();
        }
        let all = shelf.all().await.unwrap();
        assert_eq!(all.iter().map(|kept| kept.value).collect::<Vec<_>>(), (0..1_100).collect::<Vec<_>>());
        assert!(shelf.memory().seen.len() < 200, "{}", shelf.memory().seen.len());
    }

    #[tokio::test]
    async fn a_list_is_believed_for_a_second_unless_this_process_writes() {
        let (store, shelf) = shelf();
        let count = async |millis| shelf.recent_all(at(millis)).await.unwrap().len();
        assert_eq!(count(0).await, 0);
        store.put_record(KIND, "k1", Some(1.into()), When::Always).await.unwrap();
        store.put_record(KIND, "other", Some(1.into()), When::Always).await.unwrap();
        assert_eq!((count(999).await, count(1_000).await), (0, 1));
        shelf.put("k2", Some(&2), When::Absent).await.unwrap();
        assert_eq!((count(1_000).await, count(-1).await), (2, 2));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error() {
        let (store, shelf) = shelf();
        store.put_record(KIND, "a", Some("x".into()), When::Always).await.unwrap();
        assert!(matches!(shelf.recent("a", at(0)).await, Err(StoreError::Broken(_))));
    }

    #[test]
    fn uses_are_written_once_a_minute() {
        let table = [(None, 0, true), (Some(0), 59_999, false), (Some(0), 60_000, true), (Some(90_000), 0, false)];
        for (noted, now, due) in table {
            assert_eq!(is_due(noted.map(at), at(now)), due, "{noted:?} {now}");
        }
    }
}
