use std::time::Duration;

use chrono::DateTime;
use millwork_engine::model::{Retry, Timestamp};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// No server is waited for longer.
const MOST: Duration = Duration::from_hours(1);

/// The hint for a retry that a server gives, in seconds or as a date.
pub(crate) fn hint(headers: &HeaderMap, now: Timestamp) -> Retry {
    let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::trim);
    let Some(text) = text else { return Retry::Backoff };
    let wait = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => match DateTime::parse_from_rfc2822(text) {
            Ok(at) => Timestamp::from(at.to_utc()).since(now).as_secs_f64(),
            Err(_) => return Retry::Backoff,
        },
    };
    asked(wait)
}

/// The hint for a wait of so many seconds.
pub(crate) fn asked(seconds: f64) -> Retry {
    match Duration::try_from_secs_f64(seconds) {
        Ok(wait) => Retry::AfterMillis(wait.min(MOST).as_millis() as u64),
        Err(_) if seconds > 0.0 => Retry::AfterMillis(MOST.as_millis() as u64),
        Err(_) => Retry::Backoff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_in_seconds_or_as_a_date() {
        let now = DateTime::parse_from_rfc3339("2015-10-21T07:27:30Z").expect("a time").to_utc().into();
        for (text, expected) in [
            ("7", Retry::AfterMillis(7_000)),
            ("1.5", Retry::AfterMillis(1_500)),
            ("86400", Retry::AfterMillis(3_600_000)),
            ("1e300", Retry::AfterMillis(3_600_000)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Retry::AfterMillis(30_000)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Retry::AfterMillis(0)),
            ("-3", Retry::Backoff),
            ("NaN", Retry::Backoff),
            ("soon", Retry::Backoff),
        ] {
            let headers = [(RETRY_AFTER, text.parse().expect("a header"))].into_iter().collect();
            assert_eq!(hint(&headers, now), expected, "{text}");
        }
        assert_eq!(hint(&HeaderMap::new(), now), Retry::Backoff);
    }
}
