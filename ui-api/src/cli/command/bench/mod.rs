//! `millwork bench`: what Millwork costs on this machine, beside what the machine itself can do.

mod child;
mod command;
mod fan;
mod figure;
mod files;
mod kinds;
mod log;
mod parse;
mod service;
mod sql;
mod start;
mod steps;
mod table;
mod wal;
mod world;

pub(super) use command::bench;
