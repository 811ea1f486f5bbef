//! What a configuration takes, from its JSON Schema: every key with its type, nested ones below the key they are in.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::cli::words::wrap;

/// A schema on its way to a page.
pub(super) struct Fields<'s> {
    root: &'s Json,
    width: usize,
    /// Definitions told so far, and under which key.
    told: BTreeMap<&'s str, String>,
    lines: Vec<String>,
}

impl<'s> Fields<'s> {
    /// The lines of a configuration's fields. `strong` makes a name stand out.
    pub(super) fn lines(root: &'s Json, width: usize, strong: &dyn Fn(&str) -> String) -> Vec<String> {
        let mut page = Self { root, width, told: BTreeMap::new(), lines: Vec::new() };
        for (name, field) in object(&root["properties"]) {
            let required = if is_required(root, name) { ", required" } else { "" };
            page.lines.push(format!("  {} ({}{required})", strong(name), type_of(field, root)));
            if let Some(text) = field["description"].as_str() {
                page.paragraph(text, 6, 0);
            }
            page.below(field, name, 6, strong);
        }
        page.lines
    }

    /// What is inside a field: keys of mappings, words of enumerations.
    fn below(&mut self, field: &'s Json, path: &str, indent: usize, strong: &dyn Fn(&str) -> String) {
        if let Some(reference) = field["$ref"].as_str() {
            let Some(target) = self.root.pointer(reference.trim_start_matches('#')) else { return };
            let nested = !object(&target["properties"]).is_empty();
            match self.told.get(reference) {
                // Words are in the type already.
                Some(above) if nested && above != path => {
                    let text = format!("Its keys are those of `{above}`.");
                    self.paragraph(&text, indent, 0);
                }
                Some(_) => {}
                None => {
                    self.told.insert(reference, path.to_owned());
                    if nested && let Some(text) = target["description"].as_str() {
                        self.paragraph(text, indent, 0);
                    }
                    self.below(target, path, indent, strong);
                }
            }
            return;
        }
        for (name, inner) in object(&field["properties"]) {
            let required = if is_required(field, name) { ", required" } else { "" };
            let said = inner["description"].as_str().map(|text| format!(": {text}")).unwrap_or_default();
            self.item(name, &format!(" ({}{required}){said}", type_of(inner, self.root)), indent, strong);
            self.below(inner, &format!("{path}.{name}"), indent + 2, strong);
        }
        for inner in [&field["items"], &field["additionalProperties"]] {
            if inner.is_object() {
                self.below(inner, path, indent, strong);
            }
        }
        for option in ["oneOf", "anyOf"].iter().filter_map(|several| field[*several].as_array()).flatten() {
            match (option["const"].as_str(), option["description"].as_str()) {
                (Some(word), Some(text)) => self.item(word, &format!(": {text}"), indent, strong),
                (Some(_), None) => {}
                (None, _) => self.below(option, path, indent, strong),
            }
        }
    }

    /// `- name rest`, with later lines below the name.
    fn item(&mut self, name: &str, rest: &str, indent: usize, strong: &dyn Fn(&str) -> String) {
        let first = self.lines.len();
        self.paragraph(&format!("- {name}{rest}"), indent, 2);
        if let Some(line) = self.lines.get_mut(first) {
            *line = line.replacen(name, &strong(name), 1);
        }
    }

    fn paragraph(&mut self, text: &str, indent: usize, hang: usize) {
        let text = text.replace('\n', " ");
        let room = self.width.saturating_sub(indent + hang).max(20);
        for (n, line) in wrap(&text, room).lines().enumerate() {
            let blanks = if n == 0 { indent } else { indent + hang };
            self.lines.push(format!("{:blanks$}{line}", ""));
        }
    }
}

/// The members of an object; none of anything else.
fn object(json: &Json) -> Vec<(&str, &Json)> {
    json.as_object().into_iter().flatten().map(|(name, field)| (name.as_str(), field)).collect()
}

fn is_required(schema: &Json, name: &str) -> bool {
    schema["required"].as_array().into_iter().flatten().any(|required| required == name)
}

/// A short name for what a field takes.
pub(super) fn type_of(field: &Json, root: &Json) -> String {
    if let Some(ty) = field["x-type"].as_str() {
        return format!("{ty} or ${{{{ }}}}");
    }
    if let Some(target) = field["$ref"].as_str().and_then(|path| root.pointer(path.trim_start_matches('#'))) {
        return type_of(target, root);
    }
    let literal = |options: &Json| {
        let all: Vec<String> =
            options.as_array()?.iter().filter_map(|o| Some(o["const"].as_str()?.to_owned())).collect();
        (!all.is_empty()).then(|| all.join(" | "))
    };
    if let Some(names) = field["enum"].as_array() {
        return names.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" | ");
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(text) = literal(&field[several]) {
            return text;
        }
        if let Some(options) = field[several].as_array() {
            let mut names: Vec<String> = options.iter().map(|option| type_of(option, root)).collect();
            names.retain(|name| name != "null");
            names.dedup();
            return names.join(" or ");
        }
    }
    match &field["type"] {
        Json::String(ty) if ty == "array" => format!("list of {}", type_of(&field["items"], root)),
        Json::String(ty) if ty == "object" && field["additionalProperties"].is_object() => {
            format!("map of {}", type_of(&field["additionalProperties"], root))
        }
        Json::String(ty) => ty.clone(),
        Json::Array(types) => {
            types.iter().filter_map(Json::as_str).filter(|ty| *ty != "null").collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_have_short_types() {
        let root = json!({"$defs": {"F": {"oneOf": [{"const": "a"}, {"const": "b"}]}}});
        for (field, expected) in [
            (json!({"x-type": "string"}), "string or ${{ }}"),
            (json!({"$ref": "#/$defs/F"}), "a | b"),
            (json!({"type": "array", "items": {"type": "integer"}}), "list of integer"),
            (json!({"type": "object", "additionalProperties": {"x-type": "any"}}), "map of any or ${{ }}"),
            (json!({"anyOf": [{"x-type": "int"}, {"type": "null"}]}), "int or ${{ }}"),
            (json!({"type": ["string", "null"]}), "string"),
            (json!({}), "any"),
        ] {
            assert_eq!(type_of(&field, &root), expected);
        }
    }

    #[test]
    fn nested_keys_are_told_once() {
        let schema = json!({
            "properties": {
                "charts": {"description": "Charts.", "type": "array", "items": {"$ref": "#/$defs/Chart"}},
                "one": {"anyOf": [{"$ref": "#/$defs/Chart"}, {"type": "null"}]},
                "by_name": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Self"}},
            },
            "required": ["charts"],
            "$defs": {
                "Chart": {
                    "description": "A chart.", "type": "object",
                    "properties": {"kind": {"description": "Which one.", "$ref": "#/$defs/Kind"}},
                    "required": ["kind"],
                },
                "Kind": {"oneOf": [{"const": "bar", "description": "A bar for each row, and its value."}, {"const": "line"}]},
                "Self": {"type": "object", "properties": {"self": {"$ref": "#/$defs/Self"}}},
            },
        });
        let expected = "  charts (list of object, required)
      Charts.
      A chart.
      - kind (bar | line,
        required): Which one.
        - BAR: A bar for
          each row, and its
          value.
  one (object)
      Its keys are those of
      `charts`.
  by_name (map of object)
      - self (object)
        Its keys are those of
        `by_name`.";
        let strong = |name: &str| if name == "bar" { "BAR".to_owned() } else { name.to_owned() };
        assert_eq!(Fields::lines(&schema, 30, &strong).join("\n"), expected);
    }
}
