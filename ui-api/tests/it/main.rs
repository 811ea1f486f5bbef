//! The real binary, from outside.

mod cli;
mod kinds;
