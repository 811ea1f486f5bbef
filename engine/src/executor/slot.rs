//! The slot of an attempt: a permit that it holds while it works, and gives back while it waits. A step
//! that does not stop keeps the permit until it returns, and is named meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    guard::lock,
    permits::{Permit, Permits},
};
use crate::model::{Clock, Fault, RunId, Sleep, Timestamp};

/// Steps that were told to stop and did not, by a number of their own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stragglers(Arc<Named>);

#[derive(Debug, Default)]
struct Named {
    next: AtomicU64,
    names: Mutex<BTreeMap<u64, String>>,
}

impl Stragglers {
    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        lock(&self.0.names).values().cloned().collect()
    }
}

/// What an attempt has of the machine.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Tells it to stop.
    pub cancel: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Where permits come from, and for which run.
    permits: Option<(Permits, RunId)>,
    held: Mutex<Option<Arc<Permit>>>,
    stragglers: Stragglers,
    timers: Timers,
}

/// How an attempt waits for a time.
#[derive(Debug, Clone)]
pub(crate) struct Timers {
    pub clock: Arc<dyn Clock>,
    /// Timers are driven from here, so that they fire though steps block every thread of the compute
    /// runtime that they may.
    pub control: Handle,
}

impl Slot {
    /// Waits for a permit. `None`: the attempt was stopped before it began.
    pub(crate) async fn acquire(
        permits: Permits,
        run: RunId,
        cancel: CancellationToken,
        stragglers: Stragglers,
        timers: Timers,
    ) -> Option<Self> {
        let permit = permit(&permits, run, &cancel).await.ok()?;
        let held = Mutex::new(Some(Arc::new(permit)));
        let shared = Shared { permits: Some((permits, run)), held, stragglers, timers };
        Some(Self { cancel, shared: Arc::new(shared) })
    }

    /// For work inside another attempt, which has the permit.
    pub(crate) fn within(clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            permits: None,
            held: Mutex::default(),
            stragglers: Stragglers::default(),
            timers: Timers { clock, control: Handle::current() },
        };
        Self { cancel: CancellationToken::new(), shared: Arc::new(shared) }
    }

    /// The same slot for a part of the attempt, which can be told to stop alone.
    pub(crate) fn part(&self) -> Self {
        Self { cancel: self.cancel.child_token(), shared: self.shared.clone() }
    }

    /// Ready when this much time has passed.
    pub(crate) fn sleep(&self, time: Duration) -> Sleep {
        let _entered = self.shared.timers.control.enter();
        self.shared.timers.clock.sleep(time)
    }

    /// Ready when the clock shows this time.
    pub(crate) fn until(&self, at: Timestamp) -> Sleep {
        let _entered = self.shared.timers.control.enter();
        self.shared.timers.clock.until(at)
    }

    /// Ready when this much time has passed on this machine, whatever the clock shows: to see whether a
    /// thread moves.
    pub(crate) fn watch(&self, time: Duration) -> tokio::time::Sleep {
        let _entered = self.shared.timers.control.enter();
        tokio::time::sleep(time)
    }

    /// Lets others work while this attempt waits for something.
    pub(crate) fn release(&self) {
        drop(lock(&self.shared.held).take());
    }

    /// Takes a permit again after [`Slot::release`].
    pub(crate) async fn reacquire(&self) -> Result<(), Fault> {
        if let Some((permits, run)) = &self.shared.permits {
            let permit = permit(permits, *run, &self.cancel).await?;
            *lock(&self.shared.held) = Some(Arc::new(permit));
        }
        Ok(())
    }

    /// Whether more attempts than there are permits were under way when this one began.
    pub(crate) fn is_extra(&self) -> bool {
        lock(&self.shared.held).as_ref().is_some_and(|permit| permit.extra)
    }

    /// A share of the permit, for the step itself: it is given back when the step has returned as well.
    pub(crate) fn hold(&self) -> Hold {
        let number = self.shared.stragglers.0.next.fetch_add(1, Ordering::Relaxed);
        Hold { number, stragglers: self.shared.stragglers.clone(), _permit: lock(&self.shared.held).clone() }
    }

    /// Names a step that does not stop, until its hold is dropped.
    pub(crate) fn name_straggler(&self, number: u64, name: String) {
        lock(&self.shared.stragglers.0.names).insert(number, name);
    }

    /// Takes the name back of one that returned just now.
    pub(crate) fn forget_straggler(&self, number: u64) {
        lock(&self.shared.stragglers.0.names).remove(&number);
    }
}

async fn permit(permits: &Permits, run: RunId, cancel: &CancellationToken) -> Result<Permit, Fault> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Fault::cancelled()),
        permit = permits.acquire(run) => Ok(permit),
    }
}

/// A step's share of its attempt's permit.
#[derive(Debug)]
pub(crate) struct Hold {
    pub number: u64,
    stragglers: Stragglers,
    _permit: Option<Arc<Permit>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(name) = lock(&self.stragglers.0.names).remove(&self.number) {
            tracing::warn!("{name} returned at last");
        }
    }
}
