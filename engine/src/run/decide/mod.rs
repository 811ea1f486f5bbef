//! From an input to the events that follow from it, all that follow at once included: a step that
//! succeeds starts the next ones in the same commit.

mod advance;
mod attempt;
mod ending;
mod items;
mod requests;
mod wait;

use std::collections::BTreeMap;

use super::{evolve, input::Input, state::RunState, transition::IllegalMove};
use crate::model::{Event, NodeIx, Timestamp, event::ItemOutcome};

/// An input that no driver may give: a mistake of the caller, not of the world. Late and repeated
/// inputs are not mistakes; nothing follows from them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalInput {
    /// The plan has no such step.
    #[error("the plan has no step {}", .0.0)]
    NoStep(NodeIx),
    /// The run has no `RunCreated` yet, or no process owns it.
    #[error("nobody owns the run: `Taken` comes first")]
    NotOwned,
    /// A run that succeeded has nothing to resume.
    #[error("the run has succeeded: there is nothing to resume")]
    Succeeded,
    /// A decision of the machine does not fit its own state: a bug.
    #[error("the run machine contradicts itself: {0}")]
    Contradiction(#[from] IllegalMove),
}

/// The events that follow from an input. Time is `now`; `chance` draws from `0.0..1.0`.
pub fn decide(
    state: &RunState,
    input: Input,
    now: Timestamp,
    chance: &mut impl FnMut() -> f64,
) -> Result<Vec<Event>, IllegalInput> {
    decide_many(state, vec![input], now, chance)
}

/// The events that follow from several inputs in a row, for one commit: items of neighbouring inputs
/// are settled together, in ranges.
pub fn decide_many(
    state: &RunState,
    inputs: Vec<Input>,
    now: Timestamp,
    chance: &mut impl FnMut() -> f64,
) -> Result<Vec<Event>, IllegalInput> {
    let mut decider = Decider {
        state: state.clone(),
        events: Vec::new(),
        now,
        chance,
        settled: BTreeMap::new(),
        retried: BTreeMap::new(),
    };
    for input in inputs {
        decider.take(input)?;
    }
    decider.settle()?;
    decider.advance()?;
    Ok(decider.events)
}

/// A decision in the making: the state as it will be after the events so far.
struct Decider<'a> {
    state: RunState,
    events: Vec<Event>,
    now: Timestamp,
    chance: &'a mut dyn FnMut() -> f64,
    /// Items that ended and are not in an event yet, by step.
    settled: BTreeMap<NodeIx, BTreeMap<u32, ItemOutcome>>,
    retried: BTreeMap<NodeIx, BTreeMap<u32, crate::model::event::ItemRetry>>,
}

impl Decider<'_> {
    fn emit(&mut self, event: Event) -> Result<(), IllegalInput> {
        evolve::apply(&mut self.state, &event, self.now)?;
        self.events.push(event);
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), IllegalInput> {
        if let Some(node) = node_of(&input)
            && self.state.get(node).is_none()
        {
            return Err(IllegalInput::NoStep(node));
        }
        let owned = self.state.owner().is_some() || matches!(input, Input::Taken { .. });
        if !owned || self.state.origin().is_none() {
            return Err(IllegalInput::NotOwned);
        }
        if !matches!(input, Input::ItemEnded { .. }) {
            self.settle()?;
        }
        match input {
            Input::Taken { owner, epoch } => self.taken(owner, epoch),
            Input::Resume { by } => self.resume(by),
            Input::Cancel { by } => self.cancel(by),
            Input::Interrupt { reason } => self.interrupt(reason),
            Input::Tick => Ok(()),
            Input::Condition { node, holds } => self.condition(node, holds),
            Input::Items { node, planned } => self.items_planned(node, planned),
            Input::AttemptEnded { node, attempt, end } => self.attempt_ended(node, attempt, end),
            Input::ItemEnded { node, item, end } => {
                self.item_ended(node, item, end);
                Ok(())
            }
            Input::Gathered { node, outputs, labels, rows } => self.gathered(node, outputs, labels, rows),
            Input::Until { node, met } => self.until(node, met),
            Input::Answer { node, answer, by } => self.answer(node, answer, by),
            Input::Reuse { node, outputs, labels, rows } => self.reuse(node, outputs, labels, rows),
            Input::Outputs { outputs } => self.outputs(outputs),
        }
    }
}

fn node_of(input: &Input) -> Option<NodeIx> {
    match input {
        Input::Condition { node, .. }
        | Input::Items { node, .. }
        | Input::AttemptEnded { node, .. }
        | Input::ItemEnded { node, .. }
        | Input::Gathered { node, .. }
        | Input::Until { node, .. }
        | Input::Answer { node, .. }
        | Input::Reuse { node, .. } => Some(*node),
        Input::Taken { .. }
        | Input::Resume { .. }
        | Input::Tick
        | Input::Cancel { .. }
        | Input::Interrupt { .. }
        | Input::Outputs { .. } => None,
    }
}
