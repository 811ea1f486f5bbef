use std::{fmt, time::Duration};

use chrono::{Days, NaiveTime};
use chrono_tz::Tz;

use super::civil::{Civil, on_the_wall};
use crate::model::{
    Timestamp,
    units::{parse_duration, show_duration},
};

/// `finish_by:` of a schedule: by when the run of a time must have succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishBy {
    /// When the clocks on the wall show this next, after the time of the schedule.
    Clock(NaiveTime),
    /// So long after the time of the schedule.
    After(Duration),
}

impl FinishBy {
    /// Reads `06:00` or `4h`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            let time = NaiveTime::parse_from_str(text, "%H:%M");
            return time.map(Self::Clock).map_err(|_| format!("`{text}` is no time of a day, such as `06:00`"));
        }
        match parse_duration(text) {
            Ok(time) if time.is_zero() => Err("nothing is finished after no time".to_owned()),
            Ok(time) => Ok(Self::After(time)),
            Err(error) => Err(format!("`{text}` {error}; or a time of the day, such as `06:00`")),
        }
    }

    /// The latest moment for the run of a time. A time on the wall that clocks skip is the first moment after the gap,
    /// one that they show twice the first of the two.
    pub fn deadline(self, tick: Timestamp, zone: Tz) -> Timestamp {
        let clock = match self {
            Self::After(time) => return tick.after(time),
            Self::Clock(clock) => clock,
        };
        let today = on_the_wall(tick.to_datetime(), zone).date();
        let days = (0..4).filter_map(|n| today.checked_add_days(Days::new(n)));
        let mut moments = days.map(|day| match Civil::of(day.and_time(clock), zone) {
            Civil::Once(at) | Civil::Gap(at) | Civil::Twice(at, _) => Timestamp::from(at),
        });
        moments.find(|at| *at > tick).unwrap_or(tick)
    }
}

impl fmt::Display for FinishBy {
    /// As `finish_by:` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(clock) => write!(f, "{}", clock.format("%H:%M")),
            Self::After(time) => f.write_str(&show_duration(*time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        chrono::DateTime::parse_from_rfc3339(text).expect("a time").to_utc().into()
    }

    #[test]
    fn the_next_time_that_the_clocks_show_it() {
        let six = FinishBy::parse("06:00").expect("a time");
        let berlin = chrono_tz::Europe::Berlin;
        for (tick, deadline) in [
            ("2026-11-28T02:00:00+01:00", "2026-11-28T06:00:00+01:00"),
            // On the evening before.
            ("2026-11-27T22:00:00+01:00", "2026-11-28T06:00:00+01:00"),
            ("2026-11-28T06:00:00+01:00", "2026-11-29T06:00:00+01:00"),
            // Clocks are set forward and back meanwhile.
            ("2026-03-29T01:00:00+01:00", "2026-03-29T06:00:00+02:00"),
            ("2026-10-25T01:00:00+02:00", "2026-10-25T06:00:00+01:00"),
        ] {
            assert_eq!(six.deadline(at(tick), berlin), at(deadline), "{tick}");
        }
        let skipped = FinishBy::parse("02:30").expect("a time");
        assert_eq!(skipped.deadline(at("2026-03-29T01:00:00+01:00"), berlin), at("2026-03-29T03:00:00+02:00"));
        assert_eq!(skipped.deadline(at("2026-10-25T01:00:00+02:00"), berlin), at("2026-10-25T02:30:00+02:00"));
        // A day that was left out.
        let apia = chrono_tz::Pacific::Apia;
        assert_eq!(six.deadline(at("2011-12-29T07:00:00-10:00"), apia), at("2011-12-31T00:00:00+14:00"));
    }

    #[test]
    fn so_long_after_the_time() {
        let four = FinishBy::parse("4h").expect("a duration");
        assert_eq!(four.deadline(at("2026-11-28T02:00:00Z"), chrono_tz::UTC), at("2026-11-28T06:00:00Z"));
        for text in ["06:00", "4h", "30s"] {
            assert_eq!(FinishBy::parse(text).map(|by| by.to_string()).as_deref(), Ok(text));
        }
        for bad in ["", "6", "25:00", "06:00:00", "soon", "0s"] {
            assert!(FinishBy::parse(bad).is_err(), "{bad}");
        }
    }
}
