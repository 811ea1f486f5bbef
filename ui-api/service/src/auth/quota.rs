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

    /// Counts up to `most` runs while they are started; `new` says how many there are of them then. What is refused for
    /// another reason does not count. Where the process or the request ends meanwhile, `most` are counted.
    pub async fn counted<T, E: From<Denied>>(
        &self,
        who: &Principal,
        most: u32,
        start: impl Future<Output = Result<T, E>>,
        new: impl FnOnce(&T) -> u32,
    ) -> Result<T, E> {
        self.take(who, most).await?;
        let started = start.await;
        let unused = most.saturating_sub(started.as_ref().map_or(0, new));
        if unused > 0 {
            self.give_back(who, unused).await?;
        }
        started
    }

    /// Takes runs out of a quota before they are started, or says what is left and when the next day begins.
    async fn take(&self, who: &Principal, runs: u32) -> Result<(), Denied> {
        let Some(limit) = who.runs_per_day else { return Ok(()) };
        let sum = |used: Used| used.runs.checked_add(runs).filter(|sum| *sum <= limit);
        let refusal = |used: Used, retry_after| {
            let left = limit.saturating_sub(used.runs);
            Denied::Quota { limit, left, retry_after }
        };
        self.change(who, |used, rest| sum(used).ok_or_else(|| refusal(used, rest))).await
    }

    /// Gives runs back that were not started after all.
    async fn give_back(&self, who: &Principal, runs: u32) -> Result<(), Denied> {
        if who.runs_per_day.is_none() {
            return Ok(());
        }
        self.change(who, |used, _| Ok(used.runs.saturating_sub(runs))).await
    }

    async fn change(
        &self,
        who: &Principal,
        decide: impl Fn(Used, Duration) -> Result<u32, Denied>,
    ) -> Result<(), Denied> {
        let key = format!("quota/{}", who.id);
        loop {
            let (day, left) = today(self.clock.now());
            let found = self.store.record(RecordKind::Cursor, &key).await?;
            let when = found.as_ref().map_or(When::Absent, |found| When::Version(found.version));
            let used = found.and_then(|found| serde_json::from_value::<Used>(found.value).ok()).unwrap_or_default();
            let used = if used.day == day { used } else { Used { day, runs: 0 } };
            let runs = decide(used, left)?;
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
        let taken = join_all((0..50).map(|_| quotas.take(&token, 1))).await;
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 20);
        let refused = |left| Err(Denied::Quota { limit: 20, left, retry_after: Duration::from_hours(12) });
        assert_eq!(quotas.take(&token, 1).await, refused(0));
        quotas.give_back(&token, 1).await.expect("given back");
        assert_eq!(quotas.take(&token, 2).await, refused(1));
        assert_eq!((quotas.take(&token, 1).await, quotas.take(&token, 1).await), (Ok(()), refused(0)));
        clock.advance(Duration::from_hours(12));
        assert_eq!(quotas.take(&token, 20).await, Ok(()));
    }

    #[tokio::test]
    async fn what_was_not_started_does_not_count() {
        let (quotas, _) = quotas(0);
        let token = token(Some(10));
        let counted = async |most, started: Result<u32, Denied>| {
            quotas.counted(&token, most, async { started }, |new| *new).await
        };
        assert_eq!(counted(8, Ok(3)).await, Ok(3));
        assert_eq!(counted(7, Err(Denied::Csrf)).await, Err(Denied::Csrf));
        assert_eq!(counted(7, Ok(7)).await, Ok(7));
        assert!(counted(u32::MAX, Ok(1)).await.is_err());
        assert!(counted(1, Ok(1)).await.is_err());
    }

    #[tokio::test]
    async fn without_a_quota_nothing_is_counted() {
        let (quotas, _) = quotas(0);
        for _ in 0..3 {
            quotas.take(&token(None), 1).await.expect("no limit");
        }
        assert_eq!(quotas.take(&token(Some(1)), 1).await, Ok(()));
    }
}
