//! A line as it is kept, and as it is given.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    model::{Name, Timestamp},
    step::LogStream,
};

/// A line as it stands in a file.
#[derive(Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub at: Timestamp,
    #[serde(rename = "s")]
    pub stream: char,
    #[serde(rename = "l", borrow)]
    pub text: Cow<'a, str>,
}

/// A stored log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// Which step.
    pub step: Name,
    /// Which item.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// From where.
    pub stream: LogStream,
    /// The text.
    pub text: String,
}

pub(super) fn letter(stream: LogStream) -> char {
    match stream {
        LogStream::Step => 's',
        LogStream::Stdout => 'o',
        LogStream::Stderr => 'e',
    }
}

pub(super) fn stream(letter: char) -> LogStream {
    match letter {
        'o' => LogStream::Stdout,
        'e' => LogStream::Stderr,
        _ => LogStream::Step,
    }
}

const HEAD: &[u8] = b"{\"at\":";

/// When a line was written, if it is whole. It is not read further: millions of lines are looked at when a long log is
/// read first, and a line that a crash cut off lacks its end.
pub(super) fn written_at(line: &[u8]) -> Option<Timestamp> {
    let line = line.strip_suffix(b"\n")?;
    let text = line.strip_prefix(HEAD)?;
    let before = line.strip_suffix(b"\"}")?;
    let escaped = before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let (minus, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let micros: i64 = str::from_utf8(digits.get(..end)?).ok()?.parse().ok()?;
    (!escaped && digits.get(end) == Some(&b',')).then(|| Timestamp::from_micros(if minus { -micros } else { micros }))
}

/// The name of an attempt's file: step, item, attempt.
pub(super) fn parse_name(name: &str) -> Option<(Name, Option<u32>, u32)> {
    let mut parts = name.strip_suffix(".log")?.split('.');
    let step = Name::new(parts.next()?)?;
    let numbers: Vec<u32> = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
    match numbers[..] {
        [attempt] => Some((step, None, attempt)),
        [item, attempt] => Some((step, Some(item), attempt)),
        _ => None,
    }
}
