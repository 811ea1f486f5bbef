use std::collections::BTreeMap;

use super::draft::Draft;
use crate::{
    data::plain,
    expr::{Piece, Template, TemplateKind},
    model::Digest,
    spec::{Node, NodeKind},
};

/// A digest of a step's own work and of all it needs: kind, version, configuration and conditions as
/// written, included files. Not in it: ids, places, comments, retries, limits, values of inputs.
pub(super) fn fingerprint(draft: &Draft, needed: &[Digest], files: &BTreeMap<String, String>) -> Digest {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    work(draft, files, &mut parts);
    for inner in &draft.body {
        parts.push(b"body".to_vec());
        parts.push(inner.spec.id.value.as_str().as_bytes().to_vec());
        work(inner, files, &mut parts);
    }
    parts.push(b"needs".to_vec());
    let mut needed: Vec<Vec<u8>> = needed.iter().map(|digest| digest.as_bytes().to_vec()).collect();
    needed.sort();
    parts.extend(needed);
    Digest::of_parts(parts.iter().map(Vec::as_slice))
}

fn work(draft: &Draft, files: &BTreeMap<String, String>, parts: &mut Vec<Vec<u8>>) {
    let spec = &draft.spec;
    let mut word = |text: &str| parts.push(text.as_bytes().to_vec());
    if let Some(kind) = &draft.kind {
        word(kind.name());
        word(&kind.version().to_string());
        if let Some(config) = &draft.config {
            for path in kind.includes(config) {
                word(files.get(&path).map_or("", String::as_str));
            }
        }
    }
    word("if");
    word(spec.condition.as_ref().map_or("", |condition| condition.value.source()));
    word("for_each");
    if let Some(each) = &spec.for_each {
        word(each.over.value.source());
        word(each.key.as_ref().map_or("", |key| key.value.source()));
        word(&format!("{:?} {}", each.batch, each.min_success));
    }
    word("repeat");
    if let Some(repeat) = &spec.repeat {
        word(repeat.until.value.source());
    }
    let mut bytes = Vec::new();
    if let Some(with) = &spec.with {
        node(with, &mut bytes);
    }
    for (name, value) in &spec.env {
        text(b'e', name, &mut bytes);
        template(&value.value, &mut bytes);
    }
    for (name, value) in &spec.state {
        text(b's', name.as_str(), &mut bytes);
        template(&value.value, &mut bytes);
    }
    parts.push(bytes);
}

fn text(tag: u8, text: &str, bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn node(of: &Node, bytes: &mut Vec<u8>) {
    match &of.kind {
        NodeKind::Null => bytes.push(b'0'),
        NodeKind::Bool(b) => bytes.extend([b'b', u8::from(*b)]),
        NodeKind::Int(i) => text(b'i', &i.to_string(), bytes),
        NodeKind::Float(f) => text(b'f', &f.to_string(), bytes),
        NodeKind::String(value) => text(b't', &value.value, bytes),
        NodeKind::List(items) => {
            text(b'l', &items.len().to_string(), bytes);
            items.iter().for_each(|item| node(item, bytes));
        }
        NodeKind::Map(entries) => {
            text(b'm', &entries.len().to_string(), bytes);
            for (key, value) in entries {
                text(b'k', &key.text, bytes);
                node(value, bytes);
            }
        }
    }
}

fn template(of: &Template, bytes: &mut Vec<u8>) {
    match &of.kind {
        TemplateKind::Literal(value) => text(b'v', &plain(value).to_string(), bytes),
        TemplateKind::Expr(expr) => text(b'x', expr.source(), bytes),
        TemplateKind::Text(pieces) => pieces.iter().for_each(|piece| match piece {
            Piece::Text(value) => text(b't', value, bytes),
            Piece::Expr(expr) => text(b'x', expr.source(), bytes),
        }),
        TemplateKind::List(items) => {
            text(b'l', &items.len().to_string(), bytes);
            items.iter().for_each(|item| template(item, bytes));
        }
        TemplateKind::Map(entries) => {
            text(b'm', &entries.len().to_string(), bytes);
            for (key, value) in entries {
                text(b'k', key, bytes);
                template(value, bytes);
            }
        }
    }
}
