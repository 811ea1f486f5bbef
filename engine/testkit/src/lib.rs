//! Harnesses and conformance suites for those who extend Millwork.

pub mod faulty;
pub mod selftest;
pub mod simulation;
pub mod store_suite;

pub use faulty::{FaultKind, FaultPlan, FaultyStore};
