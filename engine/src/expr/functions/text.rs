use regex::{Regex, RegexBuilder};

use super::{Answer, Body, Entry, LiteralProblem, Problem, Work, because, check_length};
use crate::{
    data::Value,
    expr::show::{write_json, write_text},
};

const G: &str = "text";

pub(super) const TABLE: &[Entry] = &[
    Entry::pure(
        "startsWith",
        G,
        &["(text: string, part: string) -> bool"],
        "whether a text begins with another; case matters",
        starts_with,
    ),
    Entry::pure(
        "endsWith",
        G,
        &["(text: string, part: string) -> bool"],
        "whether a text ends with another; case matters",
        ends_with,
    ),
    Entry::pure(
        "format",
        G,
        &["(template: string, values: any...) -> string"],
        "puts values in the places {0}, {1} ...; {{ and }} stand for braces",
        format,
    )
    .literals(format_literals),
    Entry::pure("join", G, &["(list: list<any>, separator: string = ',') -> string"], "the elements as one text", join),
    Entry::pure(
        "split",
        G,
        &["(text: string, separator: string) -> list<string>"],
        "the parts of a text between separators",
        split,
    ),
    Entry::pure("lower", G, &["(text: string) -> string"], "the text in lower case", lower),
    Entry::pure("upper", G, &["(text: string) -> string"], "the text in upper case", upper),
    Entry::pure("trim", G, &["(text: string) -> string"], "the text without white space at its ends", trim),
    Entry::pure(
        "replace",
        G,
        &["(text: string, old: string, new: string) -> string"],
        "the text with every `old` replaced by `new`",
        replace,
    ),
    Entry::pure(
        "substring",
        G,
        &["(text: string, start: int, end: int = length) -> string"],
        "the characters from `start`, counted from 0, up to but without `end`",
        substring,
    ),
    Entry::pure("repeat", G, &["(text: string, times: int) -> string"], "the text several times", repeat),
    Entry::pure(
        "matches",
        G,
        &["(text: string, pattern: string) -> bool"],
        "whether a regular expression is found in the text; ^ and $ bind it to the ends",
        matches,
    )
    .body(Body::Matches)
    .literals(matches_literals),
    Entry::pure(
        "string",
        G,
        &["(value: any) -> string"],
        "the value as text; bytes must be UTF-8, lists and maps become JSON",
        string,
    ),
    Entry::pure("toJSON", "data", &["(value: any) -> string"], "the value as JSON on one line", to_json),
];

fn starts_with(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.starts_with(&**part))),
        _ => Err(Problem::Types),
    }
}

fn ends_with(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.ends_with(&**part))),
        _ => Err(Problem::Types),
    }
}

/// A part of a `format` template.
enum Place<'a> {
    Text(&'a str),
    Value(usize),
}

/// Reads a template of `format` part by part.
fn places<'a>(template: &'a str, mut each: impl FnMut(Place<'a>) -> Result<(), Problem>) -> Result<(), Problem> {
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        each(Place::Text(&rest[..at]))?;
        let (brace, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        if after.as_bytes().first() == Some(&brace) {
            each(Place::Text(&after[..1]))?;
            rest = &after[1..];
            continue;
        }
        let number = after.find('}').filter(|_| brace == b'{').and_then(|end| {
            let digits = &after[..end];
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            Some((if plain { digits.parse().ok()? } else { return None }, end))
        });
        let Some((index, end)) = number else {
            return Err(because("expr.argument", "in a template a brace is written twice, or holds a number: {0}"));
        };
        each(Place::Value(index))?;
        rest = &after[end + 1..];
    }
    each(Place::Text(rest))
}

fn missing_place(index: usize, count: usize) -> Problem {
    because("expr.argument", format!("the template has {{{index}}}, and there are {count} values, counted from 0"))
}

fn format_literals(args: &[Option<&Value>]) -> Result<(), LiteralProblem> {
    let Some(Some(Value::String(template))) = args.first() else { return Ok(()) };
    let count = args.len() - 1;
    let read = places(template, |place| match place {
        Place::Value(index) if index >= count => Err(missing_place(index, count)),
        _ => Ok(()),
    });
    read.map_err(|problem| (0, reason(problem)))
}

pub(super) fn reason(problem: Problem) -> String {
    match problem {
        Problem::Because(_, message) => message,
        Problem::Types => "the argument has the wrong type".to_owned(),
    }
}

fn format(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(template), values @ ..] = args else { return Err(Problem::Types) };
    let mut out = String::new();
    places(template, |place| {
        match place {
            Place::Text(text) => out.push_str(text),
            Place::Value(index) => {
                let value = values.get(index).ok_or_else(|| missing_place(index, values.len()))?;
                write_text(&mut out, value)?;
            }
        }
        check_length(out.len())
    })?;
    work.text(out)
}

fn join(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let (items, separator) = match args {
        [Value::List(items)] => (items, ","),
        [Value::List(items), Value::String(separator)] => (items, &**separator),
        _ => return Err(Problem::Types),
    };
    let mut out = String::new();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        write_text(&mut out, item)?;
        check_length(out.len())?;
    }
    work.text(out)
}

fn split(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(text), Value::String(separator)] = args else { return Err(Problem::Types) };
    if separator.is_empty() {
        return Err(because("expr.argument", "the separator is empty"));
    }
    let mut parts = Vec::new();
    for part in text.split(&**separator) {
        work.spend(part.len() + 2 * size_of::<Value>())?;
        parts.push(Value::from(part));
    }
    Ok(Value::list(parts))
}

fn lower(work: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::String(text)] => work.text(text.to_lowercase()),
        _ => Err(Problem::Types),
    }
}

fn upper(work: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::String(text)] => work.text(text.to_uppercase()),
        _ => Err(Problem::Types),
    }
}

fn trim(work: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::String(text)] => work.text(text.trim()),
        _ => Err(Problem::Types),
    }
}

fn replace(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(text), Value::String(old), Value::String(new)] = args else { return Err(Problem::Types) };
    if old.is_empty() {
        return Err(because("expr.argument", "the text to replace is empty"));
    }
    let mut out = String::new();
    for (i, part) in text.split(&**old).enumerate() {
        if i > 0 {
            out.push_str(new);
        }
        out.push_str(part);
        check_length(out.len())?;
    }
    work.text(out)
}

fn substring(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let (text, start, end) = match args {
        [Value::String(text), Value::Int(start)] => (text, *start, i64::MAX),
        [Value::String(text), Value::Int(start), Value::Int(end)] => (text, *start, *end),
        _ => return Err(Problem::Types),
    };
    let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(because("expr.index", "a place in a text cannot be negative"));
    };
    let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(at, _)| at);
    let (from, to) = (byte(start), byte(end));
    work.text(text.get(from..to.max(from)).unwrap_or(""))
}

fn repeat(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(text), Value::Int(times)] = args else { return Err(Problem::Types) };
    let times = usize::try_from(*times)
        .map_err(|_| because("expr.argument", "a text cannot be repeated fewer than 0 times"))?;
    check_length(text.len().saturating_mul(times))?;
    work.text(text.repeat(times))
}

/// Compiles a pattern within fixed limits of size.
pub(in crate::expr) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > 8 * 1024 {
        return Err("the pattern is longer than 8 KiB".to_owned());
    }
    RegexBuilder::new(pattern).size_limit(1 << 20).dfa_size_limit(1 << 20).nest_limit(64).build().map_err(|error| {
        let text = error.to_string();
        let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it cannot be read").trim();
        format!("this is not a regular expression: {}", line.trim_start_matches("error: "))
    })
}

fn matches_literals(args: &[Option<&Value>]) -> Result<(), LiteralProblem> {
    match args {
        [_, Some(Value::String(pattern))] => compile(pattern).map(|_| ()).map_err(|message| (1, message)),
        _ => Ok(()),
    }
}

/// `matches` with a pattern that is not literal.
pub(in crate::expr) fn matches(_: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(text), Value::String(pattern)] = args else { return Err(Problem::Types) };
    let regex = compile(pattern).map_err(|message| because("expr.argument", message))?;
    Ok(Value::Bool(regex.is_match(text)))
}

fn string(work: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::String(_)] => Ok(args[0].clone()),
        [Value::Null] => Ok(Value::from("null")),
        [Value::Bytes(bytes)] => match std::str::from_utf8(bytes) {
            Ok(text) => work.text(text),
            Err(_) => {
                Err(because("expr.argument", "the bytes are not UTF-8 text; base64(..) writes any bytes as text"))
            }
        },
        [Value::Table(table)] => work.text(table.to_string()),
        [value] => {
            let mut out = String::new();
            write_text(&mut out, value)?;
            work.text(out)
        }
        _ => Err(Problem::Types),
    }
}

fn to_json(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [value] = args else { return Err(Problem::Types) };
    let mut out = String::new();
    write_json(&mut out, value)?;
    work.text(out)
}
