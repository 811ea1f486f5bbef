//! Harnesses and conformance suites for those who extend Millwork.

<<<<<<< HEAD
pub mod faulty;
pub mod store_suite;

pub use faulty::{FaultKind, FaultPlan, FaultyStore};
=======
pub mod simulation;
>>>>>>> machine
