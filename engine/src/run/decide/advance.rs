use super::{Decider, IllegalInput};
use crate::{
    model::{Event, NodeIx},
    run::state::Phase,
};

impl Decider<'_> {
    pub(super) fn is_active(&self) -> bool {
        matches!(self.state.core.phase, Phase::Steps | Phase::Closing(_))
    }

    /// Emits all that follows at once, until nothing does.
    pub(super) fn advance(&mut self) -> Result<(), IllegalInput> {
        while self.is_active() {
            let before = self.events.len();
            self.reuse_all()?;
            self.enforce_deadlines()?;
            self.wind_down()?;
            self.end_waits()?;
            self.skip_all()?;
            self.start_all()?;
            let closed = self.close()?;
            if !closed && self.events.len() == before {
                break;
            }
        }
        Ok(())
    }

    fn reuse_all(&mut self) -> Result<(), IllegalInput> {
        while let Some(node) = self.state.queues.to_reuse.first().copied() {
            let outputs = self.state.origin().and_then(|origin| origin.reused.get(&node)).cloned();
            let Some(outputs) = outputs else { break };
            let labels = self.state.origin().and_then(|origin| origin.reused_labels.get(&node)).cloned();
            let (labels, rows) = (labels.unwrap_or_default(), None);
            self.emit(Event::StepSucceeded { node, attempt: 0, outputs, labels, rows, reused: true })?;
        }
        Ok(())
    }

    fn end_waits(&mut self) -> Result<(), IllegalInput> {
        while let Some((_, node)) = self.state.queues.waits.range(..=(self.now, NodeIx(u32::MAX))).next().copied() {
            self.end_wait(node)?;
        }
        Ok(())
    }

    fn skip_all(&mut self) -> Result<(), IllegalInput> {
        while let Some((node, reason)) = self.state.queues.to_skip.first_key_value().map(|(n, r)| (*n, *r)) {
            self.emit(Event::StepSkipped { node, reason })?;
        }
        Ok(())
    }

    /// Starts what may start. While `steps` end early there is nothing: what was ready is skipped.
    fn start_all(&mut self) -> Result<(), IllegalInput> {
        while let Some(node) = self.state.queues.ready_fan_outs.first().copied() {
            if self.state.is_ending(node) {
                return Ok(());
            }
            self.start(node)?;
        }
        while let Some(node) = self.state.next_ready(self.now) {
            if self.state.is_ending(node) {
                return Ok(());
            }
            self.start(node)?;
        }
        Ok(())
    }

    fn start(&mut self, node: NodeIx) -> Result<(), IllegalInput> {
        let Some(state) = self.state.get(node) else { return Ok(()) };
        let attempt = if state.answered { state.attempt } else { state.attempt + 1 };
        self.emit(Event::AttemptStarted { node, attempt })
    }
}
