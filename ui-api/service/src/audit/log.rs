//! Writing to the audit log.

use std::sync::Arc;

use millwork_engine::{
    model::Clock,
    store::{AuditEntry, StateStore, StoreError},
};
use serde_json::Value as Json;

use super::{
    Action,
    redact::{ellipsis, masked, redacted},
};

/// The most of an actor's or a target's text.
const NAME: usize = 512;

/// The audit log of a state.
#[derive(Debug, Clone)]
pub struct Audit {
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
}

impl Audit {
    /// The actor of what the service does by itself. No token can have this name.
    pub const SERVICE: &'static str = "service";

    /// The log of a state.
    pub fn new(store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Writes who did what to what, and gives the entry's number. Of the detail, what is named like a secret is
    /// left out, and long texts are cut: it is never more than 4 KiB.
    pub async fn record(&self, actor: &str, action: Action, target: &str, detail: Json) -> Result<u64, StoreError> {
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: ellipsis(&masked(actor), NAME),
            action: action.as_str().to_owned(),
            target: ellipsis(&masked(target), NAME),
            detail: redacted(detail),
        };
        self.store.audit(entry).await
    }
}

#[cfg(test)]
mod tests {
    use millwork_engine::{
        model::{ManualClock, Timestamp},
        store::{AuditLog as _, Durability, MemoryStore, SqliteStore},
    };
    use serde_json::json;

    use super::*;
    use crate::audit::verify;

    #[tokio::test]
    async fn what_was_done_is_written_in_order_and_without_secrets() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(7)));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let audit = Audit::new(store.clone(), clock.clone());
        let begin = audit.record("ana", Action::SessionBegin, "web", json!({"password": "x"})).await.unwrap();
        clock.set(Timestamp::from_micros(8));
        let cancel = audit.record("ana", Action::RunCancel, &"r".repeat(9_000), Json::Null).await.unwrap();
        assert_eq!((begin, cancel), (1, 2));
        let rows = store.audited(0, 10).await.unwrap();
        let [first, second] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((first.entry.at.as_micros(), first.entry.action.as_str()), (7, "session.begin"));
        assert_eq!((first.entry.actor.as_str(), &first.entry.detail), ("ana", &json!({"password": "***"})));
        assert_eq!((second.entry.at.as_micros(), second.entry.target.len()), (8, NAME));
        assert!(!first.text.contains('x'));
        assert_eq!(verify(&*store).await.unwrap().entries, 2);
    }

    #[tokio::test]
    async fn a_log_on_disk_is_verified_too() {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(SqliteStore::open(home.path(), Durability::Process, clock.clone()).await.unwrap());
        let audit = Audit::new(store.clone(), clock);
        for n in 1..=12_u32 {
            let detail = json!({"n": n, "share": f64::from(n) / 7.0, "why": "é\n\u{1}"});
            audit.record(Audit::SERVICE, Action::RunStart, "run", detail).await.unwrap();
        }
        let verified = verify(&*store).await.unwrap();
        assert_eq!((verified.entries, verified.head), (12, store.audited(11, 1).await.unwrap()[0].hash));
    }
}
