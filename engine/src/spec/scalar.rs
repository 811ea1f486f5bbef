//! YAML 1.2 core types of plain scalars, and the way from a scalar's value back to the file.

use super::NodeKind;
use crate::diag::TextMap;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Block,
}

/// What a plain scalar is by the core schema; `None` for text. `Err` is an integer that does not fit.
pub(super) fn resolve(text: &str) -> Result<Option<NodeKind>, ()> {
    let Some(first) = text.bytes().next() else { return Ok(Some(NodeKind::Null)) };
    if !matches!(first, b'0'..=b'9' | b'-' | b'+' | b'.' | b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F') {
        return Ok(None);
    }
    let kind = match text {
        "~" | "null" | "Null" | "NULL" => NodeKind::Null,
        "true" | "True" | "TRUE" => NodeKind::Bool(true),
        "false" | "False" | "FALSE" => NodeKind::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => NodeKind::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => NodeKind::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => NodeKind::Float(f64::NAN),
        _ => return number(text),
    };
    Ok(Some(kind))
}

fn number(text: &str) -> Result<Option<NodeKind>, ()> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
                return Ok(None);
            }
            return i64::from_str_radix(digits, radix).map(|n| Some(NodeKind::Int(n))).map_err(|_| ());
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    // `012` is octal to some readers and decimal to others, so it is text here.
    if digits > 1 && unsigned.starts_with('0') {
        return Ok(None);
    }
    if digits == unsigned.len() && digits > 0 {
        return text.parse().map(|n| Some(NodeKind::Int(n))).map_err(|_| ());
    }
    let rest = &unsigned[digits..];
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("", rest),
    };
    if digits + fraction.len() == 0 {
        return Ok(None);
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || !exponent.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(None);
        }
    } else if !rest.is_empty() {
        return Ok(None);
    }
    Ok(text.parse().ok().map(NodeKind::Float))
}

/// Where each byte of `value` stands, given the scalar's source text `raw` that begins at `start`.
pub(super) fn map_of(value: &str, raw: &str, start: usize, style: Style) -> TextMap {
    match style {
        Style::Plain if raw.starts_with(value) => TextMap::verbatim(start),
        Style::Single | Style::Double if raw.get(1..).is_some_and(|r| r.starts_with(value)) => {
            TextMap::verbatim(start + 1)
        }
        Style::Plain => flow_map(value, raw, start, 0, false, false),
        Style::Single => flow_map(value, raw, start, 1, true, false),
        Style::Double => flow_map(value, raw, start, 1, false, true),
        Style::Block => block_map(value, raw, start),
    }
}

/// Collects stretches, leaving out those that only continue the one before.
struct Stretches(Vec<(u32, u32)>);

impl Stretches {
    fn push(&mut self, value: usize, file: usize) {
        let (value, file) = (value as u32, file as u32);
        match self.0.last_mut() {
            Some((v, f)) if file.wrapping_sub(*f) == value.wrapping_sub(*v) => {}
            Some(last) if last.0 == value => last.1 = file,
            _ => self.0.push((value, file)),
        }
    }
}

/// Plain and quoted scalars: escapes, doubled quotes and folded line breaks.
fn flow_map(value: &str, raw: &str, start: usize, skip: usize, single: bool, double: bool) -> TextMap {
    let (value, raw) = (value.as_bytes(), raw.as_bytes());
    let mut out = Stretches(vec![(0, (start + skip) as u32)]);
    let (mut v, mut s) = (0, skip);
    while v < value.len() && s < raw.len() {
        let blank = raw[s..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if matches!(raw.get(s + blank), Some(b'\n' | b'\r')) {
            let gap = raw[s..].iter().take_while(|b| b.is_ascii_whitespace()).count();
            let breaks = raw[s..s + gap].iter().filter(|b| **b == b'\n').count();
            s += gap;
            v += breaks.saturating_sub(1).max(1);
        } else if double && raw[s] == b'\\' {
            match raw.get(s + 1) {
                Some(b'\n' | b'\r') => {
                    s += 1;
                    s += raw[s..].iter().take_while(|b| b.is_ascii_whitespace()).count();
                }
                Some(kind) => {
                    let length = |k: u8| match k {
                        b'x' => 4,
                        b'u' => 6,
                        b'U' => 10,
                        _ => 2,
                    };
                    let bytes = char_len(value[v]);
                    s += length(*kind);
                    // A pair of surrogates is one character of four bytes.
                    if *kind == b'u' && bytes == 4 {
                        s += 6;
                    }
                    v += bytes;
                }
                None => break,
            }
        } else if single && raw[s] == b'\'' {
            s += 2;
            v += 1;
        } else {
            s += 1;
            v += 1;
        }
        out.push(v, start + s);
    }
    TextMap::from_stretches(out.0)
}

fn char_len(first: u8) -> usize {
    match first {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    }
}

/// Block scalars: each line's text is found in the file behind its indentation.
fn block_map(value: &str, raw: &str, start: usize) -> TextMap {
    let mut out = Stretches(Vec::new());
    let mut at = match raw.find('\n') {
        Some(end) if raw.starts_with(['|', '>']) => end + 1,
        _ => 0,
    };
    let mut v = 0;
    let mut indent = None;
    while v < value.len() && at < raw.len() {
        let end = raw[at..].find('\n').map_or(raw.len(), |n| at + n);
        let line = raw[at..end].trim_end_matches('\r');
        let spaces = line.len() - line.trim_start_matches(' ').len();
        if indent.is_none() && spaces < line.len() {
            // Spaces beyond the indentation are part of the value.
            let lead = value[v..].trim_start_matches('\n');
            indent = Some(spaces.saturating_sub(lead.len() - lead.trim_start_matches(' ').len()));
        }
        let width = indent.unwrap_or(0);
        if let Some(content) = line.get(width..).filter(|c| !c.is_empty() && indent.is_some()) {
            // Between two lines stands what folding made of the break: a blank, breaks, or nothing.
            while !value[v..].starts_with(content) {
                match value.as_bytes().get(v) {
                    Some(b' ' | b'\n') => v += 1,
                    _ => return finish(out, start),
                }
            }
            out.push(v, start + at + width);
            v += content.len();
        }
        at = end + 1;
    }
    finish(out, start)
}

fn finish(mut out: Stretches, start: usize) -> TextMap {
    if out.0.first().is_none_or(|(v, _)| *v > 0) {
        let first = out.0.first().map_or(start, |(_, f)| *f as usize);
        out.0.insert(0, (0, first as u32));
    }
    TextMap::from_stretches(out.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_core_types() {
        use NodeKind::{Bool, Float, Int, Null};
        for (text, expected) in [
            ("", Some(Null)),
            ("~", Some(Null)),
            ("null", Some(Null)),
            ("true", Some(Bool(true))),
            ("no", None),
            ("on", None),
            ("012", None),
            ("0", Some(Int(0))),
            ("-7", Some(Int(-7))),
            ("0x1F", Some(Int(31))),
            ("0o17", Some(Int(15))),
            ("1_000", None),
            ("1:30", None),
            ("1.5", Some(Float(1.5))),
            ("1e3", Some(Float(1000.0))),
            (".5", Some(Float(0.5))),
            ("1.", Some(Float(1.0))),
            (".", None),
            ("-", None),
            ("1e", None),
            ("nope", None),
            ("2024-01-01", None),
        ] {
            assert_eq!(resolve(text), Ok(expected), "{text}");
        }
        assert_eq!(resolve("99999999999999999999"), Err(()));
    }

    /// Every byte of the value that stands in the file as itself must be found there.
    fn agrees(value: &str, raw: &str, style: Style) {
        let map = map_of(value, raw, 0, style);
        for (at, byte) in value.bytes().enumerate().filter(|(_, b)| b.is_ascii_alphanumeric()) {
            assert_eq!(raw.as_bytes().get(map.offset(at)), Some(&byte), "byte {at} of {value:?} in {raw:?}");
        }
    }

    #[test]
    fn offsets_are_found_through_every_style() {
        for (value, raw, style) in [
            ("ab cd", "ab\n  cd", Style::Plain),
            ("ab\ncd", "ab\n\n  cd", Style::Plain),
            ("it's x", "'it''s x'", Style::Single),
            ("a\tb", "\"a\\tb\"", Style::Double),
            ("aéb", "\"a\\u00e9b\"", Style::Double),
            ("a😀b", "\"a\\ud83d\\ude00b\"", Style::Double),
            ("ab cd", "\"ab\n   cd\"", Style::Double),
            ("abcd", "\"ab\\\n   cd\"", Style::Double),
            ("select\n  1\nx\n", "|\n    select\n      1\n    x\n", Style::Block),
            ("one two\nthree\n", ">\n  one\n  two\n\n  three\n", Style::Block),
            ("\n\nx\n", "|\n\n\n  x\n", Style::Block),
            ("a\nb\n", "|\r\n  a\r\n  b\r\n", Style::Block),
            ("  a\nb\n", "|2\n    a\n  b\n", Style::Block),
        ] {
            agrees(value, raw, style);
        }
    }
}
