//! `table.read`: files, or a text in the pipeline, as a table.

mod columns;
mod config;
mod kind;
mod load;
#[cfg(test)]
mod tests;

pub use kind::TableRead;
#[cfg(test)]
pub(crate) use load::{Reading, inline_table};
