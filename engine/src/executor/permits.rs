//! Permits for attempts, shared out fairly among runs: a fan-out of a hundred thousand items takes its turns
//! like a run of one step.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use tokio::sync::oneshot;

use super::guard::lock;
use crate::model::RunId;

/// So many at once. Who waits next is of the run that holds fewest, and of those the one that waits longest.
#[derive(Debug, Clone)]
pub(crate) struct Permits(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Permits that nobody has.
    free: usize,
    /// Permits beyond those, for runs that have none.
    extra: usize,
    held: HashMap<RunId, usize>,
    waiting: HashMap<RunId, VecDeque<(u64, oneshot::Sender<Permit>)>>,
    arrivals: u64,
}

/// One of them; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    run: RunId,
    /// Whether it is one of those that are beyond the others.
    pub extra: bool,
    permits: Permits,
}

impl Permits {
    /// So many to share; but every run, with all that is a part of it, has one whenever it asks (up to `extra` of them),
    /// so that as long as there are some of these, none waits for the end of what others do.
    pub(crate) fn new(count: usize, extra: usize) -> Self {
        let (held, waiting) = (HashMap::new(), HashMap::new());
        Self(Arc::new(Mutex::new(State { free: count, extra, held, waiting, arrivals: 0 })))
    }

    /// How many nobody has.
    pub(crate) fn free(&self) -> usize {
        lock(&self.0).free
    }

    /// One for an attempt of a run, or of one that is a part of it: a fan-out of such runs takes turns as any fan-out
    /// does. Safe to drop while it waits.
    pub(crate) async fn acquire(&self, run: RunId) -> Permit {
        loop {
            let turn = {
                let mut state = lock(&self.0);
                // Nobody waits while one is free.
                let extra = state.extra > 0 && !state.held.contains_key(&run);
                if state.free > 0 || extra {
                    return state.take(run, self);
                }
                let (sender, turn) = oneshot::channel();
                state.arrivals += 1;
                let arrival = state.arrivals;
                state.waiting.entry(run).or_default().push_back((arrival, sender));
                turn
            };
            if let Ok(permit) = turn.await {
                return permit;
            }
        }
    }

    /// Hands on what was given back to who is next.
    fn give_back(&self, from: RunId, extra: bool) {
        let mut state = lock(&self.0);
        if let Some(held) = state.held.get_mut(&from) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&from);
            }
        }
        if extra {
            state.extra += 1;
        } else {
            state.free += 1;
        }
        let mut turns = Vec::new();
        while let Some((run, sender)) = state.next() {
            turns.push((state.take(run, self), sender));
        }
        drop(state);
        for (permit, sender) in turns {
            // Where the waiter is gone, the permit comes back at once, and the next one gets it.
            drop(sender.send(permit));
        }
    }
}

impl State {
    /// One that is free, or one beyond those.
    fn take(&mut self, run: RunId, permits: &Permits) -> Permit {
        let extra = self.free == 0;
        if extra {
            self.extra = self.extra.saturating_sub(1);
        } else {
            self.free -= 1;
        }
        *self.held.entry(run).or_default() += 1;
        Permit { run, extra, permits: permits.clone() }
    }

    /// Who is next, taken out of those who wait; nobody, if there is nothing for them.
    fn next(&mut self) -> Option<(RunId, oneshot::Sender<Permit>)> {
        loop {
            let order = |(run, line): (&RunId, &VecDeque<(u64, oneshot::Sender<Permit>)>)| {
                let arrival = line.front().map_or(u64::MAX, |(arrival, _)| *arrival);
                (self.held.get(run).copied().unwrap_or(0), arrival, *run)
            };
            let (held, _, run) = self.waiting.iter().map(order).min()?;
            // What is beyond the others is for who has none.
            if self.free == 0 && (self.extra == 0 || held > 0) {
                return None;
            }
            if let Some(sender) = self.first_of(run) {
                return Some((run, sender));
            }
        }
    }

    /// Who of a run waits longest, taken out.
    fn first_of(&mut self, run: RunId) -> Option<oneshot::Sender<Permit>> {
        let line = self.waiting.get_mut(&run)?;
        let first =
            std::iter::from_fn(|| line.pop_front()).map(|(_, sender)| sender).find(|sender| !sender.is_closed());
        if line.is_empty() {
            self.waiting.remove(&run);
        }
        first
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.give_back(self.run, self.extra);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;

    use super::*;
    use crate::model::Timestamp;

    fn run(n: u128) -> RunId {
        RunId::from_parts(Timestamp::default(), n)
    }

    #[tokio::test]
    async fn a_run_with_much_to_do_takes_turns_with_one_that_has_little() {
        let permits = Permits::new(2, 0);
        let (a, b) = (permits.acquire(run(1)).await, permits.acquire(run(1)).await);
        let mut greedy: Vec<_> = (0..1000).map(|_| Box::pin(permits.acquire(run(1)))).collect();
        assert!(greedy.iter_mut().all(|waiting| waiting.now_or_never().is_none()));
        let mut modest = Box::pin(permits.acquire(run(2)));
        assert!(modest.as_mut().now_or_never().is_none());
        drop(a);
        let small = modest.now_or_never().expect("it is next, though a thousand came first");
        assert!(greedy[0].as_mut().now_or_never().is_none());
        drop(b);
        assert!(greedy[0].as_mut().now_or_never().is_some(), "then the oldest");
        drop(small);
    }

    #[tokio::test]
    async fn where_there_are_extra_permits_every_run_has_one() {
        let permits = Permits::new(2, 64);
        let greedy = (permits.acquire(run(1)).await, permits.acquire(run(1)).await);
        let mut more = Box::pin(permits.acquire(run(1)));
        assert!(more.as_mut().now_or_never().is_none(), "it has its share");
        let modest = permits.acquire(run(2)).now_or_never().expect("though all are taken");
        assert!(modest.extra && !greedy.0.extra && !greedy.1.extra);
        let mut second = Box::pin(permits.acquire(run(2)));
        assert!(second.as_mut().now_or_never().is_none());
        drop(modest);
        assert!(more.as_mut().now_or_never().is_none());
        drop(second.now_or_never().expect("one that there is not is handed on to its own run"));
        drop(permits.acquire(run(2)).now_or_never().expect("who has none again has one again"));
        assert!(more.as_mut().now_or_never().is_none());
        drop(greedy.0);
        drop(more.now_or_never().expect("a real one is"));
        drop(greedy.1);
        assert_eq!(permits.free(), 2);
    }

    #[tokio::test]
    async fn an_extra_permit_is_for_whoever_has_none() {
        let permits = Permits::new(1, 1);
        let greedy = permits.acquire(run(1)).await;
        let extra = permits.acquire(run(2)).await;
        let mut more = Box::pin(permits.acquire(run(1)));
        let mut modest = Box::pin(permits.acquire(run(3)));
        assert!(more.as_mut().now_or_never().is_none() && modest.as_mut().now_or_never().is_none());
        drop(extra);
        let modest = modest.now_or_never().expect("its own run wants nothing more, and this one has none");
        assert!(modest.extra && more.as_mut().now_or_never().is_none());
        // One of those that there are stays one of them, whoever has the others.
        drop(greedy);
        let again = more.now_or_never().expect("a real one is free");
        assert!(!again.extra);
        drop((modest, again));
        assert_eq!((permits.free(), lock(&permits.0).extra), (1, 1));
    }

    #[tokio::test]
    async fn who_gives_up_loses_nothing_for_the_others() {
        let permits = Permits::new(1, 0);
        let held = permits.acquire(run(1)).await;
        let (mut gone, mut stays) = (Box::pin(permits.acquire(run(2))), Box::pin(permits.acquire(run(3))));
        assert!(gone.as_mut().now_or_never().is_none() && stays.as_mut().now_or_never().is_none());
        drop(gone);
        drop(held);
        drop(stays.now_or_never().expect("the permit of who gave up"));
        // Given to somebody who goes before taking it.
        let held = permits.acquire(run(1)).await;
        let mut gone = Box::pin(permits.acquire(run(2)));
        assert!(gone.as_mut().now_or_never().is_none());
        drop(held);
        drop(gone);
        assert_eq!(permits.free(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn there_are_never_more_than_there_are() {
        let (permits, busy, most) = (Permits::new(3, 0), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..200_u128).map(|n| {
            let (permits, busy, most) = (permits.clone(), busy.clone(), most.clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    let permit = permits.acquire(run(n % 7)).await;
                    most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    busy.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a task");
        }
        assert_eq!((most.load(Ordering::SeqCst), permits.free()), (3, 3));
    }
}
