use std::time::Duration;

use super::Calendar;
use crate::model::Timestamp;

/// `catchup`: what happens to times at which nobody was there to start anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Catchup {
    /// They are lost.
    #[default]
    None,
    /// The last of them runs.
    Latest,
    /// They run in their order, the last ones if there are more than this.
    All {
        /// At most this many.
        limit: u32,
    },
}

impl Catchup {
    /// `catchup_limit` where none is given.
    pub const DEFAULT_LIMIT: u32 = 100;
}

/// A moment that began this long ago or less runs in any case: a restart or a busy machine loses nothing.
const LATE: Duration = Duration::from_secs(60);

/// What is due, given how far a schedule was seen to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Moments to run, in order.
    pub run: Vec<Timestamp>,
    /// Moments that are lost: the first, the last, and how many there are.
    pub missed: Option<(Timestamp, Timestamp, u64)>,
    /// The next moment after now.
    pub next: Option<Timestamp>,
}

impl Due {
    /// What is due `now`, everything up to `seen` having been seen to.
    pub fn at(calendar: &Calendar, catchup: Catchup, seen: Timestamp, now: Timestamp) -> Self {
        let mut due = Self::default();
        let keep = match catchup {
            Catchup::None => 0,
            Catchup::Latest => 1,
            Catchup::All { limit } => limit as usize,
        };
        let mut missed = std::collections::VecDeque::new();
        for tick in calendar.ticks(seen) {
            if tick > now {
                due.next = Some(tick);
                break;
            }
            if tick.after(LATE) >= now {
                due.run.push(tick);
                continue;
            }
            missed.push_back(tick);
            if missed.len() > keep
                && let Some(lost) = missed.pop_front()
            {
                let (first, _, count) = due.missed.unwrap_or((lost, lost, 0));
                due.missed = Some((first, lost, count + 1));
            }
        }
        // A moment that is only late is newer than any that was missed: with `latest` it stands for them.
        if catchup == Catchup::Latest
            && !due.run.is_empty()
            && let Some(lost) = missed.pop_front()
        {
            let (first, _, count) = due.missed.unwrap_or((lost, lost, 0));
            due.missed = Some((first, lost, count + 1));
        }
        due.run.splice(0..0, missed);
        due
    }
}
