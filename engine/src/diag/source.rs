use std::sync::Arc;

use super::Span;

/// A named text with an index of its lines.
#[derive(Debug, Clone)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    line_starts: Arc<[u32]>,
}

/// A place as people count it: both from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in Unicode scalar values, from 1.
    pub column: usize,
}

impl Source {
    /// Indexes `text`; `name` is what messages call it, usually the path as the user gave it.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let line_starts = std::iter::once(0).chain(breaks.map(|(i, _)| i as u32 + 1)).collect();
        Self { name: name.into(), text, line_starts }
    }

    /// What messages call this text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text under `span`, cut to what exists and to character boundaries.
    pub fn slice(&self, span: Span) -> &str {
        let start = self.floor_boundary(span.start as usize);
        let end = self.floor_boundary(span.end as usize);
        self.text.get(start..end).unwrap_or("")
    }

    /// Line and column of a byte offset; an offset past the end gives the end.
    pub fn position(&self, offset: u32) -> Position {
        let offset = self.floor_boundary(offset as usize);
        let line = self.line_starts.partition_point(|start| *start as usize <= offset);
        let start = self.line_starts[line - 1] as usize;
        Position { line, column: self.text[start..offset].chars().count() + 1 }
    }

    fn floor_boundary(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_lines_from_one() {
        let source = Source::new("p.yaml", "a: é1\nb: 2\n");
        let at = |offset| {
            let p = source.position(offset);
            (p.line, p.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(5), (1, 5), "é is two bytes and one column");
        assert_eq!(at(4), (1, 4), "inside a character: its start");
        assert_eq!(at(7), (2, 1));
        assert_eq!(at(999), (3, 1));
    }

    #[test]
    fn a_slice_never_panics() {
        let source = Source::new("p.yaml", "é");
        assert_eq!(source.slice(Span::new(1, 9)), "é");
        assert_eq!(source.slice(Span::new(5, 9)), "");
    }
}
