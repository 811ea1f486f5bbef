//! From lines and columns, as the SQL parser counts them, to bytes.

use std::ops::Range;

use datafusion::common::Span;

/// The byte at a line and a column (both from 1, columns in characters); a place past the end is the end.
pub(super) fn byte_at(text: &str, line: u64, column: u64) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match text[start..].find('\n') {
            Some(at) => start += at + 1,
            None => return text.len(),
        }
    }
    let before = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    text[start..].char_indices().nth(before).map_or(text.len(), |(at, _)| start + at)
}

/// The bytes of a span. The parser's ends may lie one short or past; the word under the start is taken.
pub(super) fn bytes_of(text: &str, span: &Span) -> Range<usize> {
    let start = byte_at(text, span.start.line, span.start.column);
    let end = byte_at(text, span.end.line, span.end.column).max(start);
    if end > start { start..end } else { word_at(text, start) }
}

/// The word that begins at a byte.
pub(super) fn word_at(text: &str, start: usize) -> Range<usize> {
    let rest = &text[start..];
    let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    start..start + length.max(rest.chars().next().map_or(0, char::len_utf8))
}

/// The first place where `word` stands as a whole word, outside of text literals and comments.
pub(super) fn find_word(text: &str, word: &str) -> Option<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let first = rest.chars().next()?;
        if first == '\'' {
            at += 1 + rest[1..].find('\'').map_or(rest.len() - 1, |end| end + 1);
        } else if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if is_word(first) {
            let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            if rest[..length].eq_ignore_ascii_case(word) {
                return Some(at..at + length);
            }
            at += length;
        } else {
            at += first.len_utf8();
        }
    }
    None
}

/// The whole query without the space around it.
pub(super) fn whole(text: &str) -> Range<usize> {
    let start = text.len() - text.trim_start().len();
    start..text.trim_end().len().max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_become_bytes() {
        let text = "select é,\n  b\nfrom t";
        assert_eq!(byte_at(text, 1, 9), 9);
        assert_eq!(&text[byte_at(text, 2, 3)..=byte_at(text, 2, 3)], "b");
        assert_eq!(byte_at(text, 9, 1), text.len());
        assert_eq!(byte_at(text, 3, 99), text.len());
        assert_eq!(&text[find_word("select 'b' -- b\n, b", "b").expect("found")][..0], "");
        assert_eq!(find_word("select 'b' -- b\n, b", "b"), Some(18..19));
        assert_eq!(find_word("select bb", "b"), None);
        assert_eq!(find_word("select 'open", "open"), None);
        assert_eq!(whole("  a b \n"), 2..5);
    }
}
