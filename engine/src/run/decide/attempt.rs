use std::collections::BTreeMap;

use super::{Decider, IllegalInput};
use crate::{
    graph::Form,
    model::{Event, Fault, Labels, NodeIx, StepStatus, event::StoredOutputs, units::show_duration},
    run::{
        input::AttemptEnd,
        planted::{self, Bug},
    },
};

impl Decider<'_> {
    pub(super) fn condition(&mut self, node: NodeIx, holds: Result<bool, Fault>) -> Result<(), IllegalInput> {
        if !self.is_active() || !self.state.queues.evaluating.contains(&node) {
            return Ok(());
        }
        match holds {
            Ok(true) => self.emit(Event::ConditionHeld { node }),
            Ok(false) => self.emit(Event::StepSkipped { node, reason: crate::model::SkipReason::Condition }),
            Err(fault) => self.emit(Event::StepFailed { node, attempt: 0, fault, partial: None }),
        }
    }

    pub(super) fn attempt_ended(&mut self, node: NodeIx, attempt: u32, end: AttemptEnd) -> Result<(), IllegalInput> {
        let Some((state, _)) = self.state.pair(node) else { return Ok(()) };
        let current = state.attempt == attempt || (attempt < state.attempt && planted::has(Bug::TakesStaleAttempts));
        if !self.is_active() || state.status != StepStatus::Running || !current || state.checking {
            return Ok(());
        }
        let attempt = state.attempt;
        if self.state.is_fan_out(node) {
            return match end {
                AttemptEnd::Cancelled if self.state.is_stopped(node, self.now) => self.drop_items(node),
                _ => Ok(()),
            };
        }
        match end {
            AttemptEnd::Succeeded { outputs, labels, rows } => self.attempt_succeeded(node, outputs, labels, rows),
            AttemptEnd::Failed(fault) => self.attempt_failed(node, fault),
            _ if self.state.is_over_deadline(node, self.now) => self.fail_over_deadline(node),
            AttemptEnd::Parked(_) if self.state.is_ending(node) => self.emit(Event::StepCancelled { node }),
            AttemptEnd::Parked(wait) => self.emit(Event::StepWaiting { node, attempt, wait }),
            AttemptEnd::Cancelled => self.emit(Event::StepCancelled { node }),
        }
    }

    fn attempt_succeeded(
        &mut self,
        node: NodeIx,
        outputs: StoredOutputs,
        labels: BTreeMap<String, Labels>,
        rows: Option<u64>,
    ) -> Result<(), IllegalInput> {
        let attempt = self.state.attempt(node);
        match self.state.shape.nodes[node.index()].form {
            Form::Repeat { .. } => self.emit(Event::IterationEnded { node, attempt, outputs, labels, rows }),
            Form::Single | Form::ForEach { .. } => {
                self.emit(Event::StepSucceeded { node, attempt, outputs, labels, rows, reused: false })
            }
        }
    }

    fn attempt_failed(&mut self, node: NodeIx, fault: Fault) -> Result<(), IllegalInput> {
        if self.state.is_over_deadline(node, self.now) {
            return self.fail_over_deadline(node);
        }
        let Some((state, shape)) = self.state.pair(node) else { return Ok(()) };
        let (attempt, failed) = (state.attempt, state.attempt - state.floor);
        let failed = if planted::has(Bug::OneRetryTooMany) { failed.saturating_sub(1) } else { failed };
        let delay =
            if self.state.is_ending(node) { None } else { shape.retry.next_delay(failed, &fault, (self.chance)()) };
        match delay {
            Some(delay) => {
                let retry_at = self.now.after(delay);
                self.emit(Event::AttemptFailed { node, attempt, fault, retry_at })
            }
            None => self.emit(Event::StepFailed { node, attempt, fault, partial: None }),
        }
    }

    pub(super) fn fail_over_deadline(&mut self, node: NodeIx) -> Result<(), IllegalInput> {
        let Some((state, shape)) = self.state.pair(node) else { return Ok(()) };
        let attempt = state.attempt;
        let limit = shape.deadline.unwrap_or_default();
        let text = format!("the step did not end within its deadline of {}", show_duration(limit));
        let fault = Fault::external("deadline", text);
        self.emit(Event::StepFailed { node, attempt, fault, partial: None })
    }

    pub(super) fn until(&mut self, node: NodeIx, met: Result<bool, Fault>) -> Result<(), IllegalInput> {
        let Some((state, shape)) = self.state.pair(node) else { return Ok(()) };
        if !self.is_active() || state.status != StepStatus::Running || !state.checking {
            return Ok(());
        }
        let Form::Repeat { every, max } = shape.form else { return Ok(()) };
        let (attempt, iteration) = (state.attempt, state.iterations + 1);
        let outputs = state.outputs.clone();
        let (labels, rows) = (state.labels.clone(), state.rows);
        match (met, outputs) {
            (Ok(true), Some(outputs)) => {
                self.emit(Event::StepSucceeded { node, attempt, outputs, labels, rows, reused: false })
            }
            (Err(fault), partial) => self.emit(Event::StepFailed { node, attempt, fault, partial }),
            (Ok(_), partial) if iteration >= max => {
                let message = format!("`until` was not true after {iteration} iterations");
                let fault = Fault::user("repeat.exhausted", message);
                self.emit(Event::StepFailed { node, attempt, fault, partial })
            }
            (Ok(_), _) if self.state.is_ending(node) => self.emit(Event::StepCancelled { node }),
            (Ok(_), _) => self.emit(Event::RepeatScheduled { node, iteration, at: self.now.after(every) }),
        }
    }

    pub(super) fn reuse(
        &mut self,
        node: NodeIx,
        outputs: StoredOutputs,
        labels: BTreeMap<String, Labels>,
        rows: Option<u64>,
    ) -> Result<(), IllegalInput> {
        let startable = matches!(self.state.step_status(node), StepStatus::Ready | StepStatus::Running);
        if !self.is_active() || !startable {
            return Ok(());
        }
        self.emit(Event::StepSucceeded { node, attempt: 0, outputs, labels, rows, reused: true })
    }
}
