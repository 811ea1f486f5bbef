//! The real binary, from outside.

mod cli;
mod kill;
mod kinds;
mod orphans;
mod owners;
mod program;
mod selftest;
