//! The JSON Schema of pipelines and workspaces, from the same description that checks them.

use serde_json::{Map, Value as Json, json};

use super::{
    keys,
    shape::{Keys, Shape},
    workspace,
};

/// Name, summary and schema of `with` of a kind of step.
pub type KindSchema<'a> = (&'a str, &'a str, schemars::Schema);

/// The JSON Schema (2020-12) of a pipeline; each kind adds the schema of its `with`.
pub fn json_schema(kinds: &[KindSchema<'_>]) -> Json {
    let mut defs = Map::new();
    let mut root = reference(&keys::PIPELINE, &mut defs);
    if let (Some(step), false) = (defs.get_mut("step"), kinds.is_empty()) {
        let choices = kinds.iter().map(|(name, summary, _)| json!({"const": name, "description": summary}));
        step["properties"]["uses"]["anyOf"] = choices.collect();
        let cases = kinds.iter().map(|(name, _, _)| {
            json!({
                "if": {"properties": {"uses": {"const": name}}, "required": ["uses"]},
                "then": {"properties": {"with": {"$ref": format!("#/$defs/with_{}", name.replace('.', "_"))}}},
            })
        });
        step["allOf"] = cases.collect();
    }
    for (name, _, schema) in kinds {
        let (body, inner) = hoist(name, schema);
        defs.extend(inner);
        defs.insert(format!("with_{}", name.replace('.', "_")), body);
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Millwork pipeline");
    root["$defs"] = Json::Object(defs);
    root
}

/// The JSON Schema of `millwork.yaml`.
pub fn workspace_json_schema() -> Json {
    let mut defs = Map::new();
    let mut root = reference(&workspace::WORKSPACE, &mut defs);
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Millwork workspace");
    root["$defs"] = Json::Object(defs);
    root
}

/// A kind's schema with its own definitions renamed, so that two kinds may both have a `Mode`.
fn hoist(kind: &str, schema: &schemars::Schema) -> (Json, Map<String, Json>) {
    let prefix = format!("with_{}_", kind.replace('.', "_"));
    let mut body = schema.as_value().clone();
    let mut out = Map::new();
    rename(&mut body, &prefix);
    if let Some(object) = body.as_object_mut() {
        object.remove("$schema");
        if let Some(Json::Object(inner)) = object.remove("$defs") {
            out.extend(inner.into_iter().map(|(name, value)| (format!("{prefix}{name}"), value)));
        }
    }
    (body, out)
}

fn rename(value: &mut Json, prefix: &str) {
    match value {
        Json::Object(object) => {
            for (key, value) in object.iter_mut() {
                match value {
                    Json::String(text) if key == "$ref" => {
                        if let Some(name) = text.strip_prefix("#/$defs/") {
                            *text = format!("#/$defs/{prefix}{name}");
                        }
                    }
                    _ => rename(value, prefix),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, prefix)),
        _ => {}
    }
}

fn reference(keys: &'static Keys, defs: &mut Map<String, Json>) -> Json {
    if !defs.contains_key(keys.name) {
        defs.insert(keys.name.to_owned(), Json::Null);
        let mut properties = Map::new();
        for key in keys.list {
            let mut schema = of(&key.shape, defs);
            schema["description"] = json!(key.doc);
            properties.insert(key.name.to_owned(), schema);
        }
        let required: Vec<_> = keys.list.iter().filter(|k| k.required && k.name != "id").map(|k| k.name).collect();
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if matches!(keys.name, "pipeline" | "workspace") {
            schema["patternProperties"] = json!({"^x-": {}});
        }
        defs.insert(keys.name.to_owned(), schema);
    }
    json!({"$ref": format!("#/$defs/{}", keys.name)})
}

fn of(shape: &'static Shape, defs: &mut Map<String, Json>) -> Json {
    match shape {
        Shape::Text => json!({"type": "string"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Int(least) => json!({"type": "integer", "minimum": least}),
        Shape::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
        Shape::Number => json!({"type": "number"}),
        Shape::Duration => json!({"type": "string", "examples": ["90s", "10m", "1h30m", "PT10M"]}),
        Shape::Size => json!({"type": "string", "examples": ["512MiB", "6GiB"]}),
        Shape::Count => json!({"type": ["integer", "string"], "examples": ["500k", 250]}),
        Shape::Name => json!({"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 100}),
        Shape::Expr => json!({"type": ["string", "boolean"]}),
        Shape::Any => json!({}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::List(inner) => json!({"type": "array", "items": of(inner, defs)}),
        Shape::OneOrMore(inner) => {
            let one = of(inner, defs);
            json!({"anyOf": [one, {"type": "array", "items": one}]})
        }
        Shape::Map(inner) => json!({"type": "object", "additionalProperties": of(inner, defs)}),
        Shape::Keys(keys) => reference(keys, defs),
        Shape::Either(a, b) => json!({"anyOf": [of(a, defs), of(b, defs)]}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_schema_with_its_meaning() {
        let schema = json_schema(&[("sql", "runs SQL", schemars::json_schema!({"type": "object"}))]);
        for keys in [&keys::PIPELINE, &keys::STEP, &keys::SCHEDULE, &keys::RETRY, &keys::TEST] {
            for key in keys.list {
                let found = &schema["$defs"][keys.name]["properties"][key.name]["description"];
                assert_eq!(found, key.doc, "{}.{}", keys.name, key.name);
            }
        }
        assert_eq!(schema["$defs"]["step"]["allOf"][0]["then"]["properties"]["with"]["$ref"], "#/$defs/with_sql");
    }
}
