//! How often somebody may try to log in.

use std::{collections::HashMap, hash::Hash, net::IpAddr, time::Duration};

use millwork_engine::model::Timestamp;

/// How failures become delays.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// Failures without a delay.
    free: u32,
    /// The longest delay.
    longest: Duration,
    /// After how much quiet all is forgotten.
    forgotten: Duration,
}

const ADDRESS: Rule = Rule { free: 5, longest: Duration::from_mins(15), forgotten: Duration::from_hours(1) };
/// Against many addresses at once. The delay is short, for it meets those who mean well too.
const ALL: Rule = Rule { free: 50, longest: Duration::from_secs(10), forgotten: Duration::from_mins(10) };
/// How many addresses are remembered, of each sort.
const REMEMBERED: usize = 8192;

/// Delays logins that fail: by address (all of an IPv6 /64 are one) from the fifth failure on, twice as long each
/// time, and all together if very many fail. Addresses that somebody has logged in from do not wait for those of
/// others.
#[derive(Debug)]
pub struct Throttle {
    failed: Recent<Prefix, Failures>,
    welcome: Recent<Prefix, ()>,
    all: Failures,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { failed: Recent::new(REMEMBERED), welcome: Recent::new(REMEMBERED), all: Failures::default() }
    }
}

impl Throttle {
    /// A throttle that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A login is about to be tried. It counts as failed until [`Throttle::succeeded`] says otherwise, so that many
    /// at once are not all the first. If it comes too soon, it says how long to wait, and counts for nothing.
    pub fn attempt(&mut self, from: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let prefix = Prefix::of(from);
        let mut failures = self.failed.take(&prefix).unwrap_or_default();
        let mut wait = failures.wait(ADDRESS, now);
        let all = self.all.wait(ALL, now);
        if !self.welcome.has(&prefix) {
            wait = wait.max(all);
        }
        if wait.is_zero() {
            failures.add(now);
            self.all.add(now);
        }
        self.failed.put(prefix, failures);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// The login that was tried from there was right.
    pub fn succeeded(&mut self, from: IpAddr) {
        let prefix = Prefix::of(from);
        self.failed.take(&prefix);
        self.all.count = self.all.count.saturating_sub(1);
        self.welcome.put(prefix, ());
    }
}

/// Addresses that one customer of a provider has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Prefix {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Prefix {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Failures {
    /// How long to wait now.
    fn wait(&mut self, rule: Rule, now: Timestamp) -> Duration {
        // A clock that was set back makes nobody wait longer than the delay.
        self.last = self.last.min(now);
        let quiet = now.since(self.last);
        if quiet >= rule.forgotten {
            self.count = 0;
        }
        let Some(over) = self.count.checked_sub(rule.free) else { return Duration::ZERO };
        let delay = Duration::from_secs(1_u64.checked_shl(over).unwrap_or(u64::MAX)).min(rule.longest);
        delay.saturating_sub(quiet)
    }

    fn add(&mut self, now: Timestamp) {
        self.count = self.count.saturating_add(1);
        self.last = now;
    }
}

/// A map that remembers what was used lately: between half of `most` and `most`.
#[derive(Debug)]
struct Recent<K, V> {
    most: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    fn new(most: usize) -> Self {
        Self { most, young: HashMap::new(), old: HashMap::new() }
    }

    fn has(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    fn take(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    fn put(&mut self, key: K, value: V) {
        self.old.remove(&key);
        self.young.insert(key, value);
        if self.young.len() >= self.most / 2 {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(s: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(s))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The `n`th of very many addresses.
    fn other(n: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + n).to_be_bytes())
    }

    #[test]
    fn delays_double_from_the_fifth_failure_on() {
        let mut throttle = Throttle::new();
        let from = ip("192.0.2.1");
        let mut now = Timestamp::default();
        for n in 0..5 {
            assert_eq!(throttle.attempt(from, now), Ok(()), "{n}");
        }
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let wait = Duration::from_secs(wait);
            assert_eq!(throttle.attempt(from, now), Err(wait));
            let early = now.after(wait.saturating_sub(Duration::from_micros(1)));
            assert_eq!(throttle.attempt(from, early), Err(Duration::from_micros(1)), "asking costs nothing");
            now = now.after(wait);
            assert_eq!(throttle.attempt(from, now), Ok(()), "{wait:?}");
        }
        now = now.after(Duration::from_hours(1));
        for n in 0..5 {
            assert_eq!(throttle.attempt(from, now), Ok(()), "forgotten, {n}");
        }
    }

    #[test]
    fn a_login_clears_its_address() {
        let mut throttle = Throttle::new();
        let from = ip("192.0.2.1");
        for _ in 0..20 {
            assert_eq!(throttle.attempt(from, secs(0)), Ok(()));
            throttle.succeeded(from);
        }
        assert_eq!(throttle.all.count, 0);
    }

    #[test]
    fn which_addresses_are_one() {
        let table = [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ];
        for (one, two, same) in table {
            assert_eq!(Prefix::of(ip(one)) == Prefix::of(ip(two)), same, "{one} {two}");
            let mut throttle = Throttle::new();
            for _ in 0..5 {
                throttle.attempt(ip(one), secs(0)).unwrap();
            }
            assert_eq!(throttle.attempt(ip(two), secs(0)).is_err(), same, "{one} {two}");
        }
    }

    #[test]
    fn many_addresses_together_wait_but_not_those_who_have_logged_in() {
        let mut throttle = Throttle::new();
        let known = ip("192.0.2.1");
        throttle.attempt(known, secs(0)).unwrap();
        throttle.succeeded(known);
        for n in 0..50 {
            assert_eq!(throttle.attempt(other(n), secs(0)), Ok(()), "{n}");
        }
        assert_eq!(throttle.attempt(other(50), secs(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.attempt(known, secs(0)), Ok(()));
        for n in 51..100 {
            let _ = throttle.attempt(other(n), secs(u64::from(n) * 10));
        }
        let wait = throttle.attempt(other(100), secs(990)).unwrap_err();
        assert!(wait <= ALL.longest, "{wait:?}");
        assert_eq!(throttle.attempt(other(100), secs(990 + 600)), Ok(()), "forgotten after some quiet");
    }

    #[test]
    fn memory_is_bounded_and_holds_whoever_is_active() {
        let mut throttle = Throttle::new();
        let from = ip("192.0.2.1");
        for _ in 0..5 {
            throttle.attempt(from, secs(0)).unwrap();
        }
        for n in 0..4 * REMEMBERED as u32 {
            let _ = throttle.attempt(other(n), secs(0));
            if n % 1_000 == 0 {
                assert!(throttle.attempt(from, secs(0)).is_err(), "{n}");
            }
            assert!(throttle.failed.young.len() + throttle.failed.old.len() <= REMEMBERED);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let mut throttle = Throttle::new();
        let from = ip("192.0.2.1");
        for _ in 0..5 {
            throttle.attempt(from, secs(1_000_000)).unwrap();
        }
        assert_eq!(throttle.attempt(from, secs(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.attempt(from, secs(1)), Ok(()));
    }
}
