use std::sync::Arc;

use super::{
    Checked, Env, Expr, Labelled, Ref, Scope, check,
    functions::{Problem, check_length},
    parser::{MAX_SOURCE, shorten},
    show::write_text,
};
use crate::{
    data::{Map, Type, Value},
    diag::{Code, Diagnostic, Span, TextMap},
    model::{Fault, Labels},
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

/// Problems of one text after which reading stops.
const MAX_PROBLEMS: usize = 20;

impl Template {
    /// Reads a text that may hold `${{ }}`. `map` and `span` say where it stands in the file.
    /// `$${{` stands for a literal `${{`.
    pub fn parse(text: &str, map: &TextMap, span: Span) -> Result<Self, Vec<Diagnostic>> {
        if !text.contains("${{") {
            return Ok(Self::literal_value(span, Value::from(text)));
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut problems = Vec::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${{") {
            let open = at + found;
            if text[at..open].ends_with('$') {
                plain.push_str(&text[at..open - 1]);
                plain.push_str("${{");
                at = open + 3;
                continue;
            }
            plain.push_str(&text[at..open]);
            let Some(close) = closing(text, open + 3) else {
                problems.push(unclosed(map, open));
                break;
            };
            match Expr::parse(&text[open + 3..close], &map.part(open + 3, close)) {
                Ok(expr) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                    }
                    pieces.push(Piece::Expr(expr));
                }
                Err(found) => problems.extend(found),
            }
            if problems.len() >= MAX_PROBLEMS {
                break;
            }
            at = close + 2;
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        let kind = match pieces.as_slice() {
            [Piece::Expr(expr)] => TemplateKind::Expr(expr.clone()),
            [Piece::Text(text)] => TemplateKind::Literal(Value::String(text.clone())),
            _ => TemplateKind::Text(pieces),
        };
        Ok(Self { span, kind })
    }

    /// A value without an expression.
    pub fn literal_value(span: Span, value: Value) -> Self {
        Self { span, kind: TemplateKind::Literal(value) }
    }

    /// A list; a literal if everything inside is.
    pub fn list(span: Span, items: Vec<Template>) -> Self {
        let literals: Option<Vec<Value>> = items.iter().map(|item| item.literal().cloned()).collect();
        let kind = match literals {
            Some(values) => TemplateKind::Literal(Value::list(values)),
            None => TemplateKind::List(items),
        };
        Self { span, kind }
    }

    /// A map; a literal if everything inside is.
    pub fn map(span: Span, entries: Vec<(Arc<str>, Template)>) -> Self {
        let literals: Option<Map> =
            entries.iter().map(|(key, item)| Some((key.clone(), item.literal()?.clone()))).collect();
        let kind = match literals {
            Some(values) => TemplateKind::Literal(Value::Map(Arc::new(values))),
            None => TemplateKind::Map(entries),
        };
        Self { span, kind }
    }

    /// What it refers to, in order of appearance.
    pub fn references(&self) -> Vec<&Ref> {
        self.expressions().into_iter().flat_map(Expr::references).collect()
    }

    /// Every expression inside, in order of appearance.
    pub fn expressions(&self) -> Vec<&Expr> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Expr>) {
        match &self.kind {
            TemplateKind::Literal(_) => {}
            TemplateKind::Expr(expr) => found.push(expr),
            TemplateKind::Text(pieces) => found.extend(pieces.iter().filter_map(|piece| match piece {
                Piece::Expr(expr) => Some(expr),
                Piece::Text(_) => None,
            })),
            TemplateKind::List(items) => items.iter().for_each(|item| item.collect(found)),
            TemplateKind::Map(entries) => entries.iter().for_each(|(_, item)| item.collect(found)),
        }
    }

    /// The value, where no expression is inside.
    pub fn literal(&self) -> Option<&Value> {
        match &self.kind {
            TemplateKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Checks names and types. In mixed text, a value that may be null is an error, and so is one that has
    /// no form as text (a table, bytes).
    pub fn check(&self, scope: &dyn Scope) -> Checked {
        let mut diagnostics = Vec::new();
        let ty = self.check_into(scope, &mut diagnostics);
        Checked { ty, diagnostics }
    }

    /// Checks names and types, and that the value fits `expected`.
    pub fn check_as(&self, scope: &dyn Scope, expected: &Type) -> Checked {
        match &self.kind {
            TemplateKind::Expr(expr) => expr.check_as(scope, expected),
            _ => {
                let mut checked = self.check(scope);
                checked.diagnostics.extend(check::mismatch(&checked.ty, expected, self.span, None));
                checked
            }
        }
    }

    fn check_into(&self, scope: &dyn Scope, out: &mut Vec<Diagnostic>) -> Type {
        match &self.kind {
            TemplateKind::Literal(value) => Type::of(value),
            TemplateKind::Expr(expr) => {
                let checked = expr.check(scope);
                out.extend(checked.diagnostics);
                checked.ty
            }
            TemplateKind::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Expr(expr) = piece {
                        let checked = expr.check(scope);
                        out.extend(checked.diagnostics);
                        out.extend(text_problem(&checked.ty, expr));
                    }
                }
                Type::String
            }
            TemplateKind::List(items) => {
                let types: Vec<Type> = items.iter().map(|item| item.check_into(scope, out)).collect();
                Type::list(types.into_iter().reduce(|a, b| a.join(&b)).unwrap_or(Type::Any))
            }
            TemplateKind::Map(entries) => {
                let fields: Vec<_> = entries.iter().map(|(k, item)| (k.clone(), item.check_into(scope, out))).collect();
                Type::object(fields)
            }
        }
    }

    /// Evaluates it. Null in mixed text is a fault.
    pub fn eval(&self, env: &dyn Env) -> Result<Labelled, Fault> {
        let mut labels = Labels::none();
        let value = self.eval_into(env, &mut labels)?;
        Ok(Labelled { value, labels })
    }

    fn eval_into(&self, env: &dyn Env, labels: &mut Labels) -> Result<Value, Fault> {
        Ok(match &self.kind {
            TemplateKind::Literal(value) => value.clone(),
            TemplateKind::Expr(expr) => {
                let found = expr.eval(env)?;
                labels.join(&found.labels);
                found.value
            }
            TemplateKind::Text(pieces) => {
                let mut out = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::Expr(expr) => {
                            let found = expr.eval(env)?;
                            labels.join(&found.labels);
                            write_text(&mut out, &found.value).map_err(|problem| in_text(expr, problem))?;
                        }
                    }
                }
                check_length(out.len()).map_err(|problem| match problem {
                    Problem::Because(code, message) => Fault::user(code, message),
                    Problem::Types => Fault::user("expr.too_large", "the text is too long"),
                })?;
                Value::from(out)
            }
            TemplateKind::List(items) => {
                let values = items.iter().map(|item| item.eval_into(env, labels)).collect::<Result<Vec<_>, _>>()?;
                Value::list(values)
            }
            TemplateKind::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, item) in entries {
                    map.insert(key.clone(), item.eval_into(env, labels)?);
                }
                Value::Map(Arc::new(map))
            }
        })
    }
}

fn in_text(expr: &Expr, problem: Problem) -> Fault {
    let source = shorten(expr.source(), 60);
    match problem {
        Problem::Because(code, message) => Fault::user(code, format!("`{source}` in text: {message}")),
        Problem::Types => Fault::user("expr.type", format!("`{source}` has no form as text")),
    }
}

fn text_problem(ty: &Type, expr: &Expr) -> Option<Diagnostic> {
    let source = shorten(expr.source(), 40);
    match ty {
        Type::Null | Type::Optional(_) => Some(
            Diagnostic::new(Code::MayBeNull, expr.span(), format!("`{source}` may be null, which has no text"))
                .help(format!("write what stands there then: ${{{{ {source} ?? 'none' }}}}")),
        ),
        Type::Table(_) => Some(
            Diagnostic::new(Code::NotText, expr.span(), format!("`{source}` is a table, which has no form as text"))
                .help("give the table in a field of its own, or write `.rows` or `.columns` of it"),
        ),
        Type::Bytes => Some(
            Diagnostic::new(Code::NotText, expr.span(), format!("`{source}` is bytes, which have no form as text"))
                .help("write string(..) if they are UTF-8 text, or base64(..)"),
        ),
        _ => None,
    }
}

fn unclosed(map: &TextMap, open: usize) -> Diagnostic {
    Diagnostic::new(Code::ExprUnclosed, map.span(open, open + 3), "`${{` is not closed")
        .help("end the expression with `}}`; put the whole value in quotes if it has `#`, `: ` or braces in it; write `$${{` for the text `${{` itself")
}

/// Where the text inside its only `${{ }}` begins and ends, if there is nothing else.
pub(super) fn sole(text: &str) -> Option<(usize, usize)> {
    let start = text.len() - text.trim_start().len();
    let inner = text[start..].strip_prefix("${{")?;
    let from = text.len() - inner.len();
    let close = closing(text, from)?;
    text[close + 2..].trim().is_empty().then_some((from, close))
}

/// The place of the `}}` that ends an expression which begins at `from`: braces in pairs and texts in quotes
/// are passed over. Where that finds none, a stray quote or brace is to blame, and the first `}}` is taken.
fn closing(text: &str, from: usize) -> Option<usize> {
    // No expression is longer; looking further would make reading a long text quadratic.
    let mut end = text.len().min(from + MAX_SOURCE + 16);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = &text.as_bytes()[from..end];
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'\'' | b'"') => {
                let raw = at > 0 && bytes[at - 1] == b'r';
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' && !raw { 2 } else { 1 };
                }
            }
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(from + at),
            _ => {}
        }
        at += 1;
    }
    text[from..end].find("}}").map(|found| from + found)
}
