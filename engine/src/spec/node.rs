use std::sync::Arc;

use crate::diag::{Span, TextMap};

/// A YAML value that knows where it stands. Aliases and merge keys are already resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The bytes of the file it was written in.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// What a [`Node`] is: YAML 1.2 core types, so `no`, `on` and `012` are text.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text.
    String(Text),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file, without duplicates.
    Map(Vec<(Key, Node)>),
}

/// A text with the way back to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The value.
    pub value: Arc<str>,
    /// Where its bytes stand.
    pub map: TextMap,
}

/// A mapping's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub text: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// Any value with the place it was written at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

impl Node {
    /// The value under `key`, in a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|(k, _)| &*k.text == key).map(|(_, node)| node)
    }

    /// The entries, in a mapping.
    pub fn entries(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements, in a sequence.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, in a string.
    pub fn text(&self) -> Option<&Text> {
        match &self.kind {
            NodeKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages: `a mapping`, `text`, ...
    pub fn describe(&self) -> &'static str {
        match self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Bool(_) => "a boolean",
            NodeKind::Int(_) => "an integer",
            NodeKind::Float(_) => "a float",
            NodeKind::String(_) => "text",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a mapping",
        }
    }
}
