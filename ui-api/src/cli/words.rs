//! Numbers, times and states as people read them.

use std::time::Duration;

use millwork_engine::model::{RunStatus, SkipReason, StepStatus, Wait};

use super::output::Tone;

/// `0.42s`, `12.3s`, `3m05s`, `2h07m`.
pub(super) fn duration(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0 if took.as_millis() < 100 => format!("{:.1}ms", took.as_secs_f64() * 1e3),
        0..=9 => format!("{:.2}s", took.as_secs_f64()),
        10..=59 => format!("{:.1}s", took.as_secs_f64()),
        60..=3_599 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// `336,776`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `3 runs`.
pub(super) fn some(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `1.5 MiB`.
pub(super) fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{number} B") } else { format!("{value:.1} {}", units[unit]) }
}

pub(super) fn run_status(status: RunStatus) -> (&'static str, Tone) {
    match status {
        RunStatus::Queued => ("queued", Tone::Dim),
        RunStatus::Running => ("running", Tone::Strong),
        RunStatus::Waiting => ("waiting", Tone::Warn),
        RunStatus::Interrupted => ("interrupted", Tone::Warn),
        RunStatus::Succeeded => ("succeeded", Tone::Good),
        RunStatus::Failed => ("failed", Tone::Bad),
        RunStatus::Cancelled => ("cancelled", Tone::Warn),
    }
}

pub(super) fn step_status(status: StepStatus) -> (&'static str, &'static str, Tone) {
    match status {
        StepStatus::Pending => ("pending", "·", Tone::Dim),
        StepStatus::Ready => ("ready", "·", Tone::Dim),
        StepStatus::Running => ("running", "▸", Tone::Strong),
        StepStatus::Waiting => ("waiting", "⏸", Tone::Warn),
        StepStatus::Succeeded => ("succeeded", "✓", Tone::Good),
        StepStatus::Failed => ("failed", "✗", Tone::Bad),
        StepStatus::Skipped => ("skipped", "-", Tone::Dim),
        StepStatus::Cancelled => ("cancelled", "✗", Tone::Warn),
    }
}

pub(super) fn skipped(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Condition => "its `if` was false",
        SkipReason::Upstream => "a step it needs did not succeed",
        SkipReason::NotSelected => "not asked for",
        SkipReason::RunEnding => "the run is ending",
    }
}

pub(super) fn wait(wait: &Wait) -> String {
    match wait {
        Wait::Until { at } => format!("until {at}"),
        Wait::Approval { prompt, .. } => format!("for approval: {prompt}"),
        Wait::Run { run } => format!("for {run}"),
        Wait::Budget { resource } => format!("for more budget ({resource})"),
    }
}

/// A paragraph broken between words.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

/// An error without the path of a temporary file, which means nothing to people.
pub(super) fn nameless(error: &std::io::Error) -> std::io::Error {
    std::io::Error::from(error.kind())
}

/// What to say to somebody who named something that is not there.
pub(super) fn near_or_all(wrong: &str, names: &[&str]) -> String {
    match millwork_engine::diag::nearest(wrong, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_between_words() {
        for (text, width, expected) in [("a b c", 3, "a b\nc"), ("longword b", 4, "longword\nb"), ("", 9, "")] {
            assert_eq!(wrap(text, width), expected);
        }
    }

    #[test]
    fn numbers_for_people() {
        for (millis, text) in
            [(1, "1.0ms"), (420, "0.42s"), (12_340, "12.3s"), (185_000, "3m05s"), (7_620_000, "2h07m")]
        {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
        assert_eq!([count(0), count(999), count(336_776), count(1_000_000)], ["0", "999", "336,776", "1,000,000"]);
        assert_eq!([some(0, "run"), some(1, "run"), some(1_200, "run")], ["0 runs", "1 run", "1,200 runs"]);
        assert_eq!([bytes(7), bytes(1_536), bytes(5 << 30)], ["7 B", "1.5 KiB", "5.0 GiB"]);
    }
}
