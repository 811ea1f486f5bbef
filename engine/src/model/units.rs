//! Durations, sizes and counts as people write them: `1h30m`, `6GiB`, `500k`.

use std::time::Duration;

/// Why a text with a unit could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Nothing was written.
    #[error("is empty")]
    Empty,
    /// A number without the unit it needs.
    #[error("has no unit: write for example {example}")]
    NoUnit {
        /// The same number with a likely unit.
        example: String,
    },
    /// A unit that is not known.
    #[error("has an unknown unit `{unit}`: {known} are known")]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// What could have been written.
        known: &'static str,
    },
    /// No number where one belongs.
    #[error("is not a number with a unit")]
    NotANumber,
    /// Larger than can be held.
    #[error("is too large")]
    TooLarge,
}

const DURATION_UNITS: &[(&str, u64)] = &[
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

/// Reads `90s`, `10m`, `1h30m`, `1.5h` or ISO 8601's `PT10M` and `P1DT2H`. Months and years have
/// no fixed length and are refused.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    if text.starts_with(['P', 'p']) {
        return parse_iso_duration(text);
    }
    let micros = sum_terms(text, DURATION_UNITS, "us, ms, s, m, h, d and w", "s")?;
    Ok(Duration::from_micros(micros))
}

fn parse_iso_duration(text: &str) -> Result<Duration, UnitError> {
    const DATE: &[(&str, u64)] = &[("d", 86_400_000_000), ("w", 604_800_000_000)];
    const TIME: &[(&str, u64)] = &[("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)];
    let body = text[1..].to_ascii_lowercase();
    let (date, time) = match body.split_once('t') {
        Some((_, "")) => return Err(UnitError::NotANumber),
        Some((date, time)) => (date, Some(time)),
        None => (body.as_str(), None),
    };
    if date.is_empty() && time.is_none() {
        return Err(UnitError::NotANumber);
    }
    let known = "D and W, and after T: H, M and S,";
    let date = if date.is_empty() { 0 } else { sum_terms(date, DATE, known, "D")? };
    let time = time.map_or(Ok(0), |t| sum_terms(t, TIME, known, "S"))?;
    date.checked_add(time).map(Duration::from_micros).ok_or(UnitError::TooLarge)
}

/// A length of time as it is written in a pipeline: `1h30m`, `90s` as `1m30s`, `250ms`.
pub fn show_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let micros = time.subsec_micros();
    let mut text = String::new();
    for (count, unit) in [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(micros / 1_000), "ms"),
        (u64::from(micros % 1_000), "us"),
    ] {
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads a number of bytes: `6GiB`, `512MiB`, `10MB`, `100B`. Powers of 1024 have an `i`.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    const UNITS: &[(&str, u64)] = &[
        ("b", 1),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
    ];
    let lower = text.trim().to_ascii_lowercase();
    sum_terms(&lower, UNITS, "B, KB, MB, GB, TB, KiB, MiB, GiB and TiB", "MiB")
}

/// Reads a count: `250`, `500k`, `2M`, `1.5B`. A bare number is a count already.
pub fn parse_count(text: &str) -> Result<u64, UnitError> {
    const UNITS: &[(&str, u64)] = &[("k", 1_000), ("m", 1_000_000), ("b", 1_000_000_000)];
    let lower = text.trim().to_ascii_lowercase();
    if !lower.is_empty() && lower.bytes().all(|b| b.is_ascii_digit()) {
        return lower.parse().map_err(|_| UnitError::TooLarge);
    }
    sum_terms(&lower, UNITS, "k, M and B", "k")
}

/// Sums `NUMBER UNIT` terms. Each unit may appear once, so that `1m1m` is caught as a slip.
fn sum_terms(text: &str, units: &[(&str, u64)], known: &'static str, example: &str) -> Result<u64, UnitError> {
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    let mut used = Vec::new();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, tail) = after.split_at(letters);
        if number.is_empty() || number.ends_with('.') {
            return Err(UnitError::NotANumber);
        }
        let unit = unit.trim();
        if unit.is_empty() {
            return Err(UnitError::NoUnit { example: format!("{number}{example}") });
        }
        let Some((name, scale)) = units.iter().find(|(name, _)| *name == unit) else {
            return Err(UnitError::UnknownUnit { unit: unit.to_owned(), known });
        };
        if used.contains(name) {
            return Err(UnitError::NotANumber);
        }
        used.push(name);
        total = total.checked_add(scaled(number, *scale)?).ok_or(UnitError::TooLarge)?;
        rest = tail.trim_start();
    }
    Ok(total)
}

/// `number × scale` in whole units, exact for decimals as well: no float is involved.
fn scaled(number: &str, scale: u64) -> Result<u64, UnitError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return Err(UnitError::NotANumber);
    }
    let whole: u64 = whole.parse().map_err(|_| UnitError::TooLarge)?;
    let total = whole.checked_mul(scale).ok_or(UnitError::TooLarge)?;
    let kept = &fraction[..fraction.len().min(18)];
    let part: u128 = if kept.is_empty() { 0 } else { kept.parse().map_err(|_| UnitError::NotANumber)? };
    let part = part * u128::from(scale) / 10u128.pow(kept.len() as u32);
    total.checked_add(part as u64).ok_or(UnitError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ms = |text| parse_duration(text).map(|d| d.as_millis());
        assert_eq!(ms("90s"), Ok(90_000));
        assert_eq!(ms("1h30m"), Ok(5_400_000));
        assert_eq!(ms("1.5h"), Ok(5_400_000));
        assert_eq!(ms("PT10M"), Ok(600_000));
        assert_eq!(ms("P1DT2H"), Ok(93_600_000));
        assert_eq!(ms("0.25s"), Ok(250));
        assert_eq!(ms("10"), Err(UnitError::NoUnit { example: "10s".into() }));
        assert_eq!(ms("1m1m"), Err(UnitError::NotANumber));
        assert_eq!(ms("PT"), Err(UnitError::NotANumber));
        assert_eq!(ms("P"), Err(UnitError::NotANumber));
        assert_eq!(ms(""), Err(UnitError::Empty));
        assert_eq!(ms("99999999999999999w"), Err(UnitError::TooLarge));
        assert!(matches!(ms("3 fortnights"), Err(UnitError::UnknownUnit { .. })));
    }

    #[test]
    fn a_shown_duration_reads_as_itself() {
        let shown = |ms| show_duration(Duration::from_millis(ms));
        assert_eq!([shown(0), shown(90_000), shown(5_400_250)], ["0s", "1m30s", "1h30m250ms"]);
        for micros in [1, 999_999, 60_000_000, 86_400_000_000 * 400 + 1] {
            let time = Duration::from_micros(micros);
            assert_eq!(parse_duration(&show_duration(time)), Ok(time));
        }
    }

    #[test]
    fn sizes_and_counts() {
        assert_eq!(parse_size("6GiB"), Ok(6 << 30));
        assert_eq!(parse_size("1.5KB"), Ok(1_500));
        assert!(matches!(parse_size("512"), Err(UnitError::NoUnit { .. })));
        assert_eq!(parse_count("500k"), Ok(500_000));
        assert_eq!(parse_count("250"), Ok(250));
        assert_eq!(parse_count("0.3k"), Ok(300));
        assert_eq!(parse_count("1."), Err(UnitError::NotANumber));
    }

    #[test]
    fn no_text_panics() {
        for text in
            ["é", "1é", "..", "1..2s", "-1s", "1 s", "٣s", "P٣D", "99999999999999999999", "1.99999999999999999999999h"]
        {
            let _ = (parse_duration(text), parse_size(text), parse_count(text));
        }
    }
}
