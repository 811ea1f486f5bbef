use serde_json::Value as Json;

use super::{Decider, IllegalInput};
use crate::{
    model::{Event, Fault, NodeIx, StepStatus, Wait},
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

    /// Ends a wait whose time has come: a time is the answer, an approval that nobody gave is not.
    pub(super) fn end_wait(&mut self, node: NodeIx) -> Result<(), IllegalInput> {
        let Some(wait) = self.state.step_wait(node) else { return Ok(()) };
        if let Wait::Approval { .. } = wait {
            let fault = Fault::external("wait.expired", "nobody answered in time");
            let attempt = self.state.attempt(node);
            return self.emit(Event::StepFailed { node, attempt, fault, partial: None });
        }
        self.emit(Event::WaitEnded { node, answer: Json::Null, by: "time".to_owned() })
    }
}
