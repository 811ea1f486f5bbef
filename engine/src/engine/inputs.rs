//! Inputs of a run: checked against the pipeline and converted to their types.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value as Json;

use crate::{
    data::{FileRef, Map, Type, Value, decode, encode, plain},
    executor::{Alone, eval_alone},
    graph::Plan,
    model::{Fault, Name, units::parse_duration},
    spec::{Node, NodeKind},
};

/// The value of every input: given ones converted, defaults for the rest.
pub(super) fn resolve(
    plan: &Plan,
    run: Alone<'_>,
    mut given: BTreeMap<String, Value>,
) -> Result<BTreeMap<Name, Value>, Fault> {
    if let Some(unknown) = given.keys().find(|name| !plan.spec.inputs.contains_key(name.as_str())) {
        let known: Vec<&str> = plan.spec.inputs.keys().map(Name::as_str).collect();
        let fault = Fault::user("input.unknown", format!("the pipeline has no input `{unknown}`"));
        return Err(fault.help(if known.is_empty() {
            "it takes none".to_owned()
        } else {
            format!("it takes: {}", known.join(", "))
        }));
    }
    let (mut inputs, mut faults) = (BTreeMap::new(), Vec::new());
    for name in plan.spec.inputs.keys() {
        match one(plan, run, name, given.remove(name.as_str()), &inputs) {
            Ok(value) => drop(inputs.insert(name.clone(), value)),
            Err(fault) => faults.push(fault),
        }
    }
    all_at_once(faults).map_or(Ok(inputs), Err)
}

/// Several faults as one, so that nobody mends them run by run.
fn all_at_once(mut faults: Vec<Fault>) -> Option<Fault> {
    if faults.len() < 2 {
        return faults.pop();
    }
    let join = |texts: Vec<&str>| texts.join("; ");
    let messages = join(faults.iter().map(|fault| fault.message.as_str()).collect());
    let help = join(faults.iter().filter_map(|fault| fault.help.as_deref()).collect());
    let fault = Fault::user("input.several", messages);
    Some(if help.is_empty() { fault } else { fault.help(help) })
}

fn one(
    plan: &Plan,
    run: Alone<'_>,
    name: &Name,
    given: Option<Value>,
    inputs: &BTreeMap<Name, Value>,
) -> Result<Value, Fault> {
    let spec = &plan.spec.inputs[name];
    let value = match (given, &spec.default) {
        (Some(value), _) => value,
        (None, Some(default)) => eval_alone(&default.value, run, is_date(&spec.ty), inputs)?.value,
        (None, None) if spec.ty.allows_null() => Value::Null,
        (None, None) => {
            return Err(Fault::user("input.missing", format!("the input `{name}` ({}) is missing", spec.ty))
                .help(format!("give it, for example with `--input {name}=...`")));
        }
    };
    let value =
        convert(value, &spec.ty).map_err(|why| Fault::user("input.type", format!("the input `{name}` {why}")))?;
    if !spec.allowed.is_empty() && !spec.allowed.iter().any(|allowed| plain(&node_value(allowed)) == plain(&value)) {
        let allowed: Vec<String> = spec.allowed.iter().map(|node| node_value(node).to_string()).collect();
        return Err(Fault::user(
            "input.enum",
            format!("the input `{name}` is `{}`, which is not allowed", short(&value.to_string())),
        )
        .help(format!("allowed: {}", allowed.join(", "))));
    }
    Ok(value)
}

/// The longest part of a value that a message repeats.
const LONGEST_SHOWN: usize = 60;

fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST_SHOWN {
        return text.to_owned();
    }
    text.chars().take(LONGEST_SHOWN).chain(['…']).collect()
}

/// Inputs as the log holds them.
pub(super) fn encoded(inputs: &BTreeMap<Name, Value>) -> Result<Json, Fault> {
    let object = inputs.iter().map(|(name, value)| Ok((name.to_string(), encode(value)?)));
    Ok(Json::Object(object.collect::<Result<_, Fault>>()?))
}

/// Inputs from the log.
pub(super) fn decoded(json: &Json) -> Result<BTreeMap<String, Value>, Fault> {
    let object =
        json.as_object().ok_or_else(|| Fault::internal("value.unreadable", "recorded inputs are no object"))?;
    object.iter().map(|(name, json)| Ok((name.clone(), decode(json)?))).collect()
}

/// Whether an input is a date, so that an end of an interval stands for its day.
pub(super) fn is_date(ty: &Type) -> bool {
    *ty.required() == Type::Date
}

fn node_value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Null => Value::Null,
        NodeKind::Bool(b) => Value::Bool(*b),
        NodeKind::Int(i) => Value::Int(*i),
        NodeKind::Float(f) => Value::Float(*f),
        NodeKind::String(text) => Value::String(text.value.clone()),
        NodeKind::List(items) => Value::list(items.iter().map(node_value)),
        NodeKind::Map(entries) => Value::map(entries.iter().map(|(key, node)| (key.text.clone(), node_value(node)))),
    }
}

/// A value as one of the type. Texts are read as it; what does not fit is said in a few words.
pub(super) fn convert(value: Value, ty: &Type) -> Result<Value, String> {
    if value.is_null() && ty.allows_null() {
        return Ok(Value::Null);
    }
    let ty = ty.required();
    let wrong = |value: &Value| format!("must be {ty}, found {} `{}`", Type::of(value), short(&value.to_string()));
    match (&value, ty) {
        (Value::Int(i), Type::Float) => return Ok(Value::Float(*i as f64)),
        (Value::String(text), ty) if !matches!(ty, Type::String | Type::Any) => {
            return from_text(text, ty).ok_or_else(|| format!("must be {ty}: `{}` cannot be read as one", short(text)));
        }
        (Value::List(items), Type::List(element)) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| convert(item.clone(), element)).collect();
            return Ok(Value::List(Arc::new(items?)));
        }
        (Value::Map(entries), Type::Map(element)) => {
            let entries: Result<Map, String> =
                entries.iter().map(|(key, value)| Ok((key.clone(), convert(value.clone(), element)?))).collect();
            return Ok(Value::Map(Arc::new(entries?)));
        }
        (Value::Map(entries), Type::Object(object)) => {
            let mut converted = Map::new();
            for (key, value) in entries.iter() {
                let value = match object.fields.get(key) {
                    Some(field) => {
                        convert(value.clone(), field).map_err(|why| format!("has a field `{key}` that {why}"))?
                    }
                    None => value.clone(),
                };
                converted.insert(key.clone(), value);
            }
            let value = Value::Map(Arc::new(converted));
            return if Type::of(&value).fits(ty) { Ok(value) } else { Err(wrong(&value)) };
        }
        _ => {}
    }
    if Type::of(&value).fits(ty) { Ok(value) } else { Err(wrong(&value)) }
}

fn from_text(text: &str, ty: &Type) -> Option<Value> {
    let text = text.trim();
    Some(match ty {
        Type::Bool => Value::Bool(match text {
            "true" => true,
            "false" => false,
            _ => return None,
        }),
        Type::Int => Value::Int(text.parse().ok()?),
        Type::Float => Value::Float(text.parse().ok()?),
        Type::Date => Value::Date(text.parse::<NaiveDate>().ok()?),
        Type::Timestamp => Value::Timestamp(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc)),
        Type::Duration => Value::Duration(TimeDelta::from_std(parse_duration(text).ok()?).ok()?),
        Type::Bytes => Value::Bytes(text.as_bytes().into()),
        Type::File => Value::File(Arc::new(FileRef {
            path: text.to_owned(),
            artifact: None,
            media_type: None,
            bytes: std::fs::metadata(text).map_or(0, |meta| meta.len()),
        })),
        Type::List(element) => {
            let json = serde_json::from_str::<Json>(text).ok();
            match json {
                Some(json @ Json::Array(_)) => convert(decode(&json).ok()?, ty).ok()?,
                // A comma-separated list, as people type it.
                _ => {
                    let items: Result<Vec<_>, _> =
                        text.split(',').map(|item| convert(Value::from(item.trim()), element)).collect();
                    Value::List(Arc::new(items.ok()?))
                }
            }
        }
        Type::Map(_) | Type::Object(_) => {
            let json: Json = serde_json::from_str(text).ok()?;
            if !json.is_object() {
                return None;
            }
            convert(decode(&json).ok()?, ty).ok()?
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_what_the_input_is() {
        for (text, ty, shown) in [
            ("12", "int", "12"),
            ("1.5", "float", "1.5"),
            ("true", "bool", "true"),
            ("2013-01-09", "date", "\"2013-01-09\""),
            ("EWR, JFK", "list<string>", r#"["EWR","JFK"]"#),
            ("[1,2]", "list<float>", "[1.0,2.0]"),
            (r#"{"a": "2"}"#, "object{a: int}", r#"{"a":2}"#),
        ] {
            let ty = Type::parse(ty).expect("a type");
            assert_eq!(convert(Value::from(text), &ty).expect("converts").to_string(), shown);
        }
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let int = Type::parse("int").expect("a type");
        assert_eq!(convert(Value::from("x"), &int).expect_err("a reason"), "must be int: `x` cannot be read as one");
        assert_eq!(convert(Value::Bool(true), &int).expect_err("a reason"), "must be int, found bool `true`");
    }
}
