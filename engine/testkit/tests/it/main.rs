//! The testkit's suites, on the backends of this repository.
#![allow(clippy::unwrap_used, missing_docs)]

mod engine;
mod kinds;
mod store;
