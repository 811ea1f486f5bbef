//! The real binary, from outside.

mod cli;
mod kill;
mod orphans;
mod owners;
mod program;
mod selftest;
