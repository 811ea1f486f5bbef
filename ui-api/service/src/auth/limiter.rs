//! How many requests a principal may make.

use std::{collections::HashMap, time::Duration};

use millwork_engine::model::Timestamp;

const MINUTE: i64 = 60_000_000;
/// How many principals are remembered.
const REMEMBERED: usize = 4096;

/// A bucket of tokens for each principal: it holds a quarter of a minute's, and fills at the rate. So over any time
/// `t`, at most `per_minute * t + burst` requests are admitted, and a steady stream at the rate is never refused.
#[derive(Debug, Default)]
pub struct Limiter {
    /// For each principal, when its bucket will be full again. A bucket that is full needs no place.
    full_at: HashMap<Box<str>, i64>,
}

impl Limiter {
    /// A limiter that has admitted nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many requests may come at once.
    pub const fn burst(per_minute: u32) -> u32 {
        let quarter = per_minute / 4;
        if quarter == 0 { 1 } else { quarter }
    }

    /// Admits a request, or says when the next may come.
    pub fn admit(&mut self, id: &str, per_minute: u32, now: Timestamp) -> Result<(), Duration> {
        if per_minute == 0 {
            return Err(Duration::from_micros(MINUTE as u64));
        }
        // Rounded up: a rate that does not divide a minute is kept from below.
        let step = (MINUTE as u64).div_ceil(u64::from(per_minute)) as i64;
        let depth = step.saturating_mul(i64::from(Self::burst(per_minute)));
        let now = now.as_micros();
        let full_at = self.full_at.get(id).copied().unwrap_or(now);
        // Not before now; and not further ahead than an empty bucket is, even if the clock was set back.
        let full_at = full_at.clamp(now, now.saturating_add(depth));
        let next = full_at.saturating_add(step);
        let early = next.saturating_sub(now).saturating_sub(depth);
        if early > 0 {
            return Err(Duration::from_micros(early as u64));
        }
        match self.full_at.get_mut(id) {
            Some(known) => *known = next,
            None => {
                self.make_room(now);
                self.full_at.insert(id.into(), next);
            }
        }
        Ok(())
    }

    /// Forgets full buckets if there are many; if none is full, the fullest.
    fn make_room(&mut self, now: i64) {
        if self.full_at.len() < REMEMBERED {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= REMEMBERED
            && let Some(fullest) = self.full_at.iter().min_by_key(|(_, full_at)| **full_at).map(|(id, _)| id.clone())
        {
            self.full_at.remove(&fullest);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut limiter = Limiter::new();
        let secs = |s: i64| at(s * 1_000_000);
        for _ in 0..15 {
            assert_eq!(limiter.admit("a", 60, secs(0)), Ok(()));
        }
        assert_eq!(limiter.admit("a", 60, secs(0)), Err(Duration::from_secs(1)));
        assert_eq!(limiter.admit("b", 60, secs(0)), Ok(()), "another principal");
        assert_eq!(limiter.admit("a", 60, at(400_000)), Err(Duration::from_millis(600)));
        assert_eq!(limiter.admit("a", 60, secs(1)), Ok(()));
        assert_eq!(limiter.admit("a", 60, secs(1)), Err(Duration::from_secs(1)));
        for (rate, burst) in [(1, 1), (4, 1), (8, 2), (60, 15), (u32::MAX, u32::MAX / 4)] {
            assert_eq!(Limiter::burst(rate), burst, "{rate}");
        }
        assert!(limiter.admit("c", 0, secs(0)).is_err() && limiter.admit("c", u32::MAX, secs(0)).is_ok());
    }

    #[test]
    fn a_steady_stream_at_the_rate_is_never_refused() {
        for rate in [1, 3, 7, 60, 1_000, 59_999] {
            let mut limiter = Limiter::new();
            let step = (MINUTE as u64).div_ceil(u64::from(rate)) as i64;
            for n in 0..1_000 {
                assert_eq!(limiter.admit("a", rate, at(n * step)), Ok(()), "{rate} a minute, request {n}");
            }
        }
    }

    #[test]
    fn who_waits_as_told_is_admitted() {
        let mut limiter = Limiter::new();
        let mut now = 0;
        for n in 0..500 {
            if let Err(wait) = limiter.admit("a", 7, at(now)) {
                assert!(limiter.admit("a", 7, at(now + wait.as_micros() as i64 - 1)).is_err(), "{n}");
                now += wait.as_micros() as i64;
                assert_eq!(limiter.admit("a", 7, at(now)), Ok(()), "{n}");
            }
        }
    }

    #[test]
    fn never_more_than_the_rate_over_any_window() {
        let seed: u64 = std::env::var("MILLWORK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
        eprintln!("MILLWORK_SEED={seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        for round in 0..25 {
            let rate: u32 = [1, 2, 5, 13, 60, 600, 7_001][rng.random_range(0..7)];
            let step = MINUTE / i64::from(rate);
            let mut limiter = Limiter::new();
            let (mut now, mut admitted) = (rng.random_range(0..MINUTE), Vec::new());
            for _ in 0..1_000 {
                // Bursts, streams near the rate, and pauses.
                now += match rng.random_range(0..10) {
                    0..5 => 0,
                    5..9 => rng.random_range(0..=2 * step),
                    _ => rng.random_range(0..=20 * step),
                };
                match limiter.admit("a", rate, at(now)) {
                    Ok(()) => admitted.push(now),
                    // Some come as soon as they may.
                    Err(wait) if rng.random_bool(0.5) => now += wait.as_micros() as i64,
                    Err(_) => {}
                }
            }
            for from in 0..admitted.len() {
                for to in from..admitted.len() {
                    let window = i128::from(admitted[to] - admitted[from]);
                    let most = window * i128::from(rate) / i128::from(MINUTE) + i128::from(Limiter::burst(rate));
                    let count = (to - from + 1) as i128;
                    assert!(count <= most, "seed {seed}, round {round}: {count} of {most} in {window} µs at {rate}");
                }
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let mut limiter = Limiter::new();
        assert!(limiter.admit("a", 60, at(1_000 * MINUTE)).is_ok());
        let wait = limiter.admit("a", 60, at(0)).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limiter.admit("a", 60, at(i64::MAX)).is_ok() && limiter.admit("a", 60, at(i64::MIN)).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let mut limiter = Limiter::new();
        for n in 0..3 * REMEMBERED as i64 {
            assert_eq!(limiter.admit(&n.to_string(), 1, at(n)), Ok(()));
        }
        assert!(limiter.full_at.len() <= REMEMBERED);
        limiter.admit("late", 1, at(10 * MINUTE)).unwrap();
        assert_eq!(limiter.full_at.len(), 1, "full buckets go first");
    }
}
