//! Layer 5: the run machine, pure. [`decide`] turns an input into events, [`evolve`] applies a
//! committed event to the state, [`outstanding`] says what must be (re)issued. No IO, no await, no
//! clock: time is an input, and whatever is drawn is in the event.

mod command;
mod input;

pub use command::Command;
pub use input::{AttemptEnd, Input, ItemEnd, Planned};
