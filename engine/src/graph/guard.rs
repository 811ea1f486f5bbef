use crate::expr::Expr;

/// The parts of a condition joined by `&&` at its top, without whitespace outside of quotes: two
/// conditions that share a part are compared by these texts. In the order they are written.
pub(super) fn conjuncts(condition: Option<&Expr>) -> Vec<String> {
    condition.map(|expr| split(expr.source())).unwrap_or_default()
}

fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
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
                return vec![text.chars().filter(|c| !c.is_whitespace()).collect()];
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

fn keep(parts: &mut Vec<String>, part: &mut String) {
    let text = std::mem::take(part);
    if !text.is_empty() && !parts.contains(&text) {
        parts.push(text);
    }
}

/// Whether a condition with these parts can never hold: one part is the negation of another, or two
/// compare the same things in ways that exclude each other.
pub(super) fn contradicts(parts: &[String]) -> bool {
    let negated = |part: &String| parts.contains(&format!("!{part}")) || parts.contains(&format!("!({part})"));
    if parts.len() < 2 {
        return false;
    }
    let compared: Vec<Comparison<'_>> = parts.iter().filter_map(|part| Comparison::of(part)).collect();
    let exclusive = |i: usize| compared[i + 1..].iter().any(|other| compared[i].excludes(other));
    parts.iter().any(negated) || (0..compared.len()).any(exclusive)
}

/// One comparison, without whitespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Comparison<'a> {
    left: &'a str,
    sign: &'static str,
    right: &'a str,
}

/// Each sign with itself when the sides change places; longer ones first.
const SIGNS: &[(&str, &str)] = &[("==", "=="), ("!=", "!="), ("<=", ">="), (">=", "<="), ("<", ">"), (">", "<")];
/// Pairs that never hold of the same two values.
const EXCLUSIVE: &[(&str, &str)] = &[("==", "!="), ("==", "<"), ("==", ">"), ("<", ">"), ("<", ">="), ("<=", ">")];

impl<'a> Comparison<'a> {
    /// The part as a comparison, if it is one and nothing else: no sign stands in brackets or quotes.
    fn of(part: &'a str) -> Option<Self> {
        let (mut depth, mut quote, mut found) = (0_i32, None, None);
        let mut at = 0;
        while let Some(c) = part[at..].chars().next() {
            let sign = SIGNS.iter().find(|(sign, _)| part[at..].starts_with(sign));
            match (quote, c) {
                (Some(open), _) if c == open => quote = None,
                (Some(_), '\\') => at += part[at + 1..].chars().next().map_or(0, char::len_utf8),
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '(' | '[' | '{') => depth += 1,
                (None, ')' | ']' | '}') => depth -= 1,
                (None, '?') if depth == 0 => return None,
                (None, _) => {
                    if let (0, Some((sign, _))) = (depth, sign) {
                        if found.is_some() {
                            return None;
                        }
                        found = Some((at, *sign));
                        at += sign.len();
                        continue;
                    }
                }
            }
            at += c.len_utf8();
        }
        let (at, sign) = found?;
        Some(Self { left: &part[..at], sign, right: &part[at + sign.len()..] })
    }

    fn turned(self) -> Self {
        let sign = SIGNS.iter().find(|(sign, _)| *sign == self.sign).map_or(self.sign, |(_, turned)| turned);
        Self { left: self.right, sign, right: self.left }
    }

    fn excludes(&self, other: &Self) -> bool {
        [*other, other.turned()].iter().any(|other| {
            let same = self.left == other.left && self.right == other.right;
            let pair =
                |(a, b): &(&str, &str)| (self.sign == *a && other.sign == *b) || (self.sign == *b && other.sign == *a);
            let two_literals = self.left == other.left
                && self.sign == "=="
                && other.sign == "=="
                && matches!((text(self.right), text(other.right)), (Some(a), Some(b)) if a != b);
            (same && EXCLUSIVE.iter().any(pair)) || two_literals
        })
    }
}

/// What stands between plain quotes.
fn text(literal: &str) -> Option<&str> {
    let inner = ['\'', '"'].iter().find_map(|q| literal.strip_prefix(*q)?.strip_suffix(*q))?;
    (!inner.contains(['\'', '"', '\\'])).then_some(inner)
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
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn a_contradiction_is_seen() {
        assert!(contradicts(&split("inputs.a && !inputs.a")));
        assert!(contradicts(&split("x > 1 && !(x > 1)")));
        assert!(!contradicts(&split("inputs.a && !inputs.b")));
    }

    #[test]
    fn comparisons_that_exclude_each_other_are_seen() {
        for (condition, expected) in [
            ("steps.a.outputs.n > inputs.limit && steps.a.outputs.n <= inputs.limit", true),
            ("a > b && b >= a", true),
            ("a > b && b < a", false),
            ("a == b && a != b", true),
            ("a <= b && a >= b", false),
            ("a == 'x' && a == 'y'", true),
            ("a == 'x' && a == \"x\"", false),
            ("a == b && a == c", false),
            ("a == 'it\\'s <' && a != 'it\\'s <'", true),
            ("(a < b) && a >= b", false),
            ("a < b ? c : d && a >= b ? c : d", false),
        ] {
            assert_eq!(contradicts(&split(condition)), expected, "{condition}");
        }
    }
}
