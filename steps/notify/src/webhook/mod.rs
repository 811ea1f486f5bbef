//! `notify.webhook`: one request to a program elsewhere.

mod config;
mod kind;
mod send;
mod sign;

pub use kind::Webhook;
