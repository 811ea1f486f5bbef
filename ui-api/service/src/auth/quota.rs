//! How many runs a token may start a day.

use std::{fmt, sync::Arc, time::Duration};

use millwork_engine::{
    model::{Clock, Timestamp},
    store::{RecordKind, StateStore, When},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Denied, Principal};

const DAY: i64 = 86_400_000_000;

/// What a token has used of its quota; kept, so that a restart gives nothing anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    /// Days since 1970, in UTC.
    day: i64,
    runs: u32,
}

/// Counts the runs that tokens start, where a token has a quota.
#[derive(Clone)]
pub struct Quotas {
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Quotas")
    }
}

impl Quotas {
    /// Over the state.
    pub fn new(store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Counts a run while it is started; one that is refused for another reason does not count.
    pub async fn counted<T, E: From<Denied>>(
        &self,
        who: &Principal,
        start: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.take(who).await?;
        let started = start.await;
        if started.is_err() {
            self.give_back(who).await?;
        }
        started
    }

    /// Takes one run out of a quota before it is started, or says when the next day begins.
    async fn take(&self, who: &Principal) -> Result<(), Denied> {
        let Some(limit) = who.runs_per_day else { return Ok(()) };
        self.change(who, |used, left| if used.runs < limit { Ok(used.runs + 1) } else { Err(left) }).await
    }

    /// Gives a run back that was not started after all.
    async fn give_back(&self, who: &Principal) -> Result<(), Denied> {
        if who.runs_per_day.is_none() {
            return Ok(());
        }
        self.change(who, |used, _| Ok(used.runs.saturating_sub(1))).await
    }

    async fn change(
        &self,
        who: &Principal,
        decide: impl Fn(Used, Duration) -> Result<u32, Duration>,
    ) -> Result<(), Denied> {
        let key = format!("quota/{}", who.id);
        loop {
            let (day, left) = today(self.clock.now());
            let found = self.store.record(RecordKind::Cursor, &key).await?;
            let when = found.as_ref().map_or(When::Absent, |found| When::Version(found.version));
            let used = found.and_then(|found| serde_json::from_value::<Used>(found.value).ok()).unwrap_or_default();
            let used = if used.day == day { used } else { Used { day, runs: 0 } };
            let runs = decide(used, left).map_err(|retry_after| Denied::Quota { retry_after })?;
            // Somebody else may have counted meanwhile.
            if self.store.put_record(RecordKind::Cursor, &key, Some(json!(Used { day, runs })), when).await? {
                return Ok(());
            }
        }
    }
}

/// The day, and what is left of it.
fn today(now: Timestamp) -> (i64, Duration) {
    let micros = now.as_micros();
    let left = DAY - micros.rem_euclid(DAY);
    (micros.div_euclid(DAY), Duration::from_micros(left as u64))
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use millwork_engine::{model::ManualClock, store::MemoryStore};

    use super::*;

    fn quotas(at: i64) -> (Quotas, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(at)));
        (Quotas::new(Arc::new(MemoryStore::new(clock.clone())), clock.clone()), clock)
    }

    fn token(limit: Option<u32>) -> Principal {
        Principal { id: "tok_1".to_owned(), runs_per_day: limit, ..Principal::local() }
    }

    #[tokio::test]
    async fn a_day_has_so_many_runs_and_no_more() {
        let (quotas, clock) = quotas(20_000 * DAY + DAY / 2);
        let token = token(Some(20));
        let taken = join_all((0..50).map(|_| quotas.take(&token))).await;
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 20);
        let refused = Err(Denied::Quota { retry_after: Duration::from_hours(12) });
        assert_eq!(quotas.take(&token).await, refused);
        quotas.give_back(&token).await.expect("given back");
        assert_eq!((quotas.take(&token).await, quotas.take(&token).await), (Ok(()), refused));
        clock.advance(Duration::from_hours(12));
        assert_eq!(quotas.take(&token).await, Ok(()));
    }

    #[tokio::test]
    async fn without_a_quota_nothing_is_counted() {
        let (quotas, _) = quotas(0);
        for _ in 0..3 {
            quotas.take(&token(None)).await.expect("no limit");
        }
        assert_eq!(quotas.take(&token(Some(1))).await, Ok(()));
    }
}
