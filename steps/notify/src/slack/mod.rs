//! `notify.slack`: a message to a channel, by an incoming webhook.

mod answer;
mod config;
mod kind;

pub use kind::Slack;
