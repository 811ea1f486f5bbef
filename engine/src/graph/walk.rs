use crate::{
    diag::Span,
    expr::{Expr, Piece, Template, TemplateKind},
    spec::{Node, NodeKind},
};

/// Calls `f` with each expression in a template, in order.
pub(super) fn each_expr<'a>(template: &'a Template, f: &mut dyn FnMut(&'a Expr)) {
    match &template.kind {
        TemplateKind::Literal(_) => {}
        TemplateKind::Expr(expr) => f(expr),
        TemplateKind::Text(pieces) => pieces.iter().for_each(|piece| match piece {
            Piece::Expr(expr) => f(expr),
            Piece::Text(_) => {}
        }),
        TemplateKind::List(items) => items.iter().for_each(|item| each_expr(item, f)),
        TemplateKind::Map(entries) => entries.iter().for_each(|(_, value)| each_expr(value, f)),
    }
}

/// Where a word stands in the texts of a node: for what a kind read without saying where.
pub(super) fn find_word(node: &Node, word: &str) -> Option<Span> {
    match &node.kind {
        NodeKind::String(text) => {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let value = &*text.value;
            let mut hits = value.match_indices(word).filter(|(at, _)| {
                !value[..*at].chars().next_back().is_some_and(is_word)
                    && !value[at + word.len()..].chars().next().is_some_and(is_word)
            });
            hits.next().map(|(at, _)| text.map.span(at, at + word.len()))
        }
        NodeKind::List(items) => items.iter().find_map(|item| find_word(item, word)),
        NodeKind::Map(entries) => entries.iter().find_map(|(_, value)| find_word(value, word)),
        _ => None,
    }
}
