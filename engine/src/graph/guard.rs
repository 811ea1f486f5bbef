use std::collections::BTreeSet;

use crate::expr::Expr;

/// The parts of a condition joined by `&&` at its top, without whitespace outside of quotes: two
/// conditions that share a part are compared by these texts.
pub(super) fn conjuncts(condition: Option<&Expr>) -> BTreeSet<String> {
    condition.map(|expr| split(expr.source())).unwrap_or_default()
}

pub(super) fn split(text: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    let (mut part, mut depth, mut quote) = (String::new(), 0_i32, None);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) => {
                part.push(c);
                if c == open {
                    quote = None;
                } else if c == '\\'
                    && let Some(escaped) = chars.next()
                {
                    part.push(escaped);
                }
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                part.push(c);
            }
            (None, '&') if depth == 0 && chars.peek() == Some(&'&') => {
                chars.next();
                keep(&mut parts, &mut part);
            }
            // An "or" at the top binds weaker: then the whole is one part.
            (None, '|') if depth == 0 && chars.peek() == Some(&'|') => {
                return BTreeSet::from([text.chars().filter(|c| !c.is_whitespace()).collect()]);
            }
            (None, c) if c.is_whitespace() => {}
            (None, c) => {
                depth += match c {
                    '(' | '[' | '{' => 1,
                    ')' | ']' | '}' => -1,
                    _ => 0,
                };
                part.push(c);
            }
        }
    }
    keep(&mut parts, &mut part);
    parts
}

fn keep(parts: &mut BTreeSet<String>, part: &mut String) {
    let text = std::mem::take(part);
    if !text.is_empty() {
        parts.insert(text);
    }
}

/// Whether a condition with these parts can never hold: one part is the negation of another.
pub(super) fn contradicts(parts: &BTreeSet<String>) -> bool {
    parts.iter().any(|part| parts.contains(&format!("!{part}")) || parts.contains(&format!("!({part})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_fall_into_their_parts() {
        for (text, expected) in [
            ("a > 1", vec!["a>1"]),
            ("a && b", vec!["a", "b"]),
            ("(a && b) && c == '&& d'", vec!["(a&&b)", "c=='&& d'"]),
            ("a || b && c", vec!["a||b&&c"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text).into_iter().collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn a_contradiction_is_seen() {
        assert!(contradicts(&split("inputs.a && !inputs.a")));
        assert!(contradicts(&split("x > 1 && !(x > 1)")));
        assert!(!contradicts(&split("inputs.a && !inputs.b")));
    }
}
