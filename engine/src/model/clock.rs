//! Time as an input: whoever needs the time is handed a [`Clock`].

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture};
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time that much later, held at the end of what can be counted.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time that much earlier, held at the beginning of what can be counted.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As a date and time; times beyond chrono's range are held at its ends.
    pub fn to_datetime(self) -> DateTime<Utc> {
        let end = if self.0 < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        DateTime::from_timestamp_micros(self.0).unwrap_or(end)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

/// Something that is ready when its time has come.
pub type Sleep = BoxFuture<'static, ()>;

/// Tells the time, and waits for it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Ready when this much time has passed. Called inside a tokio runtime, whose timer it uses.
    fn sleep(&self, time: Duration) -> Sleep;

    /// Ready when [`Clock::now`] is `at` or later, though the clock was set or the machine slept meanwhile.
    /// Called inside a tokio runtime, whose timer it uses.
    fn until(&self, at: Timestamp) -> Sleep;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// How often a long wait looks at the clock: timers stand still while the machine sleeps.
const LOOK: Duration = Duration::from_secs(15);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Utc::now().into()
    }

    fn sleep(&self, time: Duration) -> Sleep {
        tokio::time::sleep(time).boxed()
    }

    fn until(&self, at: Timestamp) -> Sleep {
        let runtime = Handle::current();
        async move {
            loop {
                let left = at.since(Utc::now().into());
                if left.is_zero() {
                    return;
                }
                let sleep = {
                    let _entered = runtime.enter();
                    tokio::time::sleep(left.min(LOOK))
                };
                sleep.await;
            }
        }
        .boxed()
    }
}

/// A clock that stands still until it is moved, and then wakes whoever waits for a time that has come.
#[derive(Debug, Default)]
pub struct ManualClock {
    dial: Mutex<Dial>,
    /// Told when somebody begins to wait.
    begun: Notify,
}

#[derive(Debug, Default)]
struct Dial {
    now: Timestamp,
    next: u64,
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    /// A clock that shows `at`.
    pub fn new(at: Timestamp) -> Self {
        Self { dial: Mutex::new(Dial { now: at, ..Dial::default() }), begun: Notify::new() }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        let at = self.dial().now.after(by);
        self.set(at);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, at: Timestamp) {
        let mut dial = self.dial();
        dial.now = at;
        let later = dial.sleepers.split_off(&(at.after(Duration::from_micros(1)), 0));
        for sleeper in std::mem::replace(&mut dial.sleepers, later).into_values() {
            // One that gave up waiting does not hear.
            let _ = sleeper.send(());
        }
    }

    /// Waits until `least` wait for this clock, and gives the nearest time that is waited for.
    pub async fn waited_for(&self, least: usize) -> Timestamp {
        loop {
            let begun = self.begun.notified();
            let nearest = {
                let mut dial = self.dial();
                dial.sleepers.retain(|_, sleeper| !sleeper.is_closed());
                let enough = dial.sleepers.len() >= least.max(1);
                dial.sleepers.keys().next().map(|(at, _)| *at).filter(|_| enough)
            };
            match nearest {
                Some(at) => return at,
                None => begun.await,
            }
        }
    }

    fn dial(&self) -> MutexGuard<'_, Dial> {
        self.dial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.dial().now
    }

    fn sleep(&self, time: Duration) -> Sleep {
        let at = self.now().after(time);
        self.until(at)
    }

    fn until(&self, at: Timestamp) -> Sleep {
        let mut dial = self.dial();
        if at <= dial.now {
            return std::future::ready(()).boxed();
        }
        let (sender, woken) = oneshot::channel();
        let number = dial.next;
        dial.next += 1;
        dial.sleepers.insert((at, number), sender);
        drop(dial);
        self.begun.notify_waiters();
        // The sender goes without a word only with the clock itself.
        async move {
            if woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}
