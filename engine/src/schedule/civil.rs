use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

/// `dst.gap`: a local time that does not exist on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DstGap {
    /// Runs at the first moment after the gap.
    #[default]
    RunAfter,
    /// Does not run that day.
    Skip,
}

/// `dst.overlap`: a local time that comes twice on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DstOverlap {
    /// Runs the first time.
    #[default]
    Once,
    /// Runs both times.
    Twice,
}

/// More than any zone's clocks were ever set forward or back: Pacific/Apia left out a whole day.
pub(super) const MOST_CHANGE: Duration = Duration::hours(26);

/// What a time on the wall is in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Civil {
    /// One moment.
    Once(DateTime<Utc>),
    /// None: clocks were set forward over it; the first moment after the gap.
    Gap(DateTime<Utc>),
    /// Two: clocks were set back over it.
    Twice(DateTime<Utc>, DateTime<Utc>),
}

impl Civil {
    pub(super) fn of(local: NaiveDateTime, zone: Tz) -> Self {
        match zone.from_local_datetime(&local) {
            LocalResult::Single(at) => Self::Once(at.to_utc()),
            LocalResult::Ambiguous(first, second) => Self::Twice(first.to_utc(), second.to_utc()),
            LocalResult::None => Self::Gap(end_of_gap(local, zone)),
        }
    }
}

/// The same moment, or the nearest that calendars are made for: from the year 1 to the year 9999.
pub(super) fn within_reach(at: DateTime<Utc>) -> DateTime<Utc> {
    let first = NaiveDate::from_ymd_opt(1, 1, 3).unwrap_or_default();
    let last = NaiveDate::from_ymd_opt(9999, 12, 29).unwrap_or_default();
    at.clamp(first.and_time(NaiveTime::MIN).and_utc(), last.and_time(NaiveTime::MIN).and_utc())
}

/// What the clocks of a zone show.
pub(super) fn on_the_wall(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// Whether no clock of the zone is changed about then, so that times on the wall are in the order of time.
pub(super) fn is_quiet(at: DateTime<Utc>, zone: Tz) -> bool {
    let shift = |at: DateTime<Utc>| on_the_wall(at, zone) - at.naive_utc();
    shift(at - MOST_CHANGE) == shift(at + MOST_CHANGE)
}

/// The first second at which the clocks of a zone show a later time than one that they never show.
fn end_of_gap(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let middle = local.and_utc();
    let (mut before, mut after) = ((middle - MOST_CHANGE).timestamp(), (middle + MOST_CHANGE).timestamp());
    while after - before > 1 {
        let half = before + (after - before) / 2;
        let shown = DateTime::from_timestamp(half, 0).map(|at| on_the_wall(at, zone));
        if shown.is_some_and(|shown| shown > local) { after = half } else { before = half }
    }
    DateTime::from_timestamp(after, 0).unwrap_or(middle)
}
