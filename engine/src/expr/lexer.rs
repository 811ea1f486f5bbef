use std::sync::Arc;

/// A word or sign of an expression, with its byte range.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a [`Token`] is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name or a word such as `true` or `in`; its text is in the source.
    Word,
    /// A whole number without a sign.
    Int(u64),
    Float(f64),
    Text(Arc<str>),
    /// A sign, by its spelling.
    Sign(&'static str),
    End,
}

/// Why reading stopped, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LexError {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// What should have been written there.
    pub(super) instead: Option<String>,
    /// Whether the mistake is a word or sign of another language.
    pub(super) foreign: bool,
}

// Longer signs first: the first that matches is taken.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(",
    ")", "[", "]", "{", "}",
];

/// Signs of other languages, and ours.
const FOREIGN: &[(&str, &str)] =
    &[("===", "=="), ("!==", "!="), ("<>", "!="), ("=", "=="), ("&", "&&"), ("|", "||"), ("**", "*")];

/// Reads all of `text`. The last token is [`Kind::End`].
pub(super) fn lex(text: &str) -> Result<Vec<Token>, LexError> {
    let mut tokens = Vec::with_capacity(text.len() / 3 + 2);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, end) = match c {
            'r' if matches!(text.as_bytes().get(at + 1), Some(b'\'' | b'"')) => raw_text(text, at)?,
            'a'..='z' | 'A'..='Z' | '_' => (Kind::Word, word_end(text, at)),
            '0'..='9' => number(text, at)?,
            '\'' | '"' => quoted(text, at, c)?,
            _ => sign(text, at, c)?,
        };
        tokens.push(Token { kind, start: at, end });
        at = end;
    }
    tokens.push(Token { kind: Kind::End, start: text.len(), end: text.len() });
    Ok(tokens)
}

fn word_end(text: &str, at: usize) -> usize {
    let len = text.as_bytes()[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    at + len
}

fn error(start: usize, end: usize, message: impl Into<String>) -> LexError {
    LexError { start, end, message: message.into(), help: None, instead: None, foreign: false }
}

impl LexError {
    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    fn instead(mut self, text: impl Into<String>) -> Self {
        self.instead = Some(text.into());
        self
    }
}

fn sign(text: &str, at: usize, c: char) -> Result<(Kind, usize), LexError> {
    let rest = &text[at..];
    let foreign = FOREIGN.iter().find(|(theirs, _)| {
        rest.starts_with(theirs)
            && !(theirs.len() == 1 && (rest.starts_with("==") || rest.starts_with("&&") || rest.starts_with("||")))
    });
    if let Some((theirs, ours)) = foreign {
        let filter = *theirs == "|" && rest[1..].trim_start().starts_with(|c: char| c.is_ascii_alphabetic());
        let problem = error(at, at + theirs.len(), format!("`{theirs}` is not an operator here, `{ours}` is"));
        let problem = LexError { foreign: true, ..problem };
        return Err(if filter {
            problem.help("there are no filters: write `f(x)` for `x | f`, and `||` for \"or\"")
        } else {
            problem.instead(*ours)
        });
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(found) => Ok((Kind::Sign(found), at + found.len())),
        None => {
            let problem =
                error(at, at + c.len_utf8(), format!("`{}` means nothing in an expression", c.escape_debug()));
            Err(match c {
                '‘' | '’' | '“' | '”' => problem.help("these are typographic quotes; write ' or \""),
                '`' => problem.help("text stands in ' or \""),
                '$' if rest.starts_with("${{") => {
                    problem.help("this is inside an expression already: leave out `${{` and `}}`")
                }
                '$' => problem.help("`$` is not written before names here"),
                '#' => problem.help("there are no comments in an expression"),
                c if c.is_alphabetic() => problem.help("names are made of a-z, 0-9 and _; other text stands in quotes"),
                _ => problem,
            })
        }
    }
}

fn number(text: &str, at: usize) -> Result<(Kind, usize), LexError> {
    let bytes = text.as_bytes();
    if bytes[at] == b'0' && matches!(bytes.get(at + 1), Some(b'x' | b'X')) {
        let end = word_end(text, at);
        let value = u64::from_str_radix(&text[at + 2..end], 16);
        return value.map(|v| (Kind::Int(v), end)).map_err(|_| error(at, end, "this is not a hexadecimal number"));
    }
    let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(at);
    let mut float = false;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        float = true;
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(signed).is_some_and(u8::is_ascii_digit) {
            float = true;
            end = digits(signed);
        }
    }
    let after = word_end(text, end);
    if after > end {
        let written = &text[at..after];
        let problem = error(at, after, format!("`{written}` is not a number"));
        return Err(if crate::model::units::parse_duration(written).is_ok() {
            problem.help("a length of time is written with quotes, in a call").instead(format!("duration('{written}')"))
        } else if text[end..after].starts_with('_') {
            let plain: String = written.chars().filter(|c| *c != '_').collect();
            problem.help("digits are not grouped").instead(plain)
        } else {
            problem.help("text stands in quotes")
        });
    }
    let written = &text[at..end];
    if float {
        return match written.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok((Kind::Float(value), end)),
            _ => Err(error(at, end, "this number is too large for a float")),
        };
    }
    match written.parse::<u64>() {
        Ok(value) => Ok((Kind::Int(value), end)),
        Err(_) => {
            Err(error(at, end, "this number is too large for an int (64 bits)").help("write it as a float: `1e30`"))
        }
    }
}

fn unclosed(text: &str, at: usize, quote: char) -> LexError {
    error(at, text.len(), "this text is not closed").help(format!("it begins with {quote} and must end with {quote}"))
}

fn raw_text(text: &str, at: usize) -> Result<(Kind, usize), LexError> {
    let quote = char::from(text.as_bytes()[at + 1]);
    match text[at + 2..].find(quote) {
        Some(len) => Ok((Kind::Text(text[at + 2..at + 2 + len].into()), at + 3 + len)),
        None => Err(unclosed(text, at + 1, quote)),
    }
}

/// A text in quotes. Within '..', two quotes stand for one, as elsewhere in YAML and in GitHub's expressions.
fn quoted(text: &str, at: usize, quote: char) -> Result<(Kind, usize), LexError> {
    let body = at + 1;
    // Without an escape the text is taken as it stands.
    let plain = text[body..].find([quote, '\\']).map(|len| body + len);
    if let Some(end) = plain
        && text[end..].starts_with(quote)
        && !(quote == '\'' && text[end + 1..].starts_with('\''))
    {
        return Ok((Kind::Text(text[body..end].into()), end + 1));
    }
    let mut out = String::new();
    let mut chars = text[body..].char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        if c == quote {
            if quote == '\'' && chars.next_if(|(_, next)| *next == '\'').is_some() {
                out.push('\'');
                continue;
            }
            return Ok((Kind::Text(out.into()), body + i + 1));
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let start = body + i;
        match chars.next() {
            Some((_, 'n')) => out.push('\n'),
            Some((_, 't')) => out.push('\t'),
            Some((_, 'r')) => out.push('\r'),
            Some((_, '0')) => out.push('\0'),
            Some((_, c @ ('\\' | '\'' | '"' | '/'))) => out.push(c),
            Some((_, 'u')) => {
                let (c, len) = unicode(&text[start + 2..]).ok_or_else(|| {
                    error(start, start + 2, "`\\u` needs a character's number: `\\u00e9` or `\\u{e9}`")
                })?;
                out.push(c);
                for _ in 0..len {
                    chars.next();
                }
            }
            Some((_, c)) => {
                return Err(error(
                    start,
                    start + 1 + c.len_utf8(),
                    format!("`\\{}` is not an escape", c.escape_debug()),
                )
                .help("write `\\\\` for a backslash, or r'..' for text in which backslashes mean nothing")
                .instead(format!("\\\\{c}")));
            }
            None => break,
        }
    }
    Err(unclosed(text, at, quote))
}

/// `{e9}` or `00e9`: the character and how many (ASCII) characters were read.
fn unicode(rest: &str) -> Option<(char, usize)> {
    let (digits, len) = match rest.strip_prefix('{') {
        Some(inner) => {
            let end = inner.find('}').filter(|end| (1..=6).contains(end))?;
            (&inner[..end], end + 2)
        }
        None => (rest.get(..4)?, 4),
    };
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Kind {
        lex(text).expect(text)[0].kind.clone()
    }

    #[test]
    fn literals() {
        for (text, expected) in [
            ("42", Kind::Int(42)),
            ("0x1F", Kind::Int(31)),
            ("1.5", Kind::Float(1.5)),
            ("1e3", Kind::Float(1000.0)),
            ("'a'", Kind::Text("a".into())),
            ("''", Kind::Text("".into())),
            ("'it''s'", Kind::Text("it's".into())),
            (r#""a\n\"b\u{e9}\u00e9""#, Kind::Text("a\n\"béé".into())),
            (r"r'\d+'", Kind::Text(r"\d+".into())),
        ] {
            assert_eq!(only(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, expected) in [
            ("10m", Some("duration('10m')")),
            ("1_000", Some("1000")),
            ("a = b", Some("==")),
            ("a & b", Some("&&")),
            ("a <> b", Some("!=")),
            ("a === b", Some("==")),
            (r"'\d'", Some(r"\\d")),
            ("a | upper", None),
            ("'open", None),
            ("\"open\\", None),
            (r"'\u{110000}'", None),
            ("99999999999999999999", None),
            ("1e999", None),
            ("é", None),
        ] {
            let found = lex(text).expect_err(text);
            assert_eq!(found.instead.as_deref(), expected, "{text}");
            assert!(text.is_char_boundary(found.start) && text.is_char_boundary(found.end), "{text}");
        }
    }
}
