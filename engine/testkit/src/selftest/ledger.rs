//! The ledger that effects write: a file of lines `begin KEY` and `end KEY WHAT`.

use std::{collections::BTreeMap, fs, path::Path};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whether the effect ended (or only began).
    pub ended: bool,
    /// The attempt key without the run's id, so that two runs can be compared.
    pub key: String,
    /// The attempt key as written.
    pub full_key: String,
    /// What was done.
    pub what: String,
}

/// All lines, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger(pub Vec<Line>);

impl Ledger {
    /// Reads a ledger; a file that is not there is an empty one, a line cut off at the end is left out.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        Self(whole.lines().filter_map(Line::parse).collect())
    }

    /// How often each effect ended, by key and what was done.
    pub fn ends(&self) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for line in self.0.iter().filter(|line| line.ended) {
            *counts.entry((line.key.clone(), line.what.clone())).or_default() += 1;
        }
        counts
    }
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, ' ');
        let ended = match words.next()? {
            "begin" => false,
            "end" => true,
            _ => return None,
        };
        let full_key = words.next()?.to_owned();
        let key = full_key.split_once('/').map_or(full_key.as_str(), |(_, rest)| rest).to_owned();
        Some(Self { ended, key, full_key, what: words.next().unwrap_or_default().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_without_the_runs_id() {
        let line = Line::parse("end run_1/step/3 done it").expect("a line");
        assert_eq!((line.key.as_str(), line.what.as_str(), line.ended), ("step/3", "done it", true));
        assert_eq!(Line::parse("noise"), None);
    }
}
