//! TPC-H, to compare `sql` with the query engine it stands on: the tables and the 22 queries.

mod compare;
mod generate;

pub use compare::{QUERIES, bare, ours};
pub use generate::tables;
