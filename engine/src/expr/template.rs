use std::sync::Arc;

use super::{Checked, Env, Expr, Labelled, Ref, Scope};
use crate::{
    data::Value,
    diag::{Diagnostic, Span, TextMap},
    model::Fault,
};

/// A value as written in YAML, with `${{ }}` in any of its texts.
#[derive(Debug, Clone)]
pub struct Template {
    /// Where it stands in the file.
    pub span: Span,
    /// What it is.
    pub kind: TemplateKind,
}

/// What a [`Template`] is.
#[derive(Debug, Clone)]
pub enum TemplateKind {
    /// No expression inside.
    Literal(Value),
    /// A text that is wholly one `${{ }}`: keeps the expression's type.
    Expr(Expr),
    /// Text around expressions: a string.
    Text(Vec<Piece>),
    /// A list with an expression somewhere inside.
    List(Vec<Template>),
    /// A map with an expression somewhere inside.
    Map(Vec<(Arc<str>, Template)>),
}

/// A part of a mixed text.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Text as it is.
    Text(Arc<str>),
    /// The value of an expression, as text.
    Expr(Expr),
}

impl Template {
    /// Reads a text that may hold `${{ }}`. `map` and `span` say where it stands in the file.
    pub fn parse(text: &str, map: &TextMap, span: Span) -> Result<Self, Vec<Diagnostic>> {
        let _ = (text, map, span);
        todo!()
    }

    /// What it refers to, in order of appearance.
    pub fn references(&self) -> Vec<&Ref> {
        todo!()
    }

    /// Every expression inside, in order of appearance.
    pub fn expressions(&self) -> Vec<&Expr> {
        todo!()
    }

    /// The value, where no expression is inside.
    pub fn literal(&self) -> Option<&Value> {
        match &self.kind {
            TemplateKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Checks names and types.
    pub fn check(&self, scope: &dyn Scope) -> Checked {
        let _ = scope;
        todo!()
    }

    /// Evaluates it.
    pub fn eval(&self, env: &dyn Env) -> Result<Labelled, Fault> {
        let _ = env;
        todo!()
    }
}
