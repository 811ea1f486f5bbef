use serde_json::Value as Json;

use super::{Decider, IllegalInput};
use crate::{
    graph::Section,
    model::{Event, NodeIx, RunStatus, SkipReason, StepStatus},
    run::state::Phase,
};

impl Decider<'_> {
    /// While `steps` end early: what has not begun is skipped, what does not run is cancelled. What
    /// runs is stopped, or with `fail_fast` runs to its end.
    pub(super) fn wind_down(&mut self) -> Result<(), IllegalInput> {
        if self.state.core.phase != Phase::Steps || self.state.open(Section::Main) == 0 {
            return Ok(());
        }
        for ix in 0..self.state.nodes.len() {
            let node = NodeIx(ix as u32);
            if !self.state.is_ending(node) {
                continue;
            }
            let Some((state, _)) = self.state.pair(node) else { continue };
            let (status, begun, checking) =
                (state.status, state.attempt > state.floor || state.iterations > 0, state.checking);
            match status {
                StepStatus::Pending => self.emit(Event::StepSkipped { node, reason: SkipReason::RunEnding })?,
                StepStatus::Ready if !begun => self.emit(Event::StepSkipped { node, reason: SkipReason::RunEnding })?,
                StepStatus::Ready | StepStatus::Waiting => self.emit(Event::StepCancelled { node })?,
                StepStatus::Running if checking && self.state.is_stopping() => {
                    self.emit(Event::StepCancelled { node })?;
                }
                StepStatus::Running if self.state.is_fan_out(node) => {
                    self.drop_delayed_items(node)?;
                    if self.state.has_nothing_under_way(node) {
                        self.emit(Event::StepCancelled { node })?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Fails what is over its deadline and does not run; what runs is stopped first.
    pub(super) fn enforce_deadlines(&mut self) -> Result<(), IllegalInput> {
        if self.state.core.phase == Phase::Steps
            && self.state.open(Section::Main) > 0
            && !self.state.is_stopping()
            && self.state.core.deadline.is_some_and(|at| at <= self.now)
        {
            self.emit(Event::DeadlineReached)?;
        }
        let due = self.state.queues.deadlines.range(..=(self.now, NodeIx(u32::MAX)));
        let due: Vec<NodeIx> = due.map(|(_, node)| *node).collect();
        for node in due {
            let Some((state, _)) = self.state.pair(node) else { continue };
            if !self.state.is_over_deadline(node, self.now) {
                continue;
            }
            match state.status {
                StepStatus::Ready | StepStatus::Waiting => self.fail_over_deadline(node)?,
                StepStatus::Running if state.checking => self.fail_over_deadline(node)?,
                StepStatus::Running if self.state.is_fan_out(node) => {
                    self.drop_delayed_items(node)?;
                    if self.state.has_nothing_under_way(node) {
                        self.fail_over_deadline(node)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What follows when all steps of a section ended.
    pub(super) fn close(&mut self) -> Result<bool, IllegalInput> {
        let over = match self.state.core.phase {
            Phase::Steps => self.state.open(Section::Main) == 0,
            Phase::Closing(_) => self.state.queues.open == [0; 3],
            _ => return Ok(false),
        };
        if !over {
            return Ok(false);
        }
        if self.state.core.phase == Phase::Steps && self.state.shape.nodes.iter().any(|n| n.section != Section::Main) {
            let outcome = self.state.steps_outcome();
            self.emit(Event::ClosingStarted { outcome })?;
            return Ok(true);
        }
        if self.state.wants_finish() {
            return Ok(false);
        }
        let status = self.state.outcome();
        let fault = if status == RunStatus::Failed { self.state.fault().cloned() } else { None };
        self.emit(Event::RunEnded { status, outputs: Json::Null, fault })?;
        Ok(true)
    }
}
