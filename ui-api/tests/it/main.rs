//! The real binary, from outside.

mod approvals;
mod children;
mod cli;
mod facts;
mod hostile;
mod kill;
mod kinds;
mod orphans;
mod owners;
mod program;
mod schedules;
mod selftest;
mod serve;
mod serving;
mod shown;
mod signals;
mod traces;
