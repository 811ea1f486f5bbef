use super::{
    ast::{Arithmetic, Comparison, Node, NodeKind},
    lexer::Kind,
    parser::Parser,
};

/// An operator between two operands.
#[derive(Clone, Copy)]
pub(super) enum Infix {
    Or,
    And,
    Compare(Comparison),
    Coalesce,
    Arithmetic(Arithmetic),
}

impl Infix {
    /// `??` binds tighter than comparisons, so that `n ?? 0 > 3` asks about a number.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Compare(_) => 3,
            Self::Coalesce => 4,
            Self::Arithmetic(Arithmetic::Add | Arithmetic::Sub) => 5,
            Self::Arithmetic(_) => 6,
        }
    }
}

impl Parser<'_> {
    #[allow(clippy::enum_glob_use)]
    pub(super) fn infix(&self) -> Option<Infix> {
        use Arithmetic::*;
        use Comparison::*;
        let token = self.peek();
        Some(match token.kind {
            Kind::Sign("||") => Infix::Or,
            Kind::Sign("&&") => Infix::And,
            Kind::Sign("??") => Infix::Coalesce,
            Kind::Sign("==") => Infix::Compare(Eq),
            Kind::Sign("!=") => Infix::Compare(Ne),
            Kind::Sign("<") => Infix::Compare(Lt),
            Kind::Sign("<=") => Infix::Compare(Le),
            Kind::Sign(">") => Infix::Compare(Gt),
            Kind::Sign(">=") => Infix::Compare(Ge),
            Kind::Sign("+") => Infix::Arithmetic(Add),
            Kind::Sign("-") => Infix::Arithmetic(Sub),
            Kind::Sign("*") => Infix::Arithmetic(Mul),
            Kind::Sign("/") => Infix::Arithmetic(Div),
            Kind::Sign("%") => Infix::Arithmetic(Rem),
            Kind::Word if self.word(token) == "in" => Infix::Compare(In),
            _ => return None,
        })
    }
}

/// Joins two operands. A chain of one precedence grows instead of nesting.
pub(super) fn join(infix: Infix, left: Node, right: Node) -> Node {
    let (start, end) = (left.start as usize, right.end as usize);
    let flat = |kind: NodeKind| Node::new(start, end, kind);
    match (infix, left) {
        (Infix::Or, Node { kind: NodeKind::Or(mut all), .. }) => {
            all.push(right);
            flat(NodeKind::Or(all))
        }
        (Infix::Or, left) => flat(NodeKind::Or(vec![left, right])),
        (Infix::And, Node { kind: NodeKind::And(mut all), .. }) => {
            all.push(right);
            flat(NodeKind::And(all))
        }
        (Infix::And, left) => flat(NodeKind::And(vec![left, right])),
        (Infix::Coalesce, Node { kind: NodeKind::Coalesce(mut all), .. }) => {
            all.push(right);
            flat(NodeKind::Coalesce(all))
        }
        (Infix::Coalesce, left) => flat(NodeKind::Coalesce(vec![left, right])),
        (Infix::Arithmetic(op), Node { kind: NodeKind::Chain(first, mut rest), start: begins, .. })
            // One in parentheses begins before its first operand, and stays a value of its own in messages.
            if same_level(op, &rest) && begins == first.start =>
        {
            rest.push((op, right));
            flat(NodeKind::Chain(first, rest))
        }
        (Infix::Arithmetic(op), left) => flat(NodeKind::Chain(Box::new(left), vec![(op, right)])),
        (Infix::Compare(op), left) => flat(NodeKind::Compare(op, Box::new(left), Box::new(right))),
    }
}

fn same_level(op: Arithmetic, rest: &[(Arithmetic, Node)]) -> bool {
    let level = |op| Infix::Arithmetic(op).precedence();
    rest.first().is_some_and(|(other, _)| level(*other) == level(op))
}
