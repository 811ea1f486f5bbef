//! `report`: one HTML page that needs nothing else.

mod axis;
mod chart;
mod columns;
mod config;
mod kind;
mod number;
mod page;
mod svg;
#[cfg(test)]
mod tests;

pub use kind::Report;
