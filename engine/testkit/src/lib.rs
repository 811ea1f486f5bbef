//! Harnesses and conformance suites for those who extend Millwork.

pub mod simulation;
