use std::{fmt, sync::Arc};

use super::{StatusCall, functions::Function};
use crate::data::Value;

/// A part of an expression, with its byte range in the source. Chains of one operator are kept flat,
/// so that the depth of the tree is the depth of the brackets.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: NodeKind,
}

#[derive(Debug, Clone)]
pub(super) enum NodeKind {
    Literal(Value),
    /// An index into the expression's references.
    Root(usize),
    Status(StatusCall),
    List(Vec<Node>),
    Map(Vec<(Arc<str>, Node)>),
    Not(Box<Node>),
    Minus(Box<Node>),
    /// `first op a op b ...`, from left to right; operators of one precedence.
    Chain(Box<Node>, Vec<(Arithmetic, Node)>),
    Compare(Comparison, Box<Node>, Box<Node>),
    /// All with `&&`.
    And(Vec<Node>),
    /// All with `||`.
    Or(Vec<Node>),
    /// The first that is not null.
    Coalesce(Vec<Node>),
    /// `a ? b : c ? d : e`.
    Choice(Vec<(Node, Node)>, Box<Node>),
    /// Fields and indexes after a value.
    Access(Box<Node>, Vec<Access>),
    Call(Call),
}

/// A step from a value into it; `end` is where it ends in the source.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: AccessKind,
}

#[derive(Debug, Clone)]
pub(super) enum AccessKind {
    /// `.name`.
    Field(Arc<str>),
    /// `?.name`: null of null.
    Maybe(Arc<str>),
    /// `[index]`.
    Index(Node),
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) function: &'static Function,
    pub(super) args: Vec<Node>,
    /// A literal pattern, compiled once.
    pub(super) regex: Option<Arc<regex::Regex>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
}

impl Node {
    pub(super) fn new(start: usize, end: usize, kind: NodeKind) -> Self {
        Self { start: start as u32, end: end as u32, kind }
    }

    /// The value, if it is written out.
    pub(super) fn literal(&self) -> Option<&Value> {
        match &self.kind {
            NodeKind::Literal(value) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In => "in",
        })
    }
}
