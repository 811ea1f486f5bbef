//! What is known of the steps of a run: folded from its events, read by expressions and attempts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, RwLock},
};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    guard::{lock, read, write},
    keep::Outputs,
};
use crate::model::{
    Digest, Event, Fault, Labels, NodeIx, Recorded, SkipReason, StepStatus, Timestamp, Wait,
    event::{ItemOutcome, StoredOutputs},
};

/// Items of a fan-out by their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemCounts {
    /// All.
    pub total: u32,
    /// Succeeded.
    pub succeeded: u32,
    /// Failed for good.
    pub failed: u32,
    /// Skipped by their `if`.
    pub skipped: u32,
    /// Stopped by request.
    #[serde(default)]
    pub cancelled: u32,
}

/// What is known of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFacts {
    /// How it stands.
    pub status: StepStatus,
    /// Attempts begun.
    pub attempts: u32,
    /// The last fault.
    pub fault: Option<Fault>,
    /// Where its outputs are; what there is of them if it failed.
    pub stored: Option<StoredOutputs>,
    /// Labels of outputs.
    pub labels: BTreeMap<String, Labels>,
    /// Rows, for people.
    pub rows: Option<u64>,
    /// Whether an earlier result was taken.
    pub reused: bool,
    /// Why it was skipped.
    pub skipped: Option<SkipReason>,
    /// The first attempt's begin.
    pub started_at: Option<Timestamp>,
    /// Its end.
    pub ended_at: Option<Timestamp>,
    /// What it waits for.
    pub wait: Option<Wait>,
    /// Since when.
    #[serde(default)]
    pub waits_since: Option<Timestamp>,
    /// What its last wait ended with.
    pub answer: Option<Json>,
    /// Items planned, and the digest of their list.
    pub planned: Option<(u32, Digest)>,
    /// Its items.
    pub items: ItemCounts,
}

impl Default for StepFacts {
    fn default() -> Self {
        Self {
            status: StepStatus::Pending,
            attempts: 0,
            fault: None,
            stored: None,
            labels: BTreeMap::new(),
            rows: None,
            reused: false,
            skipped: None,
            started_at: None,
            ended_at: None,
            wait: None,
            waits_since: None,
            answer: None,
            planned: None,
            items: ItemCounts::default(),
        }
    }
}

/// The facts of every step, and outputs that are in memory.
#[derive(Debug)]
pub struct Board {
    slots: Vec<Slot>,
    first_fault: Mutex<Option<(NodeIx, Fault)>>,
}

#[derive(Debug, Default)]
struct Slot {
    facts: RwLock<StepFacts>,
    memory: Mutex<Option<Arc<Outputs>>>,
}

impl Board {
    /// A board on which nothing is known of so many steps.
    pub fn new(steps: usize) -> Self {
        Self { slots: (0..steps).map(|_| Slot::default()).collect(), first_fault: Mutex::new(None) }
    }

    /// A board as another one was.
    pub fn restore(facts: Vec<StepFacts>, first_fault: Option<(NodeIx, Fault)>) -> Self {
        let slots = facts.into_iter().map(|facts| Slot { facts: RwLock::new(facts), memory: Mutex::default() });
        Self { slots: slots.collect(), first_fault: Mutex::new(first_fault) }
    }

    /// A copy of what is known of every step.
    pub fn all(&self) -> Vec<StepFacts> {
        self.slots.iter().map(|slot| read(&slot.facts).clone()).collect()
    }

    /// What is known of a step.
    pub fn facts(&self, node: NodeIx) -> StepFacts {
        self.with(node, StepFacts::clone).unwrap_or_default()
    }

    /// Looks at a step's facts without copying them.
    pub fn with<T>(&self, node: NodeIx, look: impl FnOnce(&StepFacts) -> T) -> Option<T> {
        self.slots.get(node.index()).map(|slot| look(&read(&slot.facts)))
    }

    /// How a step stands.
    pub fn status(&self, node: NodeIx) -> StepStatus {
        self.with(node, |facts| facts.status).unwrap_or(StepStatus::Pending)
    }

    /// The first step that failed for good, and why.
    pub fn first_fault(&self) -> Option<(NodeIx, Fault)> {
        lock(&self.first_fault).clone()
    }

    /// Outputs in memory.
    pub fn memory(&self, node: NodeIx) -> Option<Arc<Outputs>> {
        self.slots.get(node.index()).and_then(|slot| lock(&slot.memory).clone())
    }

    /// Puts outputs in memory, for those who read them next.
    pub fn remember(&self, node: NodeIx, outputs: Arc<Outputs>) {
        if let Some(slot) = self.slots.get(node.index()) {
            *lock(&slot.memory) = Some(outputs);
        }
    }

    /// Lets outputs in memory go; who needs them again reads them from where they are kept.
    pub fn forget(&self, node: NodeIx) {
        if let Some(slot) = self.slots.get(node.index()) {
            *lock(&slot.memory) = None;
        }
    }

    /// Sets how a step stands, as the machine has it. A step that is pending again has no end.
    pub fn set_status(&self, node: NodeIx, status: StepStatus) {
        self.change(node, |facts| {
            if facts.status.is_final() && !status.is_final() {
                facts.fault = None;
                facts.ended_at = None;
                facts.skipped = None;
                (facts.items.failed, facts.items.cancelled) = (0, 0);
            }
            facts.status = status;
        });
    }

    /// Takes in an event.
    pub fn apply(&self, recorded: &Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::RunCreated { origin } => {
                for (node, stored) in &origin.reused {
                    self.change(*node, |facts| {
                        facts.stored = Some(stored.clone());
                        facts.reused = true;
                    });
                }
                for (node, labels) in &origin.reused_labels {
                    self.change(*node, |facts| facts.labels.clone_from(labels));
                }
            }
            Event::AttemptStarted { node, attempt } => self.change(*node, |facts| {
                facts.status = StepStatus::Running;
                facts.attempts = *attempt;
                facts.started_at.get_or_insert(at);
            }),
            Event::AttemptFailed { node, fault, .. } => self.change(*node, |facts| {
                facts.status = StepStatus::Ready;
                facts.fault = Some(fault.clone());
            }),
            Event::StepSucceeded { node, attempt, outputs, labels, rows, reused } => self.change(*node, |facts| {
                facts.status = StepStatus::Succeeded;
                facts.attempts = facts.attempts.max(*attempt);
                facts.stored = Some(outputs.clone());
                facts.labels.clone_from(labels);
                facts.rows = *rows;
                facts.reused = *reused;
                facts.fault = None;
                facts.wait = None;
                facts.ended_at = Some(at);
            }),
            Event::StepFailed { node, attempt, fault, partial } => {
                lock(&self.first_fault).get_or_insert_with(|| (*node, fault.clone()));
                self.change(*node, |facts| {
                    facts.status = StepStatus::Failed;
                    facts.attempts = facts.attempts.max(*attempt);
                    facts.fault = Some(fault.clone());
                    facts.stored.clone_from(partial);
                    facts.wait = None;
                    facts.ended_at = Some(at);
                });
            }
            Event::StepSkipped { node, reason } => self.change(*node, |facts| {
                facts.status = StepStatus::Skipped;
                facts.skipped = Some(*reason);
                facts.ended_at = Some(at);
            }),
            Event::StepCancelled { node } => self.change(*node, |facts| {
                facts.status = StepStatus::Cancelled;
                facts.wait = None;
                facts.ended_at = Some(at);
            }),
            Event::StepWaiting { node, wait, .. } => self.change(*node, |facts| {
                facts.status = StepStatus::Waiting;
                facts.wait = Some(wait.clone());
                facts.waits_since = Some(at);
                facts.answer = None;
            }),
            Event::WaitEnded { node, answer, .. } => self.change(*node, |facts| {
                facts.status = StepStatus::Ready;
                // More budget is the engine's to know, not the step's.
                let budget = matches!(facts.wait.take(), Some(Wait::Budget { .. }));
                facts.answer = (!budget).then(|| answer.clone());
            }),
            Event::ItemsPlanned { node, count, digest } => self.change(*node, |facts| {
                facts.status = StepStatus::Running;
                facts.started_at.get_or_insert(at);
                facts.planned = Some((*count, *digest));
                facts.items.total = *count;
            }),
            Event::ItemsSettled { node, ranges } => self.change(*node, |facts| {
                for range in ranges {
                    let count = range.to.saturating_sub(range.from) + 1;
                    match range.outcome {
                        ItemOutcome::Succeeded => facts.items.succeeded += count,
                        ItemOutcome::Failed => facts.items.failed += count,
                        ItemOutcome::Skipped => facts.items.skipped += count,
                        ItemOutcome::Cancelled => facts.items.cancelled += count,
                    }
                }
            }),
            Event::ConditionHeld { node } => self.change(*node, |facts| facts.status = StepStatus::Ready),
            Event::ItemsRetried { .. } => {}
            Event::IterationEnded { node, outputs, labels, rows, .. } => self.change(*node, |facts| {
                facts.stored = Some(outputs.clone());
                facts.labels.clone_from(labels);
                facts.rows = *rows;
            }),
            Event::RepeatScheduled { node, .. } => self.change(*node, |facts| {
                facts.status = StepStatus::Ready;
                facts.answer = None;
            }),
            Event::RunResumed { .. } => *lock(&self.first_fault) = None,
            Event::OwnerTaken { .. }
            | Event::RunStarted
            | Event::CancelRequested { .. }
            | Event::DeadlineReached
            | Event::ClosingStarted { .. }
            | Event::RunInterrupted { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn change(&self, node: NodeIx, change: impl FnOnce(&mut StepFacts)) {
        if let Some(slot) = self.slots.get(node.index()) {
            change(&mut write(&slot.facts));
        }
    }
}
