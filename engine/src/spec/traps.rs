//! Places where YAML reads `${{ }}` in another way than people mean it.

use crate::diag::{Code, Diagnostic, Source, Span};

/// An expression that YAML cannot read without quotes.
#[derive(Debug)]
pub(super) struct Trap {
    /// What should be in quotes.
    span: Span,
    reason: &'static str,
}

impl Trap {
    pub(super) fn diagnostic(&self, source: &Source) -> Diagnostic {
        quoted(source.slice(self.span), self.span, self.reason)
    }

    /// The text with the trap replaced by as many harmless bytes.
    pub(super) fn mask(&self, text: &str) -> String {
        let (start, end) = (self.span.start as usize, self.span.end as usize);
        format!("{}{}{}", &text[..start], "x".repeat(end - start), &text[end..])
    }
}

fn quoted(text: &str, span: Span, reason: &'static str) -> Diagnostic {
    let quoted = if text.contains('"') {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\"))
    };
    Diagnostic::new(Code::UnquotedExpression, span, format!("the expression needs quotes: {reason}"))
        .help(format!("write {quoted}"))
        .suggest(quoted)
}

/// The trap on the line where reading stopped, or on the one before.
pub(super) fn near(text: &str, at: usize) -> Option<Trap> {
    let at = floor(text, at);
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    on_line(text, start, end).or_else(|| {
        let before = text[..start.saturating_sub(1)].rfind('\n').map_or(0, |n| n + 1);
        (start > 0).then(|| on_line(text, before, start - 1)).flatten()
    })
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The first unquoted `${{ }}` of a line that stands in `{}` or `[]`, or holds `: `.
fn on_line(text: &str, start: usize, end: usize) -> Option<Trap> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut quote) = (start, 0_usize, None);
    // Where the present value began: after `: `, `- `, `{`, `[` or `,`.
    let mut value = start;
    while at < end {
        let byte = bytes[at];
        match quote {
            Some(b'"') if byte == b'\\' => at += 1,
            Some(open) => {
                if byte == open {
                    quote = None;
                }
            }
            None if text[floor(text, at)..end].starts_with("${{") => {
                let close = text[at..end].find("}}").map_or(end, |n| at + n + 2);
                let inner = &text[at..close];
                let from = value + (text[value..at].len() - text[value..at].trim_start().len());
                let to = if depth == 0 { value_end(text, close, end) } else { close };
                if depth > 0 {
                    let to = flow_end(text, close, end).max(to);
                    return Some(Trap { span: Span::new(from, to), reason: "braces inside `{}` or `[]` are YAML's" });
                }
                if inner.contains(": ") {
                    return Some(Trap { span: Span::new(from, to), reason: "`: ` inside begins a mapping in YAML" });
                }
                at = close;
                continue;
            }
            None => match byte {
                b'"' | b'\'' if text[value..at].trim().is_empty() => quote = Some(byte),
                b'{' | b'[' => {
                    depth += 1;
                    value = at + 1;
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' if depth > 0 => value = at + 1,
                b':' | b'-' if matches!(bytes.get(at + 1), Some(b' ')) => value = at + 2,
                b'#' if at == start || bytes[at - 1] == b' ' => return None,
                _ => {}
            },
        }
        at += 1;
    }
    None
}

fn value_end(text: &str, from: usize, end: usize) -> usize {
    let rest = &text[from..end];
    from + rest.find(" #").map_or(rest, |n| &rest[..n]).trim_end().len()
}

/// The end of a value in a flow collection: the next comma or bracket.
fn flow_end(text: &str, from: usize, end: usize) -> usize {
    let rest = &text[from..end];
    from + rest.find([',', '}', ']']).map_or(rest, |n| &rest[..n]).trim_end().len()
}

/// A plain value that a ` #` cut off inside its expression.
pub(super) fn comment(text: &str, value: &str, span: Span) -> Option<Diagnostic> {
    let open = value.rfind("${{")?;
    if value[open..].contains("}}") {
        return None;
    }
    let end = span.end as usize;
    let line_end = text[end..].find('\n').map_or(text.len(), |n| end + n);
    let rest = &text[end..line_end];
    if !rest.trim_start().starts_with('#') {
        return None;
    }
    let close = end + rest.rfind("}}")? + 2;
    let whole = Span::new(span.start as usize, close);
    Some(quoted(&text[span.start as usize..close], whole, "` #` inside begins a comment in YAML"))
}

/// An expression that YAML read as the key of a mapping.
pub(super) fn in_key(text: &str, span: Span) -> Diagnostic {
    let start = span.start as usize;
    let line_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
    let whole = Span::new(start, value_end(text, start, line_end));
    quoted(&text[start..whole.end as usize], whole, "`: ` inside begins a mapping in YAML")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quoted_text_is_the_fix() {
        for (text, expected) in [
            ("with: {n: ${{ x }}}", Some("\"${{ x }}\"")),
            ("with: {n: ${{ x }}, m: 1}", Some("\"${{ x }}\"")),
            ("with: [${{ a['b'] }}]", Some("\"${{ a['b'] }}\"")),
            ("n: ${{ a ? b : c }}", Some("\"${{ a ? b : c }}\"")),
            ("n: ${{ a ? \"b\" : c }}", Some("'${{ a ? \"b\" : c }}'")),
            ("n: \"${{ a : b }}\"", None),
            ("n: ${{ a }}", None),
            ("# {n: ${{ a }}}", None),
        ] {
            let source = Source::new("p.yaml", text);
            let found = near(text, 0).map(|t| t.diagnostic(&source));
            assert_eq!(found.and_then(|d| d.suggestion).map(|s| s.replacement).as_deref(), expected, "{text}");
        }
    }
}
