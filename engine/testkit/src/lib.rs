//! Harnesses and conformance suites for those who extend Millwork.
//!
//! - A new kind of step: [`kind_suite`] on its registry; [`kill`] on a pipeline that uses it.
//! - A new store: [`store_suite`], and [`faulty`] for what stands on it.
//! - A change to the engine: [`script`] for steps that do as told, [`simulation`] for the run machine under faults,
//!   [`selftest`] for random pipelines under real kills, `millwork_engine::model::ManualClock` for time.

pub mod faulty;
pub mod kill;
pub mod kind_suite;
pub mod program;
pub mod record;
pub mod script;
pub mod selftest;
pub mod simulation;
pub mod store_suite;

pub use faulty::{FaultKind, FaultPlan, FaultyStore};
