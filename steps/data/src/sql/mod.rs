//! `sql`: a query over tables.

mod depth;
mod engine;
mod fault;
#[cfg(test)]
mod flights_tests;
mod in_order;
mod kind;
mod lazy;
mod names;
mod param;
mod place;
mod problem;
mod rows;
mod source;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use engine::{Engine, SqlTable, run_query};
pub use kind::Sql;
