//! Layer 5: the run machine, pure. [`decide`] turns an input into events, [`evolve`] applies a
//! committed event to the state, [`outstanding`] says what must be (re)issued. No IO, no await, no
//! clock: time is an input, and whatever is drawn is in the event.
//!
//! A run begins with `RunCreated`, which the facade makes; the first input is `Taken`. What the steps
//! of a run mean is said in [`RunState`] and in the tests of `decide`.

mod command;
mod decide;
mod evolve;
mod input;
mod items;
mod outstanding;
#[cfg_attr(not(feature = "planted-bugs"), allow(unreachable_pub))]
pub mod planted;
mod queues;
mod resume;
mod slots;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod transition;

pub use command::Command;
pub use decide::{IllegalInput, decide, decide_many};
pub use evolve::evolve;
pub use input::{AttemptEnd, Input, ItemEnd, Planned};
pub use outstanding::outstanding;
pub use snapshot::SnapshotError;
pub use state::RunState;
pub use transition::{IllegalMove, next};
