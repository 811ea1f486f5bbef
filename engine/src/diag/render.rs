//! Problems as people read them: the source underlined, drawn by `miette`.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, SourceSpan, ThemeCharacters, ThemeStyles,
};

use super::{Diagnostic, Severity, Source, Span};

/// Draws problems with their source lines, `width` columns wide, and a line that counts them.
pub fn render(source: &Source, diagnostics: &[Diagnostic], width: usize, color: bool) -> String {
    let styles = if color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width.max(20))
        .with_context_lines(1)
        .with_links(false)
        .without_syntax_highlighting();
    let mut out = String::new();
    for diagnostic in diagnostics {
        let shown = Shown::new(source, diagnostic);
        if handler.render_report(&mut out, &shown).is_err() {
            out.push_str(&diagnostic.one_line(source));
        }
        out.push('\n');
    }
    if !diagnostics.is_empty() {
        out.push_str(&format!("{}: {}", source.name(), summary(diagnostics)));
    }
    out
}

/// `2 errors, 1 warning`; empty if there is none.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let count = |n: usize, word: &str| match n {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    };
    [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Lines shown around a place; long files are not handed to the drawing as a whole.
const AROUND: usize = 2;
/// Bytes of a line that are shown as a whole.
const LONGEST_LINE: usize = 400;

/// The text with a mark in place of each control character, byte for byte: a file must not move the
/// cursor of the terminal that its problems are shown on.
fn printable(text: &str) -> String {
    let mark = |c: char| {
        if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { "?".repeat(c.len_utf8()) } else { c.to_string() }
    };
    text.chars().map(mark).collect()
}

#[derive(Debug)]
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    text: Excerpt<'a>,
    labels: Vec<LabeledSpan>,
    help: Option<String>,
}

/// The lines that labels stand on, with the number of the first.
#[derive(Debug)]
struct Excerpt<'a> {
    name: &'a str,
    text: String,
    first_line: usize,
    /// Characters of the first line that are left out before `text`.
    cut: usize,
}

impl<'a> Shown<'a> {
    fn new(source: &'a Source, diagnostic: &'a Diagnostic) -> Self {
        let text = source.text();
        let primary = diagnostic.primary.span;
        // Far places are named in words, so that the excerpt stays small.
        let near = |s: &Span| s.start.abs_diff(primary.start) < 20_000;
        let spans = || std::iter::once(primary).chain(diagnostic.secondary.iter().map(|l| l.span).filter(near));
        let low = spans().map(|s| s.start as usize).min().unwrap_or(0).min(text.len());
        let high = spans().map(|s| s.start as usize).max().unwrap_or(0).min(text.len());
        let bytes = text.as_bytes();
        let mut start = low;
        for _ in 0..=AROUND {
            start = bytes[..start].iter().rposition(|b| *b == b'\n').unwrap_or(0);
        }
        if start > 0 {
            start += 1;
        }
        let mut end = high;
        for _ in 0..=AROUND {
            end = bytes[end..].iter().position(|b| *b == b'\n').map_or(text.len(), |n| (end + n + 1).min(text.len()));
        }
        // A line without end is shown around the place only.
        let mut cut = 0;
        if text.get(start..end).unwrap_or("").lines().any(|line| line.len() > LONGEST_LINE) {
            let at = (primary.start as usize).clamp(start, end);
            let line_start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
            let line_end = bytes[at..].iter().position(|b| *b == b'\n').map_or(text.len(), |n| at + n);
            let boundary = |mut at: usize| {
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            start = boundary(at.saturating_sub(LONGEST_LINE / 4).max(line_start));
            end = boundary((at + LONGEST_LINE / 2).min(line_end)).max(start);
            cut = text[line_start..start].chars().count();
        }
        let place = |span: Span| {
            // A label that spans lines would draw them all; its first line says enough.
            let from = (span.start as usize).clamp(start, end);
            let line_end = bytes[from..end].iter().position(|b| *b == b'\n').map_or(end, |n| from + n);
            let to = (span.end as usize).clamp(from, line_end);
            SourceSpan::from((from - start, to - from))
        };
        let words = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut labels = vec![LabeledSpan::new_primary_with_span(words(&diagnostic.primary.text), place(primary))];
        for label in diagnostic.secondary.iter().filter(|l| near(&l.span)) {
            labels.push(LabeledSpan::new_with_span(words(&label.text), place(label.span)));
        }
        let mut help = diagnostic.help.clone();
        for label in diagnostic.secondary.iter().filter(|l| !near(&l.span)) {
            let line = source.position(label.span.start).line;
            help = Some(format!("{}{}: line {line}", help.map(|h| h + "; ").unwrap_or_default(), label.text));
        }
        if let (None, Some(suggestion)) = (&help, &diagnostic.suggestion) {
            help = Some(format!("write `{}`", suggestion.replacement));
        }
        let excerpt = Excerpt {
            name: source.name(),
            text: printable(text.get(start..end).unwrap_or("")),
            cut,
            first_line: source.position(start as u32).line,
        };
        Self { diagnostic, text: excerpt, labels, help }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'b> + 'b>, miette::MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        // Counted in bytes there; people count characters.
        let offset = inner.span().offset();
        let ahead = self.text.get(offset.saturating_sub(inner.column())..offset);
        let column = ahead.map_or(inner.column(), |text| text.chars().count());
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.name.to_owned(),
            inner.data(),
            *inner.span(),
            inner.line() + self.first_line - 1,
            column + if inner.line() == 0 { self.cut } else { 0 },
            inner.line_count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;

    fn problem() -> (Source, Diagnostic) {
        let source = Source::new("p.yaml", "version: 1\nname: x\nstpes: []\nend: 1\n");
        let problem = Diagnostic::new(Code::UnknownKey, Span::new(19, 24), "a pipeline has no key `stpes`")
            .help("did you mean `steps`?")
            .suggest("steps");
        (source, problem)
    }

    #[test]
    fn shows_the_line_with_its_number_code_and_help() {
        let (source, problem) = problem();
        let text = render(&source, &[problem], 80, false);
        for part in ["P0004", "p.yaml:3:1", "stpes: []", "did you mean `steps`?", "1 error"] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn control_characters_and_endless_lines_are_tamed() {
        let text = format!("a: \u{1b}[31m{}X{}\n", "é".repeat(2_000), "z".repeat(5_000));
        let at = text.find('X').expect("there") as u32;
        let source = Source::new("p.yaml", text);
        let shown = render(
            &source,
            &[Diagnostic::new(Code::UnknownKey, Span::new(at as usize, at as usize + 1), "x")],
            80,
            false,
        );
        assert!(shown.len() < 2_000 && shown.contains('X') && shown.contains("p.yaml:1:2009"), "{shown}");
        let shown = render(&source, &[Diagnostic::new(Code::UnknownKey, Span::new(0, 1), "x")], 80, false);
        assert!(!shown.contains('\u{1b}') && shown.contains("a: ?[31m"), "{shown}");
    }

    #[test]
    fn any_place_and_width_can_be_drawn() {
        for text in ["", "é", "a\r\nb\r\n", "\n\n\n", "\ta: é\n"] {
            let source = Source::new("p.yaml", text);
            for start in 0..8 {
                for width in [0, 20, 200] {
                    let span = Span::new(start, start + 3);
                    let problem = Diagnostic::new(Code::UnknownKey, span, "x").also(Span::new(0, 90_000), "there");
                    assert!(!render(&source, &[problem], width, true).is_empty());
                }
            }
        }
    }
}
