//! Millwork's engine: parse, check, plan, run and record pipelines written in YAML.
//!
//! The engine names no concrete step; families register theirs in a registry. Modules are
//! layers: a module imports only lower ones, and `tests/it/tidy.rs` fails otherwise.

pub mod crash;
pub mod diag;
pub mod model;

pub mod data;
pub mod expr;
pub mod schedule;

pub mod spec;

pub mod step;

pub mod graph;

pub mod run;

pub mod executor;
pub mod store;

pub mod scheduler;

mod engine;

pub use engine::{
    Durability, Engine, EngineOptions, GcReport, ItemCounts, Keep, LogLine, LogPage, LogPlace, LogQuery, Prepared,
    RerunPlan, RunHandle, RunLook, RunOwner, RunRequest, RunSummary, Started, StepSummary, Tick, Update, schedules,
    thaw, triggers_of,
};
