use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDateTime, Timelike, Utc};
use chrono_tz::Tz;

use super::{
    CronLine,
    civil::{Civil, DstGap, DstOverlap, MOST_CHANGE, is_quiet, on_the_wall, within_reach},
    cron_line::Pattern,
};
use crate::model::Timestamp;

/// The times of a schedule. A line that goes by the hour ([`CronLine::is_by_the_hour`]) follows the time that
/// passes: no moment is left out or doubled. Any other follows the clocks on the wall, and the two rules say what
/// happens to times that clocks never show, or show twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// The line.
    pub cron: CronLine,
    /// Whose clocks.
    pub zone: Tz,
    /// `dst.gap`.
    pub gap: DstGap,
    /// `dst.overlap`.
    pub overlap: DstOverlap,
}

/// A time on the wall that the line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// What the clocks show.
    pub local: NaiveDateTime,
    /// When that is.
    pub falls: Falls,
}

/// When a time on the wall is, by the calendar's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Falls {
    /// As on most days.
    Once(Timestamp),
    /// Clocks skip it; it runs after the gap.
    Moved(Timestamp),
    /// Clocks skip it, and so does the schedule.
    Nowhere,
    /// Clocks show it twice; it runs the first time.
    First(Timestamp),
    /// Clocks show it twice, and it runs twice.
    Twice(Timestamp, Timestamp),
}

impl Falls {
    /// The moments, in order.
    pub fn moments(self) -> impl Iterator<Item = Timestamp> {
        let (first, second) = match self {
            Self::Once(at) | Self::Moved(at) | Self::First(at) => (Some(at), None),
            Self::Nowhere => (None, None),
            Self::Twice(first, second) => (Some(first), Some(second)),
        };
        first.into_iter().chain(second)
    }
}

impl Calendar {
    /// Times on the wall from `from` on, in their order.
    pub fn occurrences(&self, from: NaiveDateTime) -> impl Iterator<Item = Occurrence> {
        let pattern = self.cron.pattern();
        std::iter::successors(pattern.next(from, true), move |local| pattern.next(*local, false))
            .map(|local| self.occurrence(local))
    }

    /// Moments after `after`, in their order.
    pub fn ticks(&self, after: Timestamp) -> Ticks<'_> {
        let at = within_reach(after.to_datetime());
        let local = whole_second(on_the_wall(at, self.zone)) - slack(at, self.zone);
        let pattern = self.cron.pattern();
        let ahead = pattern.next(local, false).map(|local| self.occurrence(local));
        Ticks { calendar: self, pattern, ahead, found: BTreeSet::new(), after }
    }

    /// The first moment after `after`.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.ticks(after).next()
    }

    /// The last moment before `before`.
    pub fn previous(&self, before: Timestamp) -> Option<Timestamp> {
        let at = within_reach(before.to_datetime());
        let (here, slack) = (on_the_wall(at, self.zone), slack(at, self.zone));
        let pattern = self.cron.pattern();
        let mut local = pattern.previous(whole_second(here + slack), true);
        let mut best = None;
        while let Some(found) = local {
            let moments = self.occurrence(found).falls.moments();
            best = best.max(moments.filter(|at| *at < before).max());
            if best.is_some() && found <= here - slack {
                break;
            }
            local = pattern.previous(found, false);
        }
        best
    }

    /// The time that a moment of this calendar stands for: from the moment before to it. A first one stands for
    /// no time at all.
    pub fn interval(&self, tick: Timestamp) -> (Timestamp, Timestamp) {
        (self.previous(tick).unwrap_or(tick), tick)
    }

    fn occurrence(&self, local: NaiveDateTime) -> Occurrence {
        let by_the_hour = self.cron.is_by_the_hour();
        let falls = match Civil::of(local, self.zone) {
            Civil::Once(at) => Falls::Once(at.into()),
            Civil::Gap(after) if self.gap == DstGap::RunAfter && !by_the_hour => Falls::Moved(after.into()),
            Civil::Gap(_) => Falls::Nowhere,
            Civil::Twice(first, second) if self.overlap == DstOverlap::Twice || by_the_hour => {
                Falls::Twice(first.into(), second.into())
            }
            Civil::Twice(first, _) => Falls::First(first.into()),
        };
        Occurrence { local, falls }
    }
}

/// Moments in order; see [`Calendar::ticks`]. Times that a gap moves to the same moment are one.
#[derive(Debug)]
pub struct Ticks<'a> {
    calendar: &'a Calendar,
    pattern: Pattern,
    ahead: Option<Occurrence>,
    /// Moments of times that were looked at and may not be the next yet.
    found: BTreeSet<Timestamp>,
    after: Timestamp,
}

impl Iterator for Ticks<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        loop {
            // Where clocks are set back, the second moment of a time comes after the first of the next.
            while let Some(ahead) = self.ahead {
                let first = ahead.falls.moments().next();
                if self.found.first().is_some_and(|found| first.is_some_and(|first| first > *found)) {
                    break;
                }
                self.found.extend(ahead.falls.moments());
                self.ahead = self.pattern.next(ahead.local, false).map(|local| self.calendar.occurrence(local));
            }
            let tick = self.found.pop_first()?;
            if tick > self.after {
                self.after = tick;
                return Some(tick);
            }
        }
    }
}

fn whole_second(local: NaiveDateTime) -> NaiveDateTime {
    local.with_nanosecond(0).unwrap_or(local)
}

/// How far times on the wall may be out of the order of time.
fn slack(at: DateTime<Utc>, zone: Tz) -> Duration {
    if is_quiet(at, zone) { Duration::zero() } else { MOST_CHANGE }
}
