use serde_json::Value as Json;

use super::{Decider, IllegalInput};
use crate::{
    graph::Section,
    model::{Event, Fault, NodeIx, OwnerId, RunStatus},
    run::{
        evolve::is_resumable,
        planted::{self, Bug},
        state::Phase,
    },
};

impl Decider<'_> {
    /// A new owner. What the last one had under way is made again under the same numbers, so that a
    /// crash eats no attempt of a retry policy; what was being stopped is over.
    pub(super) fn taken(&mut self, owner: OwnerId, epoch: u64) -> Result<(), IllegalInput> {
        if self.state.owner().is_some_and(|(_, old)| epoch <= old) {
            return Ok(());
        }
        self.emit(Event::OwnerTaken { owner, epoch })?;
        if self.state.core.phase == Phase::Created {
            return self.emit(Event::RunStarted);
        }
        if !self.is_active() {
            return Ok(());
        }
        let running: Vec<NodeIx> = self.state.queues.running.iter().copied().collect();
        for node in running {
            if planted::has(Bug::StartsTwiceAfterTakeover) && !self.state.is_fan_out(node) {
                let (attempt, fault) = (self.state.attempt(node), Fault::internal("taken", "taken over"));
                self.emit(Event::AttemptFailed { node, attempt, fault, retry_at: self.now })?;
            } else if self.state.is_stopped(node, self.now) {
                if self.state.is_fan_out(node) {
                    self.drop_items(node)?;
                } else if self.state.is_over_deadline(node, self.now) {
                    self.fail_over_deadline(node)?;
                } else {
                    self.emit(Event::StepCancelled { node })?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn resume(&mut self, by: String) -> Result<(), IllegalInput> {
        match self.state.core.phase {
            phase if is_resumable(phase) => self.emit(Event::RunResumed { by }),
            Phase::Ended(RunStatus::Succeeded) => Err(IllegalInput::Succeeded),
            _ => Ok(()),
        }
    }

    /// The first request to end. Once the steps are over, closing goes on: only `Interrupt` ends it.
    pub(super) fn cancel(&mut self, by: String) -> Result<(), IllegalInput> {
        let stoppable = self.state.core.phase == Phase::Steps && self.state.open(Section::Main) > 0;
        if !stoppable || self.state.core.cancelled_by.is_some() {
            return Ok(());
        }
        self.emit(Event::CancelRequested { by })
    }

    pub(super) fn interrupt(&mut self, reason: String) -> Result<(), IllegalInput> {
        if !self.is_active() && self.state.core.phase != Phase::Created {
            return Ok(());
        }
        self.emit(Event::RunInterrupted { reason })
    }

    pub(super) fn outputs(&mut self, outputs: Result<Json, Fault>) -> Result<(), IllegalInput> {
        if !self.state.wants_finish() {
            return Ok(());
        }
        match outputs {
            Ok(outputs) => self.emit(Event::RunEnded { status: RunStatus::Succeeded, outputs, fault: None }),
            Err(fault) => {
                self.emit(Event::RunEnded { status: RunStatus::Failed, outputs: Json::Null, fault: Some(fault) })
            }
        }
    }
}
