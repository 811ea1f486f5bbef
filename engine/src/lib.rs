//! Millwork's engine: parse, check, plan, run and record pipelines written in YAML.
//!
//! The engine names no concrete step; families register theirs in a registry. Modules are
//! layers: a module imports only lower ones, and `tests/it/tidy.rs` fails otherwise.

pub mod diag;
pub mod model;

pub mod data;
