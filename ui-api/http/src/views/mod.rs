//! The JSON that the API gives.

mod pipeline;
mod run;
mod step;
mod value;
mod wait;

pub(crate) use pipeline::*;
pub(crate) use run::*;
pub(crate) use step::*;
pub(crate) use value::*;
pub(crate) use wait::*;

use std::time::Duration;

use millwork_engine::model::Timestamp;

/// A time as RFC 3339 in UTC, with microseconds.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_datetime().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Seconds.
pub(crate) fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e6
}

/// An enum of the engine as its word.
pub(crate) fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
