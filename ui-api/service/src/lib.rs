//! Pipelines as a running service: a catalog of them, schedules, triggers, queues, tokens, audit. No HTTP.

pub mod audit;
pub mod auth;
pub mod catalog;
pub mod desk;
pub mod queue;
pub mod ticker;
