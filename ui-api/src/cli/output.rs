use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    sync::{Arc, OnceLock},
};

use console::{Style, Term};
use serde::Serialize;

use super::table::{self, Yield};

/// Where everything printed goes: results to standard output, words for people to standard error.
#[derive(Debug, Clone)]
pub struct Output {
    colour: bool,
    terminal: bool,
    shown: bool,
    width: usize,
    lost: Arc<OnceLock<String>>,
}

/// What a piece of text is, and so how it is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Went well.
    Good,
    /// Worth a look.
    Warn,
    /// Went wrong.
    Bad,
    /// Less important.
    Dim,
    /// A heading or a name.
    Strong,
}

impl Output {
    /// For this process's terminal; `NO_COLOR` and `TERM=dumb` are respected.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let asked = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let size = || Term::stderr().size_checked().or_else(|| Term::stdout().size_checked());
        let found = || size().map(|(_, columns)| usize::from(columns));
        let shown = std::io::stdout().is_terminal();
        let width = asked.or_else(found).unwrap_or(100).clamp(20, 200);
        Self { colour: terminal && !plain, terminal, shown, width, lost: Arc::default() }
    }

    /// Whether a person watches.
    pub fn terminal(&self) -> bool {
        self.terminal
    }

    /// Whether colours may be used.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Columns of the terminal.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A result: a line on standard output.
    pub fn result(&self, line: impl Display) {
        self.print(format!("{line}\n").as_bytes());
    }

    /// A result that has its line breaks already.
    pub fn text(&self, text: &str) {
        self.print(text.as_bytes());
    }

    /// A result as one line of JSON.
    pub fn json(&self, value: &impl Serialize) {
        if let Ok(mut line) = serde_json::to_vec(value) {
            line.push(b'\n');
            self.print(&line);
        }
    }

    /// A line for people on standard error.
    pub fn say(&self, line: impl Display) {
        // Nobody is left to be told that this one failed.
        let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    }

    /// Text in a tone.
    pub fn paint(&self, tone: Tone, text: impl Display) -> String {
        let style = Style::new().for_stderr().force_styling(self.colour);
        let style = match tone {
            Tone::Good => style.green(),
            Tone::Warn => style.yellow(),
            Tone::Bad => style.red().bold(),
            Tone::Dim => style.dim(),
            Tone::Strong => style.bold(),
        };
        style.apply_to(text).to_string()
    }

    /// A table: columns padded to their widest cell, the last one cut to the terminal's width.
    pub fn table(&self, header: &[&str], rows: &[Vec<String>]) {
        self.table_that_yields(header, rows, Yield { drop: &[], cut: header.len().saturating_sub(1), least: 0 });
    }

    /// A table of which something gives way on a narrow terminal. What another program reads is whole.
    pub(super) fn table_that_yields(&self, header: &[&str], rows: &[Vec<String>], gives_way: Yield<'_>) {
        for line in table::lines(header, rows, self.shown.then_some((self.width, gives_way))) {
            self.result(line);
        }
    }

    /// A reader that went away (`| head`) is no fault of ours, and stops no run that is under way.
    fn print(&self, bytes: &[u8]) {
        let mut to = std::io::stdout().lock();
        match to.write_all(bytes).and_then(|()| to.flush()) {
            Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
                let _ = self.lost.set(why.to_string());
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Why a result could not be written, if one could not.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

/// A text cut to so many characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn texts_are_cut_by_characters() {
        for (text, width, expected) in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("éééé", 2, "é…")] {
            assert_eq!(cut(text, width), expected);
        }
    }
}
