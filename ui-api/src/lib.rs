//! The millwork command line.

pub mod cli;
