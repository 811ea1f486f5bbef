//! Commits: one in flight, conditional on owner and place in the log, repeated where it is not known
//! whether it was done.

use std::time::Duration;

use super::{driver::Driver, message::Message, recover};
use crate::{
    crash::crash_point,
    executor::{Report, StateValues},
    graph::Bundle,
    model::{Event, Fault, NodeIx, OwnerId, Recorded, RunId, StepStatus},
    store::{Append, ItemRow, NewRun, OutputRow, StoreError},
};

/// How often a commit is repeated of which it is not known whether it was done.
const TRIES: u32 = 20;
/// The wait before the first repetition; the next ones grow by as much.
const PAUSE: Duration = Duration::from_millis(50);

/// A run that is not in the store yet.
#[derive(Debug)]
pub(crate) struct Birth {
    pub pipeline: String,
    pub bundle: Bundle,
    pub parent: Option<(RunId, NodeIx, Option<u32>)>,
    pub key: Option<String>,
    pub owner: OwnerId,
    /// `RunCreated`, already applied.
    pub created: Vec<Recorded>,
}

/// Why a driver stops before its run does.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Another process owns the run.
    NotOwner(Fault),
    /// The store or the machine refuses.
    Broken(Fault),
    /// The same parent step has a child already, or a run has the key.
    Exists(RunId),
}

impl Stop {
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::NotOwner(fault) | Self::Broken(fault) => fault.clone(),
            Self::Exists(run) => Fault::internal("run.exists", format!("what was to be run is {run} already")),
        }
    }
}

impl Driver {
    pub(super) async fn commit(
        &mut self,
        events: Vec<Recorded>,
        items: Vec<ItemRow>,
        outputs: Vec<OutputRow>,
        state: StateValues,
    ) -> Result<(), Stop> {
        if let Some(birth) = self.birth.take() {
            return self.create(birth, events).await;
        }
        let mut touched: Vec<NodeIx> = events.iter().filter_map(|recorded| recorded.event.node()).collect();
        touched.sort_unstable();
        touched.dedup();
        let resumed = events.iter().any(|recorded| matches!(recorded.event, Event::RunResumed { .. }));
        let steps: Vec<(NodeIx, StepStatus)> = if resumed {
            self.run.plan.nodes.iter().map(|node| (node.ix, self.state.step_status(node.ix))).collect()
        } else {
            touched.into_iter().map(|node| (node, self.state.step_status(node))).collect()
        };
        let snapshot = self.snapshot_due(events.len() as u64).then(|| recover::snapshot(&self.state, &self.run));
        let append = Append {
            run: self.run.id,
            epoch: self.run.epoch,
            after: events.first().map_or(self.state.seq(), |first| first.seq - 1),
            events,
            items,
            outputs,
            status: self.state.status(),
            steps,
            snapshot,
            state,
        };
        let mut tries = 0;
        loop {
            let store = self.hub.store.clone();
            let again = append.clone();
            crash_point("driver.appending");
            let done = self.beside(async move { store.append(again).await }).await;
            crash_point("driver.appended");
            match done {
                Ok(_) => return Ok(()),
                // The same append again is recognised by the store if it was done.
                Err(StoreError::Unknown) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE * tries).await;
                }
                Err(error @ StoreError::NotOwner { .. }) => return Err(Stop::NotOwner(error.into())),
                Err(error) => return Err(Stop::Broken(error.into())),
            }
        }
    }

    async fn create(&mut self, birth: Birth, events: Vec<Recorded>) -> Result<(), Stop> {
        let new = NewRun {
            id: self.run.id,
            pipeline: birth.pipeline,
            bundle: birth.bundle,
            parent: birth.parent,
            key: birth.key,
            owner: birth.owner,
            events: birth.created.into_iter().chain(events).collect(),
            status: self.state.status(),
        };
        let mut tries = 0;
        loop {
            let store = self.hub.store.clone();
            let again = new.clone();
            crash_point("create.before");
            let created = self.beside(async move { store.create(again).await }).await;
            crash_point("create.after");
            match created {
                Ok(id) if id == self.run.id => return Ok(()),
                Ok(other) => return Err(Stop::Exists(other)),
                Err(StoreError::Unknown) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE * tries).await;
                }
                Err(error) => return Err(Stop::Broken(error.into())),
            }
        }
    }

    /// Waits for a commit; meanwhile steps that return give head starts, and the rest waits its turn.
    async fn beside<T>(&mut self, commit: impl Future<Output = T>) -> T {
        tokio::pin!(commit);
        loop {
            tokio::select! {
                biased;
                done = &mut commit => return done,
                Some(message) = self.messages.recv() => match message {
                    Message::Report(Report::Returned { node }) => self.head_starts(node),
                    other => self.waiting.push(other),
                },
            }
        }
    }
}
