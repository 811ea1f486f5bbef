//! The rules of a run, each a small play: a plan, then `input -> events` lines. See [`bench`] for the words.

mod bench;
mod endings;
mod fan_outs;
mod guards;
mod requests;
mod steps;
mod waits;
