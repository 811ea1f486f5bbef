use std::collections::HashSet;

use super::{
    ast::{AccessKind, Comparison, Node, NodeKind},
    expression::Parsed,
};

/// What conditions on the way here say is not null: references and their fields, as text.
#[derive(Default)]
pub(super) struct Facts {
    held: HashSet<String>,
    trail: Vec<String>,
}

impl Facts {
    /// A point to come back to with [`Facts::forget`].
    pub(super) fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Drops what was assumed since `mark`.
    pub(super) fn forget(&mut self, mark: usize) {
        for fact in self.trail.drain(mark..) {
            self.held.remove(&fact);
        }
    }

    /// Assumes that `condition` came out as `truth`.
    pub(super) fn assume(&mut self, parsed: &Parsed, condition: &Node, truth: bool) {
        match &condition.kind {
            NodeKind::Not(inner) => self.assume(parsed, inner, !truth),
            NodeKind::And(all) if truth => all.iter().for_each(|operand| self.assume(parsed, operand, true)),
            NodeKind::Or(all) if !truth => all.iter().for_each(|operand| self.assume(parsed, operand, false)),
            NodeKind::Compare(op @ (Comparison::Eq | Comparison::Ne), a, b) => {
                let (subject, value) = match (a.literal(), b.literal()) {
                    (_, Some(value)) => (a, value),
                    (Some(value), _) => (b, value),
                    _ => return,
                };
                // Equal to something, or unlike nothing.
                if truth == ((*op == Comparison::Eq) != value.is_null()) && truth | value.is_null() {
                    self.note(parsed, subject);
                }
            }
            _ => {}
        }
    }

    /// Notes that a reference or a field of it is not null; then nothing on the way to it is.
    fn note(&mut self, parsed: &Parsed, subject: &Node) {
        let steps = match &subject.kind {
            NodeKind::Root(_) => 0,
            NodeKind::Access(_, path) => path.len(),
            _ => return,
        };
        for taken in 0..=steps {
            if let Some(fact) = key(parsed, subject, taken)
                && self.held.insert(fact.clone())
            {
                self.trail.push(fact);
            }
        }
    }

    /// Whether the reference, with the first `steps` accesses after it, is known not to be null.
    pub(super) fn holds(&self, parsed: &Parsed, node: &Node, steps: usize) -> bool {
        !self.held.is_empty() && key(parsed, node, steps).is_some_and(|key| self.held.contains(&key))
    }
}

/// A reference with the first `steps` fields after it as text; `None` for what is not made of names.
fn key(parsed: &Parsed, node: &Node, steps: usize) -> Option<String> {
    let (base, path) = match &node.kind {
        NodeKind::Root(_) => (node, &[][..]),
        NodeKind::Access(base, path) => (&**base, path.get(..steps)?),
        _ => return None,
    };
    let NodeKind::Root(index) = base.kind else { return None };
    let mut out = parsed.refs[index].root.to_string();
    for access in path {
        let name = match &access.kind {
            AccessKind::Field(name) | AccessKind::Maybe(name) => &**name,
            AccessKind::Index(index) => index.literal()?.as_str()?,
        };
        out.push('\0');
        out.push_str(name);
    }
    Some(out)
}
