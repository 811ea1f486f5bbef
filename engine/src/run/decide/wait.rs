use serde_json::Value as Json;

use super::{Decider, IllegalInput};
use crate::{
    model::{Event, NodeIx, StepStatus},
    run::state::Phase,
};

impl Decider<'_> {
    pub(super) fn answer(&mut self, node: NodeIx, answer: Json, by: String) -> Result<(), IllegalInput> {
        let open = self.is_active() || self.state.core.phase == Phase::Interrupted;
        if !open || self.state.step_status(node) != StepStatus::Waiting {
            return Ok(());
        }
        self.emit(Event::WaitEnded { node, answer, by })
    }

    /// Ends a wait whose time has come. What silence means is for the step to say: it is asked again
    /// with no answer.
    pub(super) fn end_wait(&mut self, node: NodeIx) -> Result<(), IllegalInput> {
        if self.state.step_wait(node).is_none() {
            return Ok(());
        }
        self.emit(Event::WaitEnded { node, answer: Json::Null, by: "time".to_owned() })
    }
}
