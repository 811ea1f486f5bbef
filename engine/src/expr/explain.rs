//! Sentences about types that do not suit, and what to write instead.

use super::{
    ast::{Arithmetic, Comparison},
    parser::shorten,
};
use crate::{
    data::Type,
    diag::{Code, Diagnostic, Span},
};

/// Why a value of type `found` cannot stand where `expected` is needed, if it cannot.
pub(super) fn mismatch(found: &Type, expected: &Type, span: Span, source: Option<&str>) -> Option<Diagnostic> {
    if found.fits(expected) {
        return None;
    }
    if let Type::Optional(inner) = found
        && inner.fits(expected)
    {
        return Some(may_be_null(span, source.unwrap_or("the value"), inner));
    }
    let message = format!("{} is needed, found {}", article(expected), short_type(found));
    let problem = Diagnostic::new(Code::WrongType, span, message);
    Some(match (expected, found) {
        (Type::Bool, Type::String) => problem.help("text is neither true nor false here: write for example `x != ''`"),
        (Type::Bool, Type::Int | Type::Float) => {
            problem.help("a number is neither true nor false here: write for example `x > 0`")
        }
        (Type::Bool, Type::List(_) | Type::Map(_)) => problem.help("write for example `length(x) > 0`"),
        (Type::Bool, Type::Table(_)) => problem.help("write for example `table.rows > 0`"),
        (Type::String, Type::Int | Type::Float | Type::Bool | Type::Date | Type::Timestamp) => {
            problem.help("write string(x)")
        }
        (Type::Int, Type::String) => problem.help("write int(x)"),
        (Type::Int, Type::Float) => problem.help("write round(x), floor(x) or int(x)"),
        (Type::Float, Type::String) => problem.help("write float(x)"),
        (Type::Date, Type::String | Type::Timestamp) => problem.help("write date(x)"),
        (Type::Timestamp, Type::String | Type::Date) => problem.help("write timestamp(x)"),
        (Type::Duration, Type::String) => problem.help("write duration(x), such as duration('10m')"),
        (Type::List(element), _) if found.fits(element) => problem.help("write [x] for a list of one"),
        _ => problem,
    })
}

pub(super) fn may_be_null(span: Span, source: &str, inner: &Type) -> Diagnostic {
    let source = if source == "the value" { source.to_owned() } else { format!("`{source}`") };
    Diagnostic::new(Code::MayBeNull, span, format!("{source} may be null, and {} is needed", article(inner)))
        .help("give a value in its place with `??`, or test it with `!= null &&` before")
}

fn article(ty: &Type) -> String {
    let text = short_type(ty);
    if text.starts_with(['a', 'e', 'i', 'o', 'u']) { format!("an {text}") } else { format!("a {text}") }
}

pub(super) fn short_type(ty: &Type) -> String {
    shorten(&ty.to_string(), 80)
}

pub(super) fn incomparable(span: Span, op: Comparison, a: &Type, b: &Type) -> Diagnostic {
    let message = format!("values of types {} and {} cannot be compared with `{op}`", short_type(a), short_type(b));
    let problem = Diagnostic::new(Code::OperandTypes, span, message);
    match (a.required(), b.required()) {
        (Type::List(_), _) | (_, Type::List(_)) => {
            problem.help("to look for a value in a list, write contains(list, value)")
        }
        (Type::String, Type::Date) | (Type::Date, Type::String) => problem.help("write the day as date('2024-02-29')"),
        (Type::String, Type::Timestamp) | (Type::Timestamp, Type::String) => {
            problem.help("write the moment as timestamp('2024-02-29T12:00:00Z')")
        }
        (Type::String, Type::Duration) | (Type::Duration, Type::String) => {
            problem.help("write the length of time as duration('10m')")
        }
        (Type::Date, Type::Timestamp) | (Type::Timestamp, Type::Date) => {
            problem.help("take the moment's day with date(..), or the day's beginning with timestamp(..)")
        }
        (Type::String, Type::Int | Type::Float) | (Type::Int | Type::Float, Type::String) => {
            problem.help("make a number of the text with int(..) or float(..)")
        }
        (Type::String, Type::Bool) | (Type::Bool, Type::String) => problem.help("write true or false without quotes"),
        (Type::Bool, Type::Bool) => problem.help("`true` and `false` have no order"),
        _ => problem,
    }
}

pub(super) fn arithmetic_help(op: Arithmetic, a: &Type, b: &Type) -> Option<&'static str> {
    Some(match (op, a, b) {
        (Arithmetic::Add, Type::String, _) | (Arithmetic::Add, _, Type::String) => {
            "make text of the other with string(..), or write format('{0} {1}', a, b)"
        }
        (_, Type::Date | Type::Timestamp, Type::Int) => "write add_days(time, n), or add a duration: duration('1d')",
        (_, Type::Date | Type::Timestamp, Type::String) => "write the length of time as duration('1d')",
        (_, Type::String, Type::Int | Type::Float) | (_, Type::Int | Type::Float, Type::String) => {
            "make a number of the text with int(..) or float(..)"
        }
        (_, Type::Table(_), _) | (_, _, Type::Table(_)) => "tables are combined by a step, such as `sql`",
        (Arithmetic::Add, Type::Object(_) | Type::Map(_), _) => "write merge(a, b)",
        _ => return None,
    })
}
