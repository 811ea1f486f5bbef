use std::collections::{BTreeMap, BTreeSet};

use millwork_engine::{
    graph::{Form, Section},
    model::{
        Event, NodeIx, RunStatus, SkipReason, StepStatus,
        event::{ItemOutcome, Recorded},
    },
};

use super::{
    reference::bad_need,
    scenario::{Fate, Scenario},
};

/// What must hold, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// 1: a step or item recorded as succeeded never runs again.
    NeverAgain = 1,
    /// 2: a step starts only when all it needs ended, and none badly unless its `if` handles that.
    NeedsFirst = 2,
    /// 3: no more attempts and items are under way than the limits allow.
    Limits = 3,
    /// 4: every run ends.
    Ends = 4,
    /// 5: statuses are those of the reference, where only crashes and delays struck.
    SameSteps = 5,
    /// 6: outcomes of items are those of the reference, likewise.
    SameItems = 6,
    /// 7: the log is no longer than the plan and the faults explain.
    BoundedLog = 7,
    /// 8: what is recorded of an attempt is what it came to, after it came to it.
    Truth = 8,
    /// 9: the log from the beginning, and from any snapshot, comes to the state.
    Replay = 9,
    /// 10: the status of the run follows from its steps, and `finally` was not left out.
    Outcome = 10,
    /// 11: no more attempts than the policy allows.
    Policy = 11,
    /// 12: the machine takes every input that a driver may give.
    Accepts = 12,
}

/// A rule that did not hold.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Which.
    pub rule: Rule,
    /// What happened.
    pub what: String,
}

pub(super) fn broken<T>(rule: Rule, what: impl Into<String>) -> Result<T, Broken> {
    Err(Broken { rule, what: what.into() })
}

/// Watches the log: keeps its own simple picture of the run and compares.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) steps: Vec<(StepStatus, Option<SkipReason>)>,
    /// The last attempt that was recorded as started, and its number before the last resume or iteration.
    attempts: Vec<(u32, u32)>,
    parked: BTreeSet<NodeIx>,
    pub(super) items: BTreeMap<(NodeIx, u32), ItemOutcome>,
    /// Attempts at steps that came to something, whether or not anybody heard of it.
    pub(super) came_to: BTreeMap<(NodeIx, u32), Fate>,
    /// Attempts at items, likewise.
    pub(super) items_came_to: BTreeMap<(NodeIx, u32), Fate>,
    cancelled: bool,
    late: bool,
    resumed: bool,
}

impl Watch {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let count = scenario.shape.nodes.len();
        Self {
            steps: vec![(StepStatus::Pending, None); count],
            attempts: vec![(0, 0); count],
            parked: BTreeSet::new(),
            items: BTreeMap::new(),
            came_to: BTreeMap::new(),
            items_came_to: BTreeMap::new(),
            cancelled: false,
            late: false,
            resumed: false,
        }
    }

    /// Looks at a committed event.
    pub(super) fn see(&mut self, scenario: &Scenario, recorded: &Recorded) -> Result<(), Broken> {
        let event = &recorded.event;
        if let Some(node) = event.node() {
            self.see_step(scenario, node, event)?;
        }
        match event {
            Event::CancelRequested { .. } => self.cancelled = true,
            Event::DeadlineReached => self.late = true,
            Event::RunResumed { .. } => self.forget(scenario),
            Event::RunEnded { status, .. } => self.see_end(scenario, *status)?,
            _ => {}
        }
        Ok(())
    }

    /// A resume: what did not succeed may begin again.
    fn forget(&mut self, scenario: &Scenario) {
        (self.cancelled, self.late, self.resumed) = (false, false, true);
        for (ix, shape) in scenario.shape.nodes.iter().enumerate() {
            let closing = shape.section != Section::Main;
            let stays = match self.steps[ix] {
                (StepStatus::Succeeded, _) => true,
                (StepStatus::Failed, _) => shape.continue_on_error && !closing,
                // Skipped by its condition, and what that read is as it was.
                (_, Some(SkipReason::Condition)) => {
                    !closing && shape.needs.iter().all(|need| self.steps[need.index()].0.is_final())
                }
                (_, reason) => reason == Some(SkipReason::NotSelected),
            };
            if !stays && self.steps[ix].0.is_final() {
                self.steps[ix] = (StepStatus::Pending, None);
                self.attempts[ix].1 = self.attempts[ix].0;
            } else if closing || shape.needs.iter().any(|need| !self.steps[need.index()].0.is_final()) {
                // Begins anew with its section, or with what it needs.
                self.attempts[ix].1 = self.attempts[ix].0;
                self.parked.remove(&NodeIx(ix as u32));
            }
        }
        self.items.retain(|_, outcome| matches!(outcome, ItemOutcome::Succeeded | ItemOutcome::Skipped));
    }

    fn see_step(&mut self, scenario: &Scenario, node: NodeIx, event: &Event) -> Result<(), Broken> {
        let shape = &scenario.shape.nodes[node.index()];
        let ix = node.index();
        if self.steps[ix].0 == StepStatus::Succeeded {
            return broken(Rule::NeverAgain, format!("step {ix} had succeeded: {event:?}"));
        }
        match event {
            Event::AttemptStarted { attempt, .. } => {
                let ended = |need: &NodeIx| self.steps[need.index()].0.is_final();
                if !shape.needs.iter().all(ended) {
                    return broken(Rule::NeedsFirst, format!("step {ix} started before its needs ended"));
                }
                if bad_need(scenario, node, &self.steps) && !shape.handles_failure {
                    return broken(Rule::NeedsFirst, format!("step {ix} started though a need ended badly"));
                }
                let again = self.parked.remove(&node);
                if *attempt != self.attempts[ix].0 + u32::from(!again) {
                    return broken(Rule::Truth, format!("step {ix} started attempt {attempt} after {:?}", self.attempts[ix]));
                }
                self.attempts[ix].0 = *attempt;
                let most = shape.retry.max_attempts;
                if *attempt - self.attempts[ix].1 > most {
                    return broken(Rule::Policy, format!("step {ix}: attempt {attempt}, but {most} are allowed"));
                }
            }
            Event::AttemptFailed { attempt, .. } => {
                self.expect(node, *attempt, &[Fate::Fails])?;
            }
            Event::StepSucceeded { attempt, reused: false, .. } => {
                self.steps[ix] = (StepStatus::Succeeded, None);
                if !matches!(shape.form, Form::ForEach { .. }) {
                    self.expect(node, *attempt, &[Fate::Succeeds])?;
                }
            }
            Event::StepSucceeded { .. } => self.steps[ix] = (StepStatus::Succeeded, None),
            Event::StepFailed { attempt, fault, .. } => {
                self.steps[ix] = (StepStatus::Failed, None);
                self.parked.remove(&node);
                if fault.code.as_str() == "scripted" {
                    self.expect(node, *attempt, &[Fate::Fails, Fate::FailsForGood])?;
                }
            }
            Event::StepSkipped { reason, .. } => self.steps[ix] = (StepStatus::Skipped, Some(*reason)),
            Event::StepCancelled { .. } => {
                self.steps[ix] = (StepStatus::Cancelled, None);
                self.parked.remove(&node);
            }
            Event::StepWaiting { .. } => {
                self.parked.insert(node);
            }
            Event::RepeatScheduled { .. } => self.attempts[ix].1 = self.attempts[ix].0,
            Event::ItemsSettled { ranges, .. } => {
                for range in ranges {
                    for item in range.from..=range.to {
                        self.settle(node, item, range.outcome)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn settle(&mut self, node: NodeIx, item: u32, outcome: ItemOutcome) -> Result<(), Broken> {
        if let Some(before) = self.items.insert((node, item), outcome) {
            return broken(Rule::NeverAgain, format!("item {item} of step {} had ended as {before:?}", node.0));
        }
        let fate = self.items_came_to.get(&(node, item)).copied();
        let true_ = match outcome {
            ItemOutcome::Succeeded => fate == Some(Fate::Succeeds),
            ItemOutcome::Failed => matches!(fate, Some(Fate::Fails | Fate::FailsForGood)),
            ItemOutcome::Skipped => fate == Some(Fate::Skips),
            ItemOutcome::Cancelled => true,
        };
        if true_ { Ok(()) } else { broken(Rule::Truth, format!("item {item} of step {}: {outcome:?}, but {fate:?}", node.0)) }
    }

    fn expect(&self, node: NodeIx, attempt: u32, fates: &[Fate]) -> Result<(), Broken> {
        match self.came_to.get(&(node, attempt)) {
            Some(fate) if fates.contains(fate) => Ok(()),
            other => broken(
                Rule::Truth,
                format!("step {}: attempt {attempt} is recorded as one of {fates:?}, but came to {other:?}", node.0),
            ),
        }
    }

    fn see_end(&self, scenario: &Scenario, status: RunStatus) -> Result<(), Broken> {
        let mut expected = RunStatus::Succeeded;
        for (shape, (step, _)) in scenario.shape.nodes.iter().zip(&self.steps) {
            if !step.is_final() {
                return broken(Rule::Outcome, format!("the run ended while step {} is {step:?}", shape.id));
            }
            if shape.section == Section::Main && *step == StepStatus::Failed && !shape.continue_on_error {
                expected = RunStatus::Failed;
            }
        }
        if self.late {
            expected = RunStatus::Failed;
        }
        if self.cancelled {
            expected = RunStatus::Cancelled;
        }
        for (ix, shape) in scenario.shape.nodes.iter().enumerate().filter(|(_, s)| s.section == Section::Finally) {
            if self.steps[ix].0 == StepStatus::Failed && !shape.continue_on_error {
                expected = RunStatus::Failed;
            }
            if self.steps[ix].0 == StepStatus::Skipped && shape.needs.is_empty() && !shape.has_condition {
                return broken(Rule::Outcome, format!("step {} of `finally` was left out", shape.id));
            }
        }
        if status != expected {
            return broken(Rule::Outcome, format!("the run ended as {status:?}, its steps say {expected:?}"));
        }
        Ok(())
    }

    pub(super) fn was_resumed(&self) -> bool {
        self.resumed
    }
}
