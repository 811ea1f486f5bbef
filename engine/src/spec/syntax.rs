//! What the reader says and remembers: limits, remedies, keys met so far.

use std::{collections::HashSet, sync::Arc};

use serde_yaml::granit_parser::ErrorKind;

use super::{Key, Node};
use crate::diag::{Code, Diagnostic, Span};

/// Levels of nesting in a file, aliases expanded.
pub(super) const MAX_DEPTH: usize = 64;

pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(Code::YamlBudget, span, format!("values are nested more than {MAX_DEPTH} levels deep"))
        .help("a pipeline needs a dozen levels; move deep data into a file that a step reads")
}

pub(super) fn remedy(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => "indent with spaces; YAML takes no tabs there",
        ErrorKind::UnclosedQuotedScalar => "close the quote that is still open",
        ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            "every `{` and `[` needs its own end"
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "write `key: value` with a colon and a blank; a text that holds `: ` needs quotes"
        }
        ErrorKind::UnexpectedCharacter { .. } => "a text that begins with this character needs quotes",
        ErrorKind::UnknownQuotedScalarEscape => "write `\\\\` for a backslash, or use single quotes",
        _ => "the mistake is here or on the line before: look at indentation, colons, quotes and brackets",
    }
}

/// Keys met so far: a scan for small mappings, a table for large ones.
pub(super) struct Seen(Option<HashSet<Arc<str>>>);

impl Seen {
    pub(super) fn new(size: usize) -> Self {
        Self((size > 16).then(HashSet::new))
    }

    /// The place of an equal key, if there was one.
    pub(super) fn insert(&mut self, key: &Key, out: &[(Key, Node)]) -> Option<Span> {
        let find = || out.iter().find(|(k, _)| k.text == key.text).map(|(k, _)| k.span);
        if self.0.is_none() && out.len() > 32 {
            self.0 = Some(out.iter().map(|(k, _)| k.text.clone()).collect());
        }
        match &mut self.0 {
            Some(set) => {
                if set.insert(key.text.clone()) {
                    None
                } else {
                    find()
                }
            }
            None => find(),
        }
    }
}
