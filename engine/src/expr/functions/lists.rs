use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{Answer, Entry, Problem, Work, because};
use crate::{
    data::{Map, Value},
    expr::ops,
};

const G: &str = "lists";

pub(super) const TABLE: &[Entry] = &[
    Entry::pure(
        "length",
        G,
        &["(text: string) -> int", "(list: list<any>) -> int", "(map: map<any>) -> int"],
        "how many characters, elements or entries there are",
        length,
    ),
    Entry::pure(
        "contains",
        G,
        &[
            "(text: string, part: string) -> bool",
            "(list: list<T>, value: T) -> bool",
            "(map: map<any>, key: string) -> bool",
        ],
        "whether a text has a part, a list a value or a map a key; case matters",
        contains,
    ),
    Entry::pure("keys", G, &["(map: map<any>) -> list<string>"], "the keys of a map, in its order", keys),
    Entry::pure("values", G, &["(map: map<T>) -> list<T>"], "the values of a map, in its order", values),
    Entry::pure(
        "get",
        G,
        &[
            "(map: map<T>, key: string) -> T?",
            "(map: map<T>, key: string, default: T) -> T",
            "(list: list<T>, index: int) -> T?",
            "(list: list<T>, index: int, default: T) -> T",
        ],
        "a value of a map or a list, or the default (null) where there is none",
        get,
    ),
    Entry::pure(
        "merge",
        G,
        &["(first: map<any>, more: map<any>...) -> map<any>"],
        "the entries of all maps; a later map wins",
        merge,
    ),
    Entry::pure("first", G, &["(list: list<T>) -> T?"], "the first element, null of an empty list", first),
    Entry::pure("last", G, &["(list: list<T>) -> T?"], "the last element, null of an empty list", last),
    Entry::pure(
        "min",
        G,
        &["(list: list<O>) -> O?", "(a: O, b: O, more: O...) -> O"],
        "the least; null of an empty list",
        min,
    ),
    Entry::pure(
        "max",
        G,
        &["(list: list<O>) -> O?", "(a: O, b: O, more: O...) -> O"],
        "the greatest; null of an empty list",
        max,
    ),
    Entry::pure("sum", G, &["(list: list<N>) -> N"], "the sum; 0 of an empty list", sum),
    Entry::pure("sort", G, &["(list: list<O>) -> list<O>"], "the elements in rising order", sort),
    Entry::pure("reverse", G, &["(list: list<T>) -> list<T>"], "the elements from the last to the first", reverse),
    Entry::pure(
        "unique",
        G,
        &["(list: list<T>) -> list<T>"],
        "the elements without repetitions, in order of first appearance",
        unique,
    ),
    Entry::pure(
        "flatten",
        G,
        &["(lists: list<list<T>>) -> list<T>"],
        "the elements of all lists, one level deep",
        flatten,
    ),
    Entry::pure(
        "slice",
        G,
        &["(list: list<T>, start: int, end: int = length) -> list<T>"],
        "the elements from `start`, counted from 0, up to but without `end`",
        slice,
    ),
    Entry::pure(
        "range",
        G,
        &["(end: int) -> list<int>", "(start: int, end: int) -> list<int>"],
        "whole numbers from `start` (0) up to but without `end`; at most 1,000,000",
        range,
    ),
];

fn length(_: &mut Work<'_>, args: &[Value]) -> Answer {
    Ok(Value::Int(match args {
        [Value::String(text)] => text.chars().count(),
        [Value::List(items)] => items.len(),
        [Value::Map(entries)] => entries.len(),
        _ => return Err(Problem::Types),
    } as i64))
}

fn contains(_: &mut Work<'_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(match args {
        [Value::String(text), Value::String(part)] => text.contains(&**part),
        [Value::List(items), value] => items.iter().any(|item| ops::equal(item, value) == Some(true)),
        [Value::Map(entries), Value::String(key)] => entries.contains_key(&**key),
        _ => return Err(Problem::Types),
    }))
}

fn keys(work: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::Map(entries)] => work.list(entries.keys().map(|key| Value::String(key.clone())).collect()),
        _ => Err(Problem::Types),
    }
}

fn values(work: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::Map(entries)] => work.list(entries.values().cloned().collect()),
        _ => Err(Problem::Types),
    }
}

fn get(_: &mut Work<'_>, args: &[Value]) -> Answer {
    let [from, place, default @ ..] = args else { return Err(Problem::Types) };
    let found = match (from, place) {
        (Value::Map(entries), Value::String(key)) => entries.get(&**key),
        (Value::List(items), Value::Int(index)) => usize::try_from(*index).ok().and_then(|index| items.get(index)),
        _ => return Err(Problem::Types),
    };
    Ok(found.or(default.first()).cloned().unwrap_or(Value::Null))
}

fn merge(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let mut out = Map::new();
    for arg in args {
        let Value::Map(entries) = arg else { return Err(Problem::Types) };
        work.spend_elements(entries.len().saturating_mul(2))?;
        out.extend(entries.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    Ok(Value::Map(Arc::new(out)))
}

fn first(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::List(items)] => Ok(items.first().cloned().unwrap_or(Value::Null)),
        _ => Err(Problem::Types),
    }
}

fn last(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::List(items)] => Ok(items.last().cloned().unwrap_or(Value::Null)),
        _ => Err(Problem::Types),
    }
}

fn min(_: &mut Work<'_>, args: &[Value]) -> Answer {
    extreme(args, std::cmp::Ordering::Less)
}

fn max(_: &mut Work<'_>, args: &[Value]) -> Answer {
    extreme(args, std::cmp::Ordering::Greater)
}

fn extreme(args: &[Value], wanted: std::cmp::Ordering) -> Answer {
    let items = match args {
        [Value::List(items)] => items.as_slice(),
        [_, _, ..] => args,
        _ => return Err(Problem::Types),
    };
    let Some((mut best, rest)) = items.split_first() else { return Ok(Value::Null) };
    ops::total_order(best, best).ok_or_else(|| not_ordered(best, best))?;
    for item in rest {
        if ops::total_order(item, best).ok_or_else(|| not_ordered(item, best))? == wanted {
            best = item;
        }
    }
    Ok(best.clone())
}

fn not_ordered(a: &Value, b: &Value) -> Problem {
    because("expr.type", format!("values of types {} and {} have no order", ops::kind(a), ops::kind(b)))
}

fn sum(_: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::List(items)] = args else { return Err(Problem::Types) };
    let mut total = Value::Int(0);
    for item in items.iter() {
        if !matches!(item, Value::Int(_) | Value::Float(_)) {
            return Err(because("expr.type", format!("a list to sum holds a value of type {}", ops::kind(item))));
        }
        total = ops::arithmetic(crate::expr::ast::Arithmetic::Add, &total, item)?;
    }
    Ok(total)
}

fn sort(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::List(items)] = args else { return Err(Problem::Types) };
    // One kind throughout makes the order total, which sorting relies on.
    if let Some(first) = items.first()
        && let Some(odd) = items.iter().find(|item| ops::total_order(first, item).is_none())
    {
        return Err(not_ordered(first, odd));
    }
    work.spend_elements(items.len())?;
    let mut sorted = items.to_vec();
    sorted.sort_by(|a, b| ops::total_order(a, b).unwrap_or(std::cmp::Ordering::Equal));
    Ok(Value::list(sorted))
}

fn reverse(work: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::List(items)] => work.list(items.iter().rev().cloned().collect()),
        _ => Err(Problem::Types),
    }
}

/// A value as a key of a set: equal numbers have equal hashes, an int and a float too.
struct Key<'a>(&'a Value);

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        ops::equal(self.0, other.0) == Some(true)
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Value::Null | Value::Table(_) => 0_u8.hash(state),
            Value::Bool(b) => b.hash(state),
            // Ints that are not exact as floats only share a hash with their neighbours.
            Value::Int(i) => (*i as f64).to_bits().hash(state),
            Value::Float(f) => (if *f == 0.0 { 0.0 } else { *f }).to_bits().hash(state),
            Value::String(text) => text.hash(state),
            Value::Bytes(bytes) => bytes.hash(state),
            Value::Date(d) => d.hash(state),
            Value::Timestamp(t) => t.hash(state),
            Value::Duration(d) => d.hash(state),
            Value::List(items) => {
                items.len().hash(state);
                items.iter().for_each(|item| Key(item).hash(state));
            }
            // Equal maps may differ in order.
            Value::Map(entries) => {
                entries.len().hash(state);
                let mut keys: Vec<_> = entries.iter().collect();
                keys.sort_unstable_by_key(|(key, _)| *key);
                for (key, value) in keys {
                    key.hash(state);
                    Key(value).hash(state);
                }
            }
            Value::File(file) => file.hash(state),
        }
    }
}

fn unique(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::List(items)] = args else { return Err(Problem::Types) };
    let mut seen = HashSet::with_capacity(items.len());
    work.list(items.iter().filter(|item| seen.insert(Key(item))).cloned().collect())
}

fn flatten(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::List(lists)] = args else { return Err(Problem::Types) };
    let mut out = Vec::new();
    for list in lists.iter() {
        let Value::List(items) = list else {
            return Err(because("expr.type", format!("an element is not a list but of type {}", ops::kind(list))));
        };
        work.spend_elements(items.len())?;
        out.extend(items.iter().cloned());
    }
    Ok(Value::list(out))
}

fn slice(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let (items, start, end) = match args {
        [Value::List(items), Value::Int(start)] => (items, *start, i64::MAX),
        [Value::List(items), Value::Int(start), Value::Int(end)] => (items, *start, *end),
        _ => return Err(Problem::Types),
    };
    let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(because("expr.index", "a place in a list cannot be negative"));
    };
    let end = end.min(items.len());
    work.list(items.get(start.min(end)..end).unwrap_or_default().to_vec())
}

fn range(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let (start, end) = match args {
        [Value::Int(end)] => (0, *end),
        [Value::Int(start), Value::Int(end)] => (*start, *end),
        _ => return Err(Problem::Types),
    };
    if end.saturating_sub(start) > 1_000_000 {
        return Err(because("expr.too_large", "a range has at most 1,000,000 numbers"));
    }
    work.spend_elements(end.saturating_sub(start).max(0) as usize)?;
    Ok(Value::list((start..end).map(Value::Int)))
}
