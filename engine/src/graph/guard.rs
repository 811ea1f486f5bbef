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

/// Whether a condition with these parts can never hold: one part is the negation of another.
pub(super) fn contradicts(parts: &[String]) -> bool {
    let negated = |part: &String| parts.contains(&format!("!{part}")) || parts.contains(&format!("!({part})"));
    parts.len() > 1 && parts.iter().any(negated)
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
}
