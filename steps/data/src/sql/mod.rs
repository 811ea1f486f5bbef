//! `sql`: a query over tables.

mod engine;
mod fault;
mod kind;
mod names;
mod param;
mod place;
mod problem;
mod source;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use engine::{Engine, SqlTable, run_query};
pub use kind::Sql;
pub(crate) use names::{parse, relations};
