//! The real binary, from outside.

mod cli;
mod kill;
mod program;
