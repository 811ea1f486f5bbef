use std::fmt;

use chrono::{DateTime, NaiveDateTime, Utc};
use cron::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

/// Five fields with Unix meaning, or an alias such as `@daily`: 0 and 7 are Sunday, and where day of month and
/// day of week are both given either is enough. It knows nothing of zones: it is about what clocks on a wall show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronLine {
    text: Box<str>,
}

/// A line as its times are found by it: eighty times as large, and made in microseconds when it is needed.
#[derive(Debug)]
pub(super) struct Pattern(Option<Cron>);

impl CronLine {
    /// Reads a line; why it cannot be read, in words that go on after a colon.
    pub fn parse(text: &str) -> Result<Self, String> {
        let line = plain(text);
        let fields: Vec<_> = line.split_whitespace().collect();
        match fields.as_slice() {
            [] => return Err("it is empty".to_owned()),
            [alias] if alias.starts_with('@') => {}
            fields if fields.len() == 5 => {}
            fields => return Err(format!("it has {} fields, not 5", fields.len())),
        }
        if let Some(field) = fields.iter().find(|field| field.split(',').any(str::is_empty)) {
            return Err(format!("an element of the list `{field}` is missing"));
        }
        parser().parse(line).map_err(|error| reason(&error.to_string()))?;
        Ok(Self { text: text.into() })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Minute, hour, day of month, month, day of week; `None` for an alias.
    pub fn fields(&self) -> Option<[&str; 5]> {
        let fields: Vec<_> = self.text.split_whitespace().collect();
        fields.try_into().ok()
    }

    /// Whether it runs at any hour, or at every so many (`*`, `*/2`, `@hourly`): then it goes by the time that passes
    /// and not by what a clock shows, and days on which clocks change need no rule.
    pub fn is_by_the_hour(&self) -> bool {
        self.fields().map_or_else(|| &*self.text == "@hourly", |fields| fields[1].starts_with('*'))
    }

    /// What its times are found by.
    pub(super) fn pattern(&self) -> Pattern {
        Pattern(parser().parse(plain(&self.text)).ok())
    }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build()
}

/// A line as the parser knows it.
fn plain(text: &str) -> &str {
    if text == "@midnight" { "@daily" } else { text }
}

impl Pattern {
    /// The first time on the wall after this one, or at it where `inclusive`.
    pub(super) fn next(&self, from: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        let found = self.0.as_ref()?.find_next_occurrence(&from.and_utc(), inclusive);
        found.ok().map(|at: DateTime<Utc>| at.naive_utc())
    }

    /// The last time on the wall before this one, or at it where `inclusive`.
    pub(super) fn previous(&self, from: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        let found = self.0.as_ref()?.find_previous_occurrence(&from.and_utc(), inclusive);
        found.ok().map(|at: DateTime<Utc>| at.naive_utc())
    }
}

impl fmt::Display for CronLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The parser's words in our style: without the kind before, lower case, no full stop.
fn reason(text: &str) -> String {
    let text = text.strip_prefix("Component error: ").unwrap_or(text).trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}
