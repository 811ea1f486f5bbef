use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::{
    diag::{Code, Diagnostic, Span},
    spec::{Node, NodeKind},
};

/// What stopped the reading of a value. The nearest node around it gives it a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Already among the diagnostics.
    Reported,
    /// A stand-in for a broken value did not satisfy its type: no more can be learnt.
    Stop,
    /// A field is not there.
    Missing(&'static str),
    /// Not one of the words allowed.
    Variant { found: String, allowed: &'static [&'static str] },
    /// Another kind of value; what was found is seen from the node.
    Type { expected: String },
    /// The right kind of value, out of what is allowed.
    Value { found: String, expected: String },
    /// What a type's own code says.
    Other(String),
}

impl Problem {
    /// The problem at a node, or at a part of it.
    pub(super) fn at(self, node: &Node, span: Span) -> Diagnostic {
        match self {
            Self::Missing(name) => {
                Diagnostic::new(Code::MissingKey, span, missing(name)).help(format!("add `{name}:`"))
            }
            Self::Variant { found, allowed } => {
                let words = allowed.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
                Diagnostic::new(Code::WrongShape, span, format!("`{found}` is not one of {words}"))
                    .did_you_mean(&found, allowed.iter().copied())
            }
            Self::Type { expected } => wrong_type(node, span, &expected),
            Self::Value { found, expected } => {
                Diagnostic::new(Code::WrongShape, span, format!("expected {}, found {found}", plain(&expected)))
            }
            Self::Other(message) => Diagnostic::new(Code::WrongShape, span, message),
            Self::Reported | Self::Stop => Diagnostic::new(Code::WrongShape, span, "the value cannot be read"),
        }
    }
}

fn wrong_type(node: &Node, span: Span, expected: &str) -> Diagnostic {
    if let NodeKind::String(text) = &node.kind
        && text.value.contains("${{")
    {
        return no_expression(span);
    }
    let expected = plain(expected);
    let problem = Diagnostic::new(Code::WrongShape, span, format!("expected {expected}, found {}", node.describe()));
    match (&node.kind, expected.as_str()) {
        (NodeKind::Int(i), "text") => problem.suggest(format!("\"{i}\"")).help("write it in quotes to make it text"),
        (NodeKind::Bool(b), "text") => problem.suggest(format!("\"{b}\"")).help("write it in quotes to make it text"),
        (NodeKind::Float(_), "text") => problem.help("write it in quotes to make it text"),
        (NodeKind::String(text), "an integer" | "a number") if text.value.parse::<f64>().is_ok() => {
            problem.suggest(text.value.to_string()).help("write it without quotes")
        }
        (NodeKind::String(text), "a boolean") if matches!(&*text.value, "yes" | "on" | "true") => {
            problem.suggest("true").help("YAML 1.2 knows `true` and `false` only, without quotes")
        }
        (NodeKind::String(text), "a boolean") if matches!(&*text.value, "no" | "off" | "false") => {
            problem.suggest("false").help("YAML 1.2 knows `true` and `false` only, without quotes")
        }
        (NodeKind::String(_) | NodeKind::Int(_), "a list") => problem.help("write it in brackets to make it a list"),
        _ => problem,
    }
}

/// What is said of a missing key.
pub(super) fn missing(name: &str) -> String {
    format!("the key `{name}` is missing")
}

/// A literal field holds an expression.
pub(super) fn no_expression(span: Span) -> Diagnostic {
    Diagnostic::new(Code::ExpressionNotAllowed, span, "this field takes a literal value, no expression")
        .help("what it says must be known before the run; only fields whose type is followed by `or ${{ }}` in `millwork steps` take expressions")
}

/// What serde expects, in the words of the pipeline language.
fn plain(expected: &str) -> String {
    let word = match expected {
        "a string" | "string" | "a borrowed string" | "a character" | "a formatted string" => "text",
        "a sequence" => "a list",
        "a map" | "map" => "a mapping",
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer",
        "u8" => "an integer from 0 to 255",
        "u16" => "an integer from 0 to 65535",
        "u32" | "u64" | "usize" => "an integer of 0 or more",
        "unit" => "nothing",
        other if other.starts_with("struct ") => "a mapping",
        other if other.starts_with("a nonzero ") => "an integer of 1 or more",
        other => other,
    };
    word.to_owned()
}

impl Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Type { expected: expected.to_string() }
    }
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Signed(i) => i.to_string(),
            Unexpected::Unsigned(i) => i.to_string(),
            Unexpected::Str(text) => format!("`{text}`"),
            other => other.to_string(),
        };
        Self::Value { found, expected: expected.to_string() }
    }
    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::Value { found: format!("{length} values"), expected: expected.to_string() }
    }
    fn unknown_variant(found: &str, allowed: &'static [&'static str]) -> Self {
        Self::Variant { found: found.to_owned(), allowed }
    }
    fn missing_field(name: &'static str) -> Self {
        Self::Missing(name)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Problem {}
