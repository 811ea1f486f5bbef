use std::time::Duration;

use serde::Serialize;

use crate::cli::output::Output;

/// One measure of the table.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figure {
    /// What was measured.
    pub measure: String,
    /// What it must be.
    pub bar: String,
    /// What it is.
    pub found: String,
    /// What the machine or another program needs for the same, measured in the same run.
    pub beside: String,
    /// Whether the bar is held; `None` where there is no bar, or nothing to measure.
    pub holds: Option<bool>,
}

impl Figure {
    /// A measure with a bar.
    pub(super) fn new(measure: &str, bar: impl Into<String>, found: impl Into<String>, holds: bool) -> Self {
        Self {
            measure: measure.to_owned(),
            bar: bar.into(),
            found: found.into(),
            beside: String::new(),
            holds: Some(holds),
        }
    }

    /// A measure that cannot be made here.
    pub(super) fn absent(measure: &str, why: &str) -> Self {
        Self {
            measure: measure.to_owned(),
            bar: String::new(),
            found: why.to_owned(),
            beside: String::new(),
            holds: None,
        }
    }

    /// Says what it stands beside.
    pub(super) fn beside(mut self, beside: impl Into<String>) -> Self {
        self.beside = beside.into();
        self
    }
}

/// Prints the table.
pub(super) fn show(output: &Output, figures: &[Figure]) {
    let verdict = |holds| match holds {
        Some(true) => "held",
        Some(false) => "MISSED",
        None => "-",
    };
    let row = |f: &Figure| {
        vec![f.measure.clone(), f.bar.clone(), f.found.clone(), verdict(f.holds).to_owned(), f.beside.clone()]
    };
    output.table(&["measure", "bar", "found", "verdict", "beside"], &figures.iter().map(row).collect::<Vec<_>>());
}

/// Milliseconds with as many digits as count.
pub(super) fn ms(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1e3;
    match ms {
        ..10.0 => format!("{ms:.2} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.2} s", ms / 1e3),
    }
}

/// The middle of some times.
pub(super) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The middle of some numbers.
pub(super) fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_digits_that_count() {
        for (micros, text) in [(1_234, "1.23 ms"), (45_600, "46 ms"), (2_346_000, "2.35 s")] {
            assert_eq!(ms(Duration::from_micros(micros)), text);
        }
    }
}
