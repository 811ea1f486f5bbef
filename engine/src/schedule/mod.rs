//! Layer 1: when things run. A cron line, a time zone and rules for days on which clocks change make a
//! [`Calendar`]; with what has run already, it says what is due. Pure: the time is an input.

mod calendar;
mod civil;
mod cron_line;
mod due;
#[cfg(test)]
mod tests;

pub use calendar::{Calendar, Falls, Occurrence, Ticks};
pub use civil::{DstGap, DstOverlap};
pub use cron_line::CronLine;
pub use due::{Catchup, Due};
