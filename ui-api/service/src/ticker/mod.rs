//! Starts runs at the times of schedules.

mod clockwork;
mod due;
mod late;
mod record;

pub use clockwork::{ScheduleView, Ticker};
pub use due::{Due, delay};
pub use late::{Late, Lateness};
pub use record::{LastTick, Pause, ScheduleRecord};
