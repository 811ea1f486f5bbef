//! Values as written to [`Template`]s.

use indexmap::IndexMap;

use super::{Node, NodeKind};
use crate::{
    data::Value,
    diag::Diagnostic,
    expr::{Template, TemplateKind},
};

/// The template of a value as written. A value without `${{` anywhere becomes one literal.
pub fn template_of(node: &Node) -> Result<Template, Vec<Diagnostic>> {
    let literal = |value| Ok(Template { span: node.span, kind: TemplateKind::Literal(value) });
    match &node.kind {
        NodeKind::String(text) if text.value.contains("${{") => Template::parse(&text.value, &text.map, node.span),
        NodeKind::List(items) if has_expression(node) => {
            let parts = all(items.iter().map(template_of))?;
            Ok(Template { span: node.span, kind: TemplateKind::List(parts) })
        }
        NodeKind::Map(entries) if has_expression(node) => {
            let parts = all(entries.iter().map(|(key, value)| Ok((key.text.clone(), template_of(value)?))))?;
            Ok(Template { span: node.span, kind: TemplateKind::Map(parts) })
        }
        _ => literal(value_of(node)),
    }
}

/// The value as written, expressions left as text.
pub fn value_of(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Null => Value::Null,
        NodeKind::Bool(value) => Value::Bool(*value),
        NodeKind::Int(value) => Value::Int(*value),
        NodeKind::Float(value) => Value::Float(*value),
        NodeKind::String(text) => Value::String(text.value.clone()),
        NodeKind::List(items) => Value::list(items.iter().map(value_of)),
        NodeKind::Map(entries) => {
            let entries: IndexMap<_, _> = entries.iter().map(|(k, v)| (k.text.clone(), value_of(v))).collect();
            Value::Map(entries.into())
        }
    }
}

fn has_expression(node: &Node) -> bool {
    match &node.kind {
        NodeKind::String(text) => text.value.contains("${{"),
        NodeKind::List(items) => items.iter().any(has_expression),
        NodeKind::Map(entries) => entries.iter().any(|(_, value)| has_expression(value)),
        _ => false,
    }
}

/// All the values, or all the problems.
fn all<T>(results: impl Iterator<Item = Result<T, Vec<Diagnostic>>>) -> Result<Vec<T>, Vec<Diagnostic>> {
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(mut more) => problems.append(&mut more),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}
