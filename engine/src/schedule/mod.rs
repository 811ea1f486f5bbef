//! Layer 1: when things run. A cron line, a time zone and rules for days on which clocks change make a
//! [`Calendar`], which says what moments come after or before one. Pure: the time is an input.

mod calendar;
mod catchup;
mod civil;
mod cron_line;
mod finish_by;
#[cfg(test)]
mod tests;

pub use calendar::{Calendar, Falls, Occurrence, Ticks};
pub use catchup::Catchup;
pub use civil::{DstGap, DstOverlap};
pub use cron_line::CronLine;
pub use finish_by::FinishBy;
