use std::sync::Arc;

use millwork_engine::{
    ItemCounts,
    graph::Plan,
    model::{Event, Fault, NodeIx, Recorded, RunId, RunStatus, StepStatus, Timestamp, Wait, event::ItemOutcome},
    run::{RunState, evolve},
    scheduler::shape_of,
};

/// A change, and where in the run's log it stands.
#[derive(Debug, Clone)]
pub struct Told {
    /// Of which run.
    pub run: RunId,
    /// The event that made it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Debug, Clone)]
pub enum Change {
    /// How the run stands.
    Run {
        /// Its status now.
        status: RunStatus,
    },
    /// How a step stands.
    Step {
        /// Its id.
        step: Arc<str>,
        /// Its place.
        node: NodeIx,
        /// Its status now.
        status: StepStatus,
        /// Attempts begun.
        attempt: u32,
        /// Why it failed, or its attempt did.
        fault: Option<Fault>,
        /// Rows it gave.
        rows: Option<u64>,
        /// What it waits for.
        wait: Option<Wait>,
        /// Whether an earlier result was taken.
        reused: bool,
    },
    /// How many items of a step have ended, in all.
    Items(ItemsNow),
}

/// Items of a step so far.
#[derive(Debug, Clone)]
pub struct ItemsNow {
    /// Its id.
    pub step: Arc<str>,
    /// By their end.
    pub counts: ItemCounts,
    /// Under way, or between two attempts.
    pub running: u32,
}

/// Follows the log of one run from its first event, and tells what each event changed.
#[derive(Debug)]
pub struct Teller {
    run: RunId,
    names: Vec<Arc<str>>,
    state: RunState,
    status: Option<RunStatus>,
    steps: Vec<StepStatus>,
    items: Vec<ItemCounts>,
}

impl Teller {
    /// Of a run of this plan, before its first event.
    pub fn new(run: RunId, plan: &Plan) -> Self {
        let names: Vec<Arc<str>> = plan.nodes.iter().map(|node| Arc::from(node.id.as_str())).collect();
        let (steps, items) = (vec![StepStatus::Pending; names.len()], vec![ItemCounts::default(); names.len()]);
        Self { run, names, state: RunState::new(shape_of(plan)), status: None, steps, items }
    }

    /// The last event that it was told of.
    pub fn seq(&self) -> u64 {
        self.state.seq()
    }

    /// How the run stands.
    pub fn status(&self) -> RunStatus {
        self.state.status()
    }

    /// What an event changed. One that does not follow is left out: it was told before.
    pub fn tell(&mut self, recorded: &Recorded) -> Vec<Told> {
        if recorded.seq != self.state.seq() + 1 || evolve(&mut self.state, recorded).is_err() {
            return Vec::new();
        }
        let mut changes = Vec::new();
        match &recorded.event {
            // Everything may stand otherwise.
            Event::RunResumed { .. } => {
                for ix in 0..self.names.len() {
                    // Items that did not succeed are done again.
                    if let Some(counts) = self.items.get_mut(ix)
                        && !self.state.step_status(NodeIx(ix as u32)).is_final()
                    {
                        (counts.failed, counts.cancelled) = (0, 0);
                    }
                    changes.extend(self.step(NodeIx(ix as u32), &recorded.event, false));
                }
            }
            event => {
                if let Some(node) = event.node() {
                    changes.extend(self.items_of(node, event));
                    let noteworthy = matches!(
                        event,
                        Event::AttemptFailed { .. } | Event::AttemptStarted { .. } | Event::StepWaiting { .. }
                    );
                    changes.extend(self.step(node, event, noteworthy));
                }
            }
        }
        let status = self.state.status();
        if self.status.replace(status) != Some(status) {
            changes.push(Change::Run { status });
        }
        let (run, seq, at) = (self.run, recorded.seq, recorded.at);
        changes.into_iter().map(|change| Told { run, seq, at, change }).collect()
    }

    fn step(&mut self, node: NodeIx, event: &Event, always: bool) -> Option<Change> {
        let status = self.state.step_status(node);
        let before = self.steps.get_mut(node.index())?;
        if std::mem::replace(before, status) == status && !always {
            return None;
        }
        let (rows, reused) = match event {
            Event::StepSucceeded { rows, reused, .. } => (*rows, *reused),
            _ => (None, false),
        };
        let fault = match event {
            Event::AttemptFailed { fault, .. } => Some(fault.clone()),
            _ => self.state.step_fault(node).cloned(),
        };
        Some(Change::Step {
            step: self.names.get(node.index())?.clone(),
            node,
            status,
            attempt: self.state.attempt(node),
            fault,
            rows,
            wait: self.state.step_wait(node).cloned(),
            reused,
        })
    }

    fn items_of(&mut self, node: NodeIx, event: &Event) -> Option<Change> {
        let counts = self.items.get_mut(node.index())?;
        match event {
            Event::ItemsPlanned { count, .. } => counts.total = *count,
            Event::ItemsSettled { ranges, .. } => {
                for range in ranges {
                    let many = range.to - range.from + 1;
                    match range.outcome {
                        ItemOutcome::Succeeded => counts.succeeded += many,
                        ItemOutcome::Failed => counts.failed += many,
                        ItemOutcome::Skipped => counts.skipped += many,
                        ItemOutcome::Cancelled => counts.cancelled += many,
                    }
                }
            }
            _ => return None,
        }
        let step = self.names.get(node.index())?.clone();
        Some(Change::Items(ItemsNow { step, counts: *counts, running: self.state.items_under_way(node) }))
    }
}
