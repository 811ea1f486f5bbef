use std::sync::Arc;

use super::{Env, Labelled, Ref, Scope, StatusCall, ast::Node, check, eval, parser, template};
use crate::{
    data::Type,
    diag::{Code, Diagnostic, Severity, Span, TextMap},
    model::Fault,
};

/// A parsed expression. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expr {
    parsed: Arc<Parsed>,
}

/// What parsing gave. Places are bytes of the source; the map leads to the file.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) source: Arc<str>,
    pub(super) root: Node,
    pub(super) refs: Vec<Ref>,
    calls: Vec<StatusCall>,
    map: TextMap,
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

impl Parsed {
    pub(super) fn span(&self, start: u32, end: u32) -> Span {
        self.map.span(start as usize, end as usize)
    }
}

impl Expr {
    /// Parses one expression (without `${{ }}` around it). `map` says where its bytes stand in the file.
    pub fn parse(text: &str, map: &TextMap) -> Result<Self, Vec<Diagnostic>> {
        let parser::Parsed { root, refs, calls } = parser::parse(text, map)?;
        let trimmed = text.trim();
        let start = text.len() - text.trim_start().len();
        let span = map.span(start, start + trimmed.len());
        let parsed = Parsed { source: text.into(), root, refs, calls, map: map.clone(), span };
        Ok(Self { parsed: Arc::new(parsed) })
    }

    /// Parses what stands where an expression is expected (`if`, `until`, `for_each`): bare, or wholly
    /// inside one `${{ }}`.
    pub fn parse_bare(text: &str, map: &TextMap) -> Result<Self, Vec<Diagnostic>> {
        match template::sole(text) {
            Some((start, end)) => Self::parse(&text[start..end], &map.part(start, end)),
            None if text.contains("${{") => {
                let at = text.find("${{").unwrap_or_default();
                let problem = Diagnostic::new(
                    Code::ExprUnclosed,
                    map.span(at, at + 3),
                    "an expression is expected here, not text with `${{ }}` in it",
                );
                Err(vec![problem.help("write the whole as one expression; `${{ }}` around it may be left out")])
            }
            None => Self::parse(text, map),
        }
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        self.parsed.source.trim()
    }

    /// Where it stands in the file.
    pub fn span(&self) -> Span {
        self.parsed.span
    }

    /// What it refers to, in order of appearance.
    pub fn references(&self) -> &[Ref] {
        &self.parsed.refs
    }

    /// The status functions that it calls.
    pub fn status_calls(&self) -> &[StatusCall] {
        &self.parsed.calls
    }

    /// Checks names and types.
    pub fn check(&self, scope: &dyn Scope) -> Checked {
        check::check(&self.parsed, scope)
    }

    /// Checks names and types, and that the value fits `expected`; a condition is one that fits `bool`.
    pub fn check_as(&self, scope: &dyn Scope, expected: &Type) -> Checked {
        let mut checked = self.check(scope);
        let source = parser::shorten(self.source(), 40);
        checked.diagnostics.extend(check::mismatch(&checked.ty, expected, self.span(), Some(&source)));
        checked
    }

    /// Evaluates it. Never panics; a fault has blame `user` and names the operands' types.
    pub fn eval(&self, env: &dyn Env) -> Result<Labelled, Fault> {
        eval::evaluate(&self.parsed, env)
    }
}

impl Checked {
    /// The problem, if the value does not fit `expected`; `span` is where it stands.
    pub fn expect(&self, expected: &Type, span: Span) -> Option<Diagnostic> {
        check::mismatch(&self.ty, expected, span, None)
    }

    /// Whether a problem stops the pipeline.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|problem| problem.severity == Severity::Error)
    }
}
