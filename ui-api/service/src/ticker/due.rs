use std::{collections::VecDeque, time::Duration};

use millwork_engine::{
    model::Timestamp,
    schedule::{Calendar, Catchup},
};

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
    /// What is due `now`, everything up to `seen` having been seen to. A schedule whose runs are delayed by up to
    /// `jitter` is late by as much later.
    pub fn at(calendar: &Calendar, catchup: Catchup, jitter: Duration, seen: Timestamp, now: Timestamp) -> Self {
        let mut due = Self::default();
        let keep = match catchup {
            Catchup::None => 0,
            Catchup::Latest => 1,
            Catchup::All { limit } => limit as usize,
        };
        let mut missed = VecDeque::new();
        for tick in calendar.ticks(seen) {
            if tick > now {
                due.next = Some(tick);
                break;
            }
            if tick.after(LATE + jitter) >= now {
                due.run.push(tick);
                continue;
            }
            missed.push_back(tick);
            if missed.len() > keep
                && let Some(lost) = missed.pop_front()
            {
                due.lose(lost);
            }
        }
        // A moment that is only late is newer than any that was missed: with `latest` it stands for them.
        if catchup == Catchup::Latest
            && !due.run.is_empty()
            && let Some(lost) = missed.pop_front()
        {
            due.lose(lost);
        }
        due.run.splice(0..0, missed);
        due
    }

    fn lose(&mut self, lost: Timestamp) {
        let (first, _, count) = self.missed.unwrap_or((lost, lost, 0));
        self.missed = Some((first, lost, count + 1));
    }
}

/// How long the run of a moment is delayed: less than `jitter`, the same whenever it is asked.
pub fn delay(key: &str, jitter: Duration) -> Duration {
    let micros = u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX);
    if micros == 0 {
        return Duration::ZERO;
    }
    let digest = millwork_engine::model::Digest::of(key.as_bytes());
    let drawn = digest.as_bytes().iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Duration::from_micros(drawn % micros)
}

#[cfg(test)]
mod tests {
    use millwork_engine::schedule::{CronLine, DstGap, DstOverlap};

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn hourly() -> Calendar {
        let cron = CronLine::parse("0 * * * *").expect("a line");
        Calendar { cron, zone: chrono_tz::UTC, gap: DstGap::default(), overlap: DstOverlap::default() }
    }

    fn at(hours: i64, minutes: i64) -> Timestamp {
        Timestamp::from_micros(1_700_002_800_000_000 / HOUR * HOUR + hours * HOUR + minutes * 60_000_000)
    }

    #[test]
    fn what_is_due() {
        let (zero, all) = (Duration::ZERO, Catchup::All { limit: 2 });
        let due = |catchup, now| Due::at(&hourly(), catchup, zero, at(0, 0), now);
        // On time, and up to a minute late.
        for catchup in [Catchup::None, Catchup::Latest, all] {
            let on_time = due(catchup, at(1, 1));
            assert_eq!((on_time.run, on_time.missed, on_time.next), (vec![at(1, 0)], None, Some(at(2, 0))));
            assert_eq!(due(catchup, at(0, 59)).run, []);
        }
        // Four hours later.
        let lost = |from, to, count| Some((at(from, 0), at(to, 0), count));
        let none = due(Catchup::None, at(4, 30));
        assert_eq!((none.run, none.missed), (vec![], lost(1, 4, 4)));
        let latest = due(Catchup::Latest, at(4, 30));
        assert_eq!((latest.run, latest.missed), (vec![at(4, 0)], lost(1, 3, 3)));
        let some = due(all, at(4, 30));
        assert_eq!((some.run, some.missed), (vec![at(3, 0), at(4, 0)], lost(1, 2, 2)));
        // One is only late: with `latest` it stands for those before it.
        let latest = due(Catchup::Latest, at(4, 1));
        assert_eq!((latest.run, latest.missed), (vec![at(4, 0)], lost(1, 3, 3)));
        // A delayed one is not late yet.
        let jitter = Duration::from_mins(20);
        assert_eq!(Due::at(&hourly(), Catchup::None, jitter, at(0, 0), at(1, 21)).run, [at(1, 0)]);
        assert_eq!(Due::at(&hourly(), Catchup::None, jitter, at(0, 0), at(1, 22)).run, []);
    }

    #[test]
    fn delays_are_shorter_than_asked_and_stay_the_same() {
        let jitter = Duration::from_secs(30);
        let drawn: Vec<Duration> = (0..200).map(|n| delay(&format!("schedule/p/0/{n}"), jitter)).collect();
        assert!(drawn.iter().all(|delay| *delay < jitter));
        assert_eq!(drawn[7], delay("schedule/p/0/7", jitter));
        let late = drawn.iter().filter(|delay| **delay > jitter / 2).count();
        assert!((60..140).contains(&late), "spread over the whole time, {late}");
        assert_eq!(delay("x", Duration::ZERO), Duration::ZERO);
    }
}
