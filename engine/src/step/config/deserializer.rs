use serde::{
    Deserializer,
    de::{Visitor, value::StrDeserializer},
};

use super::{
    Field,
    access::{Entries, Items, Variant},
    handover::{self, Handed},
    located::LOCATED,
    one_or_many::ONE_OR_MANY,
    problem::{Problem, no_expression},
    reader::Reading,
    template::template_of,
    templated::{TEMPLATED, WITH_SECRETS},
    units::Unit,
};
use crate::{
    data::Type,
    diag::{Code, Diagnostic, Span, TextMap},
    spec::{Node, NodeKind, Text},
};

/// Gives one node to serde.
#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'a> {
    node: &'a Node,
    reading: &'a Reading,
    /// Whether `${{` in a literal text is the kind's business.
    located: bool,
}

impl<'a> NodeDeserializer<'a> {
    pub(super) fn new(node: &'a Node, reading: &'a Reading) -> Self {
        Self { node, reading, located: false }
    }

    fn place<T>(self, read: Result<T, Problem>) -> Result<T, Problem> {
        read.map_err(|problem| self.reading.place(self.node, self.node.span, problem))
    }

    fn refuse<T>(self, expected: &str) -> Result<T, Problem> {
        self.place(Err(Problem::Type { expected: expected.to_owned() }))
    }

    /// A literal text; one with an expression inside is a problem, but reading goes on.
    fn literal(self, text: &'a Text) -> &'a str {
        if !self.located && text.value.contains("${{") {
            self.reading.add(no_expression(self.node.span));
        }
        &text.value
    }

    fn templated<'de, V: Visitor<'de>>(self, marks: &'static [&'static str], visitor: V) -> Result<V::Value, Problem> {
        let ty = marks.first().and_then(|text| Type::parse(text).ok()).unwrap_or(Type::Any);
        let mut problems = Vec::new();
        let template = template_of(self.node, &ty, &mut problems);
        self.reading.problems.borrow_mut().extend(problems);
        let secrets = marks.get(1) == Some(&WITH_SECRETS);
        let field = Field { path: self.reading.path(), template: template.clone(), ty, secrets };
        self.reading.fields.borrow_mut().push(field);
        handover::give(Handed::Template(template));
        self.place(visitor.visit_unit())
    }

    fn structure<'de, V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Problem> {
        let NodeKind::Map(entries) = &self.node.kind else { return self.refuse("a map") };
        for (key, _) in entries.iter().filter(|(key, _)| !fields.contains(&&*key.text)) {
            let message = format!("`{}` is not a key of this mapping", key.text);
            let problem =
                Diagnostic::new(Code::UnknownKey, key.span, message).did_you_mean(&key.text, fields.iter().copied());
            let known = fields.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ");
            if key.text.contains(' ') {
                // `{query: select a, b}`: the comma ended the text.
                self.reading.add(problem.help("a text with a comma inside { } is quoted"));
                continue;
            }
            let known =
                if fields.is_empty() { "no keys are known here".to_owned() } else { format!("keys here: {known}") };
            self.reading.add(problem.help(known));
        }
        let entries = Entries::of(self.node, entries, Some(fields), self.reading);
        self.place(visitor.visit_map(entries))
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            match &self.node.kind {
                NodeKind::Int(i) => self.place(visitor.visit_i64(*i)),
                NodeKind::Float(f) => self.place(visitor.visit_f64(*f)),
                _ => self.refuse(stringify!($method).trim_start_matches("deserialize_")),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = Problem;

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            NodeKind::Null => self.place(visitor.visit_unit()),
            NodeKind::Bool(b) => self.place(visitor.visit_bool(*b)),
            NodeKind::Int(i) => self.place(visitor.visit_i64(*i)),
            NodeKind::Float(f) => self.place(visitor.visit_f64(*f)),
            NodeKind::String(text) => self.place(visitor.visit_str(self.literal(text))),
            NodeKind::List(items) => self.place(visitor.visit_seq(Items::new(items, self.reading))),
            NodeKind::Map(entries) => {
                self.place(visitor.visit_map(Entries::of(self.node, entries, None, self.reading)))
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            NodeKind::Bool(b) => self.place(visitor.visit_bool(*b)),
            _ => self.refuse("a boolean"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            NodeKind::String(text) => self.place(visitor.visit_str(self.literal(text))),
            _ => self.refuse("a string"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            NodeKind::Null => self.place(visitor.visit_none()),
            _ => self.place(visitor.visit_some(self)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            NodeKind::Null => self.place(visitor.visit_unit()),
            NodeKind::Map(entries) if entries.is_empty() => self.place(visitor.visit_unit()),
            _ => self.refuse("unit"),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Problem> {
        if let Some(unit) = Unit::of_newtype(name) {
            return match unit.read(self.node) {
                Ok(value) => self.place(visitor.visit_u64(value)),
                Err(mismatch) => {
                    let expression = self.node.text().is_some_and(|text| text.value.contains("${{"));
                    let span = self.node.span;
                    self.reading.add(if expression { no_expression(span) } else { mismatch.at(span) });
                    Err(self.reading.mark(self.node))
                }
            };
        }
        match (name, &self.node.kind) {
            (LOCATED, kind) => {
                let map = match kind {
                    NodeKind::String(text) => text.map.clone(),
                    _ => TextMap::default(),
                };
                handover::give(Handed::Place(self.node.span, map));
                self.place(visitor.visit_newtype_struct(Self { located: true, ..self }))
            }
            (ONE_OR_MANY, NodeKind::List(items)) => self.place(visitor.visit_seq(Items::new(items, self.reading))),
            _ => self.place(visitor.visit_newtype_struct(self)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            NodeKind::List(items) => self.place(visitor.visit_seq(Items::new(items, self.reading))),
            _ => self.refuse("a sequence"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            NodeKind::List(items) if items.len() > length => {
                let found = format!("{} values", items.len());
                self.place(Err(Problem::Value { found, expected: format!("a list of {length} values") }))
            }
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.kind {
            NodeKind::Map(entries) => {
                self.place(visitor.visit_map(Entries::of(self.node, entries, None, self.reading)))
            }
            _ => self.refuse("a map"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        if name == TEMPLATED { self.templated(fields, visitor) } else { self.structure(fields, visitor) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let (word, span, content): (&str, Span, Option<&Node>) = match &self.node.kind {
            NodeKind::String(text) => (&text.value, self.node.span, None),
            NodeKind::Map(entries) => match entries.as_slice() {
                [(key, content)] => (&key.text, key.span, Some(content)),
                _ => {
                    let found = format!("{} keys", entries.len());
                    let words = variants.join(", ");
                    return self.place(Err(Problem::Value { found, expected: format!("one key out of {words}") }));
                }
            },
            _ => return self.refuse(&format!("one of {}", variants.join(", "))),
        };
        if word.contains("${{") {
            self.reading.add(no_expression(span));
            return Err(self.reading.mark(self.node));
        }
        if !variants.contains(&word) {
            let problem = Problem::Variant { found: word.to_owned(), allowed: variants };
            return Err(self.reading.place(self.node, span, problem));
        }
        let variant = Variant { word: StrDeserializer::new(word), content, reading: self.reading };
        self.place(visitor.visit_enum(variant))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_any(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }
}
