//! `shell`: one command, given as a list of words. Values reach it as arguments, environment or
//! standard input, never as text of a shell line.

mod argv;
mod kind;
mod output;
mod run;

pub use kind::Shell;
pub(crate) use output::from_json;
