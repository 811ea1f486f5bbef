//! Starts runs at the times of schedules.

mod clockwork;
mod due;
mod record;

pub use clockwork::{ScheduleView, Ticker};
pub use due::{Due, delay};
pub use record::{LastTick, ScheduleRecord};
