//! Where an axis has its ticks: at round numbers and at the starts of days, months and years.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};

use super::number::with_digits;

/// A tick: its place on the axis and its words.
pub(super) type Tick = (f64, String);

/// Round numbers from at or below `low` to at or above `high`, about `wanted` of them.
pub(super) fn numbers(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
    let rough = (high - low) / wanted.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough * 0.999).unwrap_or(10.0 * power);
    let digits = (-(step.log10().floor())).max(0.0) as usize;
    let first = (low / step).floor() as i64;
    let last = (high / step).ceil() as i64;
    (first..=last).map(|i| (i as f64 * step, with_digits(i as f64 * step, digits))).collect()
}

/// Starts of years, months, days or hours between two times in microseconds, `most` of them at most.
pub(super) fn times(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let at = |micros: f64| DateTime::<Utc>::from_timestamp_micros(micros as i64);
    let (Some(from), Some(to)) = (at(low), at(high)) else { return Vec::new() };
    let days = (to - from).num_days();
    let most = i64::try_from(most.max(1)).unwrap_or(1);
    if days > 62 {
        let step = u32::try_from(days / 31 / most + 1).unwrap_or(1);
        let step = [1, 2, 3, 6, 12].into_iter().find(|s| *s >= step).unwrap_or(step.div_ceil(12) * 12);
        let mut day = NaiveDate::from_ymd_opt(from.year(), 1, 1);
        let mut ticks = Vec::new();
        while let Some(start) = day.filter(|d| *d <= to.date_naive()) {
            let format = if step >= 12 || start.month() == 1 { "%Y" } else { "%b" };
            push(&mut ticks, start, low, high, format);
            day = start.checked_add_months(Months::new(step));
        }
        return ticks;
    }
    if days > 2 {
        let step = days / most + 1;
        let mut ticks = Vec::new();
        let mut day = Some(from.date_naive());
        while let Some(start) = day.filter(|d| *d <= to.date_naive()) {
            push(&mut ticks, start, low, high, "%-d %b");
            day = start.checked_add_signed(TimeDelta::days(step));
        }
        return ticks;
    }
    let hours = (to - from).num_hours() / most + 1;
    let first = (low / 3.6e9).ceil() as i64;
    let last = (high / 3.6e9).floor() as i64;
    let starts = (first..=last).step_by(usize::try_from(hours).unwrap_or(1));
    starts.filter_map(|h| Some((h as f64 * 3.6e9, at(h as f64 * 3.6e9)?.format("%H:%M").to_string()))).collect()
}

fn push(ticks: &mut Vec<Tick>, day: NaiveDate, low: f64, high: f64, format: &str) {
    let micros = day.signed_duration_since(NaiveDate::default()).num_days() as f64 * 86.4e9;
    if micros >= low && micros <= high {
        ticks.push((micros, day.format(format).to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        for (low, high, expected) in [
            (0.0, 23.0, "0 5 10 15 20 25"),
            (0.0, 1.0, "0 0.2 0.4 0.6 0.8 1"),
            (-4.0, 9.0, "−5 0 5 10"),
            (3.0, 3.0, "2.4 2.6 2.8 3 3.2 3.4 3.6"),
            (0.0, 111_279.0, "0 50,000 100,000 150,000"),
        ] {
            let words: Vec<_> = numbers(low, high, 5).into_iter().map(|t| t.1).collect();
            assert_eq!(words.join(" "), expected, "{low} {high}");
        }
        let micros = |y, m, d| {
            let day = NaiveDate::from_ymd_opt(y, m, d).expect("a day");
            day.signed_duration_since(NaiveDate::default()).num_days() as f64 * 86.4e9
        };
        let words = |a, b| times(a, b, 8).into_iter().map(|t| t.1).collect::<Vec<_>>().join(" ");
        assert_eq!(words(micros(2013, 1, 1), micros(2013, 12, 31)), "2013 Mar May Jul Sep Nov");
        assert_eq!(words(micros(2013, 1, 30), micros(2013, 2, 3)), "30 Jan 31 Jan 1 Feb 2 Feb 3 Feb");
        assert_eq!(words(f64::NAN, f64::INFINITY), "");
    }
}
