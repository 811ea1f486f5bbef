//! Pipelines as a running service: a catalog of them, schedules, triggers, queues, tokens, audit. No HTTP.

pub mod audit;
pub mod auth;
pub mod backfill;
pub mod catalog;
pub mod desk;
pub mod events;
pub mod queue;
mod retention;
mod service;
pub mod tally;
pub mod ticker;
pub mod triggers;

pub use service::{Service, ServiceOptions, starting};
