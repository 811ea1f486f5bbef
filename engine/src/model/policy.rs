//! How often, how long and how patiently a step is tried.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fault, FaultCode, Retry};

/// How the delay between attempts grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// The same delay each time.
    Constant,
    /// The first delay times the number of failed attempts.
    Linear,
    /// Twice the delay before.
    #[default]
    Exponential,
}

/// `retry:` of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: u32,
    /// Delay after the first failed attempt.
    pub delay: Duration,
    /// How the delay grows.
    pub backoff: Backoff,
    /// No delay is longer.
    pub max_delay: Duration,
    /// Whether a delay is drawn from 50 to 100 % of what it would be.
    pub jitter: bool,
    /// Fault codes to retry; empty means every fault that says a retry can help.
    pub on_codes: Vec<String>,
    /// Exit codes to retry, beside `on_codes`.
    pub on_exit_codes: Vec<i32>,
}

impl Default for RetryPolicy {
    /// One attempt, no retry.
    fn default() -> Self {
        Self {
            max_attempts: 1,
            delay: Duration::from_secs(2),
            backoff: Backoff::Exponential,
            max_delay: Duration::from_mins(1),
            jitter: true,
            on_codes: Vec::new(),
            on_exit_codes: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// The delay before the next attempt after `failed` failed ones (1 = the first), or `None` if there
    /// is none. `chance` in `0.0..1.0` is drawn by the caller, so that the answer is a pure function.
    pub fn next_delay(&self, failed: u32, fault: &Fault, chance: f64) -> Option<Duration> {
        if failed >= self.max_attempts || !self.covers(fault) {
            return None;
        }
        let factor = match self.backoff {
            Backoff::Constant => 1,
            Backoff::Linear => failed,
            Backoff::Exponential => 2_u32.saturating_pow(failed.saturating_sub(1)),
        };
        let full = self.delay.checked_mul(factor).unwrap_or(self.max_delay).min(self.max_delay);
        let drawn = if self.jitter { full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0) } else { full };
        match fault.retry {
            Retry::AfterMillis(least) => Some(drawn.max(Duration::from_millis(least))),
            Retry::Never | Retry::Backoff => Some(drawn),
        }
    }

    fn covers(&self, fault: &Fault) -> bool {
        if fault.code == FaultCode::CANCELLED {
            return false;
        }
        if self.on_codes.is_empty() && self.on_exit_codes.is_empty() {
            return fault.retry != Retry::Never;
        }
        self.on_codes.iter().any(|code| code == fault.code.as_str())
            || fault.exit_code.is_some_and(|status| self.on_exit_codes.contains(&status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy { max_attempts: 4, jitter: false, max_delay: Duration::from_secs(5), ..RetryPolicy::default() }
    }

    #[test]
    fn delays_grow_to_a_limit_and_end() {
        let fault = Fault::external("shell.exit", "exit 1");
        let delays: Vec<_> = (1..=4).map(|n| policy().next_delay(n, &fault, 0.0).map(|d| d.as_secs())).collect();
        assert_eq!(delays, [Some(2), Some(4), Some(5), None]);
    }

    #[test]
    fn jitter_stays_within_half_and_whole() {
        let policy = RetryPolicy { jitter: true, ..policy() };
        let fault = Fault::external("shell.exit", "exit 1");
        assert_eq!(policy.next_delay(1, &fault, 0.0), Some(Duration::from_secs(1)));
        assert_eq!(policy.next_delay(1, &fault, 1.0), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_named_code_or_exit_code_decides() {
        let by_exit = RetryPolicy { on_exit_codes: vec![75], ..policy() };
        assert!(by_exit.next_delay(1, &Fault::user("shell.exit", "").exit_code(75), 0.0).is_some());
        assert!(by_exit.next_delay(1, &Fault::external("shell.exit", "").exit_code(1), 0.0).is_none());
        assert!(policy().next_delay(1, &Fault::user("sql.plan", "no"), 0.0).is_none());
        assert!(policy().next_delay(1, &Fault::cancelled(), 0.0).is_none());
    }

    #[test]
    fn a_fault_may_ask_for_patience() {
        let fault = Fault::external("http.429", "slow down").retry(Retry::AfterMillis(30_000));
        assert_eq!(policy().next_delay(1, &fault, 0.0), Some(Duration::from_secs(30)));
    }
}
