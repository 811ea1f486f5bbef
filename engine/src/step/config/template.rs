use std::sync::Arc;

use super::{Mismatch, convert};
use crate::{
    data::{Type, Value},
    diag::{Diagnostic, Span},
    expr::{Template, TemplateKind},
    spec::{Node, NodeKind},
};

/// What is written in a node, as a template whose literal parts have the type asked for. Problems are
/// added to `problems`; the part they are in is null.
pub fn template_of(node: &Node, ty: &Type, problems: &mut Vec<Diagnostic>) -> Template {
    let kind = match &node.kind {
        NodeKind::String(text) if text.value.contains("${{") => {
            return Template::parse(&text.value, &text.map, node.span).unwrap_or_else(|found| {
                problems.extend(found);
                Template { span: node.span, kind: TemplateKind::Literal(Value::Null) }
            });
        }
        NodeKind::String(text) => leaf(Value::String(text.value.clone()), ty, node.span, problems),
        NodeKind::Null => leaf(Value::Null, ty, node.span, problems),
        NodeKind::Bool(b) => leaf(Value::Bool(*b), ty, node.span, problems),
        NodeKind::Int(i) => leaf(Value::Int(*i), ty, node.span, problems),
        NodeKind::Float(f) => leaf(Value::Float(*f), ty, node.span, problems),
        NodeKind::List(items) => match ty.required() {
            Type::Any => list(items, |_| Type::Any, problems),
            Type::List(element) => list(items, |_| (**element).clone(), problems),
            other => refuse(node, other, problems),
        },
        NodeKind::Map(entries) => match ty.required() {
            Type::Any => map(node, entries, &|_| Type::Any, problems),
            Type::Map(inner) => map(node, entries, &|_| (**inner).clone(), problems),
            Type::Object(object) => {
                for (name, ty) in object.fields.iter().filter(|(_, ty)| !ty.allows_null()) {
                    if node.get(name).is_none() {
                        problems.push(Mismatch::new(format!("the field `{name}` ({ty}) is missing")).at(node.span));
                    }
                }
                map(node, entries, &|key| object.fields.get(key).cloned().unwrap_or(Type::Any), problems)
            }
            other => refuse(node, other, problems),
        },
    };
    Template { span: node.span, kind }
}

/// A template that was read without a type, with its literal parts as the type asks for them.
pub fn conform(template: &Template, ty: &Type, problems: &mut Vec<Diagnostic>) -> Template {
    let kind = match (&template.kind, ty.required()) {
        (TemplateKind::Literal(value), _) => leaf(value.clone(), ty, template.span, problems),
        (TemplateKind::List(items), Type::List(element)) => {
            TemplateKind::List(items.iter().map(|item| conform(item, element, problems)).collect())
        }
        (TemplateKind::Map(entries), Type::Map(inner)) => {
            TemplateKind::Map(entries.iter().map(|(k, v)| (k.clone(), conform(v, inner, problems))).collect())
        }
        (TemplateKind::Map(entries), Type::Object(object)) => {
            let entries = entries.iter().map(|(key, value)| {
                (key.clone(), conform(value, object.fields.get(key).unwrap_or(&Type::Any), problems))
            });
            TemplateKind::Map(entries.collect())
        }
        (other, _) => other.clone(),
    };
    Template { span: template.span, kind }
}

fn leaf(value: Value, ty: &Type, span: Span, problems: &mut Vec<Diagnostic>) -> TemplateKind {
    TemplateKind::Literal(convert(value, ty).unwrap_or_else(|mismatch| {
        problems.push(mismatch.at(span));
        Value::Null
    }))
}

fn refuse(node: &Node, expected: &Type, problems: &mut Vec<Diagnostic>) -> TemplateKind {
    problems.push(Mismatch::new(format!("expected {expected}, found {}", node.describe())).at(node.span));
    TemplateKind::Literal(Value::Null)
}

fn list(items: &[Node], element: impl Fn(usize) -> Type, problems: &mut Vec<Diagnostic>) -> TemplateKind {
    let parts = items.iter().enumerate().map(|(i, item)| template_of(item, &element(i), problems));
    let parts: Vec<Template> = parts.collect();
    let literals: Option<Vec<Value>> = parts.iter().map(|part| part.literal().cloned()).collect();
    match literals {
        Some(values) => TemplateKind::Literal(Value::List(Arc::new(values))),
        None => TemplateKind::List(parts),
    }
}

fn map(
    node: &Node,
    entries: &[(crate::spec::Key, Node)],
    inner: &dyn Fn(&str) -> Type,
    problems: &mut Vec<Diagnostic>,
) -> TemplateKind {
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.text.contains("${{")) {
        let text = "an expression cannot stand in a key; quote it as a value, or use `object(..)`";
        problems.push(Mismatch::new(text).at(key.span.to(node.span)));
    }
    let parts = entries.iter().map(|(key, value)| (key.text.clone(), template_of(value, &inner(&key.text), problems)));
    let parts: Vec<(Arc<str>, Template)> = parts.collect();
    if parts.iter().all(|(_, part)| part.literal().is_some()) {
        let values = parts.iter().filter_map(|(key, part)| Some((key.clone(), part.literal()?.clone())));
        return TemplateKind::Literal(Value::Map(Arc::new(values.collect())));
    }
    TemplateKind::Map(parts)
}
