use std::sync::Arc;

use super::{Env, Labelled, Ref, Scope, StatusCall};
use crate::{
    data::Type,
    diag::{Diagnostic, Span, TextMap},
    model::Fault,
};

/// A parsed expression. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expr {
    source: Arc<str>,
    span: Span,
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The type of the value; `any` where it could not be told because of an error.
    pub ty: Type,
    /// Problems, with places in the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Expr {
    /// Parses one expression (without `${{ }}` around it). `map` says where its bytes stand in the file.
    pub fn parse(text: &str, map: &TextMap) -> Result<Self, Vec<Diagnostic>> {
        let _ = (text, map);
        todo!()
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it stands in the file.
    pub fn span(&self) -> Span {
        self.span
    }

    /// What it refers to, in order of appearance.
    pub fn references(&self) -> &[Ref] {
        todo!()
    }

    /// The status functions that it calls.
    pub fn status_calls(&self) -> &[StatusCall] {
        todo!()
    }

    /// Checks names and types.
    pub fn check(&self, scope: &dyn Scope) -> Checked {
        let _ = scope;
        todo!()
    }

    /// Evaluates it. Never panics; a fault has blame `user` and names the operands' types.
    pub fn eval(&self, env: &dyn Env) -> Result<Labelled, Fault> {
        let _ = env;
        todo!()
    }
}
