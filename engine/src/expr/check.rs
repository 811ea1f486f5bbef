use super::{
    Checked, Scope, StatusCall,
    ast::{Access, AccessKind, Arithmetic, Call, Comparison, Node, NodeKind},
    explain::{arithmetic_help, incomparable, may_be_null, mismatch, short_type},
    expression::Parsed,
    narrow::Facts,
    ops,
    parser::shorten,
};
use crate::{
    data::Type,
    diag::{Code, Diagnostic, Span},
};

/// Checks `parsed` against what `scope` knows.
pub(super) fn check(parsed: &Parsed, scope: &dyn Scope) -> Checked {
    let mut checker = Checker { parsed, scope, problems: Vec::new(), facts: Facts::default() };
    let ty = checker.node(&parsed.root);
    let failed = checker.problems.iter().any(|p| p.severity == crate::diag::Severity::Error);
    Checked { ty: if failed { Type::Any } else { ty }, diagnostics: checker.problems }
}

struct Checker<'a> {
    parsed: &'a Parsed,
    scope: &'a dyn Scope,
    problems: Vec<Diagnostic>,
    facts: Facts,
}

impl Checker<'_> {
    fn span(&self, node: &Node) -> Span {
        self.parsed.span(node.start, node.end)
    }

    fn source(&self, node: &Node) -> String {
        shorten(self.parsed.source.get(node.start as usize..node.end as usize).unwrap_or_default(), 40)
    }

    /// Notes a problem; what it stands for is open from there on, so that it is told once.
    fn wrong(&mut self, problem: Diagnostic) -> Type {
        self.problems.push(problem);
        Type::Any
    }

    fn node(&mut self, node: &Node) -> Type {
        match &node.kind {
            NodeKind::Literal(value) => Type::of(value),
            NodeKind::Root(index) => {
                let ty = self.root(node, *index);
                self.narrowed(node, 0, ty)
            }
            NodeKind::Status(call) => self.status(node, call),
            NodeKind::List(items) => {
                let types: Vec<Type> = items.iter().map(|item| self.node(item)).collect();
                Type::list(types.into_iter().reduce(|a, b| a.join(&b)).unwrap_or(Type::Any))
            }
            NodeKind::Map(entries) => {
                let fields: Vec<_> = entries.iter().map(|(key, value)| (key.clone(), self.node(value))).collect();
                Type::object(fields)
            }
            NodeKind::Not(inner) => {
                self.condition(inner);
                Type::Bool
            }
            NodeKind::Minus(inner) => {
                let ty = self.node(inner);
                let ty = self.present(inner, ty);
                if matches!(ty, Type::Any | Type::Int | Type::Float | Type::Duration) {
                    return ty;
                }
                let message = format!("`-` needs a number or a duration, found {ty}");
                self.wrong(Diagnostic::new(Code::OperandTypes, self.span(inner), message))
            }
            NodeKind::Chain(first, rest) => self.chain(first, rest),
            NodeKind::Compare(op, a, b) => {
                self.compare(node, *op, a, b);
                Type::Bool
            }
            NodeKind::And(all) => self.conditions(all, true),
            NodeKind::Or(all) => self.conditions(all, false),
            NodeKind::Coalesce(all) => self.coalesce(all),
            NodeKind::Choice(arms, otherwise) => self.choice(arms, otherwise),
            NodeKind::Access(base, path) => self.access(node, base, path),
            NodeKind::Call(call) => self.call(node, call),
        }
    }

    fn root(&mut self, node: &Node, index: usize) -> Type {
        let unknown = match self.scope.type_of(&self.parsed.refs[index].root) {
            Ok(ty) => return ty,
            Err(unknown) => unknown,
        };
        // Point at the word itself where it is found in the reference.
        let text = self.parsed.source.get(node.start as usize..node.end as usize).unwrap_or_default();
        let span = match last_word(text, &unknown.wrong) {
            Some(at) => {
                let start = node.start + at as u32;
                self.parsed.span(start, start + unknown.wrong.len() as u32)
            }
            None => self.span(node),
        };
        let mut problem = Diagnostic::new(Code::UnknownReference, span, unknown.message).did_you_mean(
            &unknown.wrong,
            unknown.candidates.iter().map(String::as_str).filter(|c| *c != unknown.wrong),
        );
        if unknown.help.is_some() {
            problem.help = unknown.help;
        }
        self.wrong(problem)
    }

    fn status(&mut self, node: &Node, call: &StatusCall) -> Type {
        if !self.scope.allows_status() {
            let message = format!("`{}` can only be asked in a condition", self.source(node));
            let problem = Diagnostic::new(Code::StatusOutsideCondition, self.span(node), message)
                .help("move it to the step's `if`, or use steps.ID.status");
            self.problems.push(problem);
        } else if let StatusCall::Failed(step) = call
            && !self.scope.has_step(step.as_str())
        {
            let message = format!("there is no step `{step}`");
            let problem = Diagnostic::new(Code::UnknownReference, self.span(node), message);
            self.problems.push(problem.help("steps are named by their `id`"));
        }
        Type::Bool
    }

    /// Refuses a type that may be null, and gives the type without null.
    fn present(&mut self, node: &Node, ty: Type) -> Type {
        match ty {
            Type::Optional(inner) => {
                let problem = may_be_null(self.span(node), &self.source(node), &inner);
                self.problems.push(problem);
                (*inner).clone()
            }
            Type::Null => {
                let message = "null has no place here";
                self.wrong(Diagnostic::new(Code::MayBeNull, self.span(node), message))
            }
            ty => ty,
        }
    }

    fn condition(&mut self, node: &Node) {
        let ty = self.node(node);
        if let Some(problem) = mismatch(&ty, &Type::Bool, self.span(node), Some(&self.source(node))) {
            self.problems.push(problem);
        }
    }

    fn conditions(&mut self, all: &[Node], truth: bool) -> Type {
        let mark = self.facts.mark();
        for operand in all {
            self.condition(operand);
            self.facts.assume(self.parsed, operand, truth);
        }
        self.facts.forget(mark);
        Type::Bool
    }

    fn choice(&mut self, arms: &[(Node, Node)], otherwise: &Node) -> Type {
        let whole = self.facts.mark();
        let mut result: Option<Type> = None;
        for (condition, value) in arms {
            self.condition(condition);
            let mark = self.facts.mark();
            self.facts.assume(self.parsed, condition, true);
            let ty = self.node(value);
            self.facts.forget(mark);
            result = Some(self.alike(result, ty, value, "the values of `? :`"));
            self.facts.assume(self.parsed, condition, false);
        }
        let ty = self.node(otherwise);
        self.facts.forget(whole);
        self.alike(result, ty, otherwise, "the values of `? :`")
    }

    /// Joins the type of a value to those before it, which must be of a kind.
    fn alike(&mut self, before: Option<Type>, ty: Type, node: &Node, what: &str) -> Type {
        let Some(before) = before else { return ty };
        let joined = before.join(&ty);
        if joined.required() == &Type::Any && before != Type::Any && ty != Type::Any {
            let message = format!("{what} have different types: {before} and {ty}");
            let problem = Diagnostic::new(Code::BranchTypes, self.span(node), message)
                .help("make them alike, for example with string(..)");
            return self.wrong(problem);
        }
        joined
    }

    fn coalesce(&mut self, all: &[Node]) -> Type {
        let mut result: Option<Type> = None;
        let mut nullable = true;
        for (i, operand) in all.iter().enumerate() {
            let ty = self.node(operand);
            if i + 1 < all.len() && !ty.allows_null() {
                let message = format!("`{}` is never null, so what follows `??` is never used", self.source(operand));
                self.problems.push(Diagnostic::new(Code::NeverNull, self.span(operand), message));
            }
            nullable &= ty.allows_null() && ty != Type::Any;
            if ty != Type::Null {
                let ty = ty.required().clone();
                result = Some(self.alike(result, ty, operand, "the values around `??`"));
            }
        }
        let result = result.unwrap_or(Type::Null);
        if nullable { result.optional() } else { result }
    }

    fn chain(&mut self, first: &Node, rest: &[(Arithmetic, Node)]) -> Type {
        let ty = self.node(first);
        let mut left = self.present(first, ty);
        for (op, operand) in rest {
            let ty = self.node(operand);
            let right = self.present(operand, ty);
            left = match ops::arithmetic_type(*op, &left, &right) {
                Some(ty) => ty,
                None => {
                    let span = self.parsed.span(first.start, operand.end);
                    let problem = Diagnostic::new(Code::OperandTypes, span, format!("there is no {left} {op} {right}"));
                    self.wrong(match arithmetic_help(*op, &left, &right) {
                        Some(help) => problem.help(help),
                        None => problem,
                    })
                }
            };
        }
        left
    }

    fn compare(&mut self, node: &Node, op: Comparison, a: &Node, b: &Node) {
        let (mut left, mut right) = (self.node(a), self.node(b));
        let span = self.span(node);
        match op {
            Comparison::Eq | Comparison::Ne => {
                let other = match (a.literal(), b.literal()) {
                    (_, Some(value)) if value.is_null() => Some((a, &left)),
                    (Some(value), _) if value.is_null() => Some((b, &right)),
                    _ => None,
                };
                if let Some((other, ty)) = other {
                    if !ty.allows_null() {
                        let always = op == Comparison::Ne;
                        let message = format!("`{}` is never null, so this is always {always}", self.source(other));
                        let problem = Diagnostic::new(Code::NeverNull, span, message);
                        self.problems.push(problem.help("leave the comparison out"));
                    }
                } else if !ops::equatable(&left, &right) {
                    self.problems.push(incomparable(span, op, &left, &right));
                }
            }
            Comparison::In => {
                right = self.present(b, right);
                let ok = match &right {
                    Type::Any => true,
                    Type::List(element) => ops::equatable(&left, element),
                    Type::Map(_) | Type::Object(_) => {
                        left = self.present(a, left);
                        left.fits(&Type::String)
                    }
                    _ => false,
                };
                if !ok {
                    let problem = incomparable(span, op, &left, &right);
                    let problem = match right {
                        Type::String => problem.help("write contains(text, part) to look for a part of a text"),
                        _ => problem,
                    };
                    self.problems.push(problem);
                }
            }
            _ => {
                left = self.present(a, left);
                right = self.present(b, right);
                if !(ops::orderable(&left) && ops::orderable(&right) && ops::equatable(&left, &right)) {
                    self.problems.push(incomparable(span, op, &left, &right));
                }
            }
        }
    }

    /// The type, without null where a condition says so. `steps` counts the accesses of `node` that lie before.
    fn narrowed(&self, node: &Node, steps: usize, ty: Type) -> Type {
        match ty {
            Type::Optional(inner) if self.facts.holds(self.parsed, node, steps) => (*inner).clone(),
            ty => ty,
        }
    }

    fn access(&mut self, node: &Node, base: &Node, path: &[Access]) -> Type {
        let mut ty = self.node(base);
        let mut end = base.end;
        for (i, access) in path.iter().enumerate() {
            let span = self.parsed.span(access.start, access.end);
            let optional = matches!(ty, Type::Optional(_));
            let maybe = matches!(access.kind, AccessKind::Maybe(_));
            if optional && !maybe {
                let before = Node::new(base.start as usize, end as usize, NodeKind::Literal(crate::data::Value::Null));
                let problem = may_be_null(self.span(&before), &self.source(&before), ty.required());
                self.problems.push(match &access.kind {
                    AccessKind::Field(name) => problem
                        .help(format!("write `?.{name}`, which is null then, or test it with `!= null &&` before")),
                    _ => problem,
                });
            }
            let found = match &access.kind {
                AccessKind::Field(name) | AccessKind::Maybe(name) => self.field(ty.required(), name, span),
                AccessKind::Index(index) => self.element(ty.required(), index, span),
            };
            ty = if optional && maybe { found.optional() } else { found };
            ty = self.narrowed(node, i + 1, ty);
            end = access.end;
        }
        ty
    }

    fn field(&mut self, ty: &Type, name: &str, span: Span) -> Type {
        let known: Vec<String> = match ty {
            Type::Any => return Type::Any,
            Type::Map(value) => return (**value).clone().optional(),
            Type::Object(object) => match object.fields.get(name) {
                Some(ty) => return ty.clone(),
                None => object.fields.keys().map(ToString::to_string).collect(),
            },
            Type::Table(_) => match name {
                "rows" => return Type::Int,
                "columns" => return Type::list(Type::String),
                _ => vec!["rows".into(), "columns".into()],
            },
            Type::File => match name {
                "path" => return Type::String,
                "bytes" => return Type::Int,
                "media_type" => return Type::String.optional(),
                _ => vec!["path".into(), "bytes".into(), "media_type".into()],
            },
            _ => Vec::new(),
        };
        // The name alone, without the dot.
        let span = Span::new(span.end as usize - name.len().min(span.len()), span.end as usize);
        let problem = if known.is_empty() {
            let problem = Diagnostic::new(Code::UnknownField, span, format!("a value of type {ty} has no fields"));
            match ty {
                Type::List(_) => problem.help("take an element first: list[0], first(list) or last(list)"),
                Type::Date | Type::Timestamp => problem.help("write year(x), month(x), day(x), hour(x) or weekday(x)"),
                Type::Duration => problem.help("write seconds(x)"),
                _ => problem,
            }
        } else {
            Diagnostic::new(Code::UnknownField, span, format!("there is no field `{name}` in {}", short_type(ty)))
                .help(format!("there is {}", shorten(&known.join(", "), 200)))
                .did_you_mean(name, known.iter().map(String::as_str))
        };
        self.wrong(problem)
    }

    fn element(&mut self, ty: &Type, index: &Node, span: Span) -> Type {
        let at = self.node(index);
        let at = self.present(index, at);
        let named = index.literal().and_then(|value| value.as_str());
        match (ty, &at, named) {
            (Type::Any, ..) => Type::Any,
            (Type::List(element), at, _) if at.fits(&Type::Int) => (**element).clone(),
            (Type::Map(value), at, _) if at.fits(&Type::String) => (**value).clone().optional(),
            (Type::Object(object), _, Some(name)) => match object.fields.get(name) {
                Some(ty) => ty.clone(),
                None => {
                    let problem = Diagnostic::new(
                        Code::UnknownField,
                        self.span(index),
                        format!("there is no field `{name}` in {}", short_type(ty)),
                    );
                    self.wrong(problem)
                }
            },
            (Type::Object(_), at, None) if at.fits(&Type::String) => Type::Any,
            _ => {
                let message = format!("a value of type {ty} has no elements by {at}");
                let problem = Diagnostic::new(Code::OperandTypes, span, message);
                self.wrong(match ty {
                    Type::String => problem.help("write substring(text, start, end)"),
                    Type::List(_) => problem.help("elements are counted from 0: list[0]"),
                    Type::Map(_) | Type::Object(_) => problem.help("entries have text as keys: map['key']"),
                    _ => problem,
                })
            }
        }
    }

    fn call(&mut self, node: &Node, call: &Call) -> Type {
        let types: Vec<Type> = call.args.iter().map(|arg| self.node(arg)).collect();
        let misfit = match call.function.result(&types) {
            Ok(ty) => return ty,
            Err(misfit) => misfit,
        };
        let name = call.function.name();
        let arg = call.args.get(misfit.arg).unwrap_or(node);
        let found = types.get(misfit.arg).unwrap_or(&Type::Any);
        let problem = if misfit.null_only {
            may_be_null(self.span(arg), &self.source(arg), found.required())
        } else if call.function.is_overloaded(call.args.len()) {
            let types: Vec<String> = types.iter().map(ToString::to_string).collect();
            let message = format!("`{name}` does not take ({})", shorten(&types.join(", "), 120));
            Diagnostic::new(Code::BadArgument, self.span(arg), message).help(call.function.usage())
        } else {
            let message = format!("`{name}` needs {} for `{}`, found {found}", misfit.expected, misfit.param);
            Diagnostic::new(Code::BadArgument, self.span(arg), message).help(call.function.usage())
        };
        self.wrong(problem)
    }
}

/// Where `word` stands last in `text` as a whole word.
fn last_word(text: &str, word: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: &usize| !text[..*at].ends_with(part) && !text[at + word.len()..].starts_with(part);
    if word.is_empty() { None } else { text.rmatch_indices(word).map(|(at, _)| at).find(whole) }
}
