//! The pure machine as the driver uses it: decides on a batch and applies what follows.

use crate::{
    model::{Fault, Recorded, Timestamp, event::VERSION},
    run::{Command, Input, RunState, decide_many, evolve},
};

/// The events that follow from inputs, numbered and applied to the state.
pub(super) fn step(state: &mut RunState, inputs: Vec<Input>, now: Timestamp) -> Result<Vec<Recorded>, Fault> {
    let broken = |e: String| Fault::internal("machine", format!("the run machine refuses: {e}"));
    let mut chance = rand::random::<f64>;
    let events = decide_many(state, inputs, now, &mut chance).map_err(|e| broken(e.to_string()))?;
    let mut recorded = Vec::with_capacity(events.len());
    for event in events {
        let next = Recorded { seq: state.seq() + 1, at: now, version: VERSION, event };
        evolve(state, &next).map_err(|e| broken(e.to_string()))?;
        recorded.push(next);
    }
    Ok(recorded)
}

/// What must be seen to.
pub(super) fn outstanding(state: &RunState, now: Timestamp) -> Vec<Command> {
    crate::run::outstanding(state, now)
}
