//! `table.check`: what a table is expected to be.

mod expect;
mod kind;
mod probe;
mod query;

pub use kind::TableCheck;
