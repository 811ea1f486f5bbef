use std::sync::Arc;

use super::{
    Env, Labelled,
    ast::{Access, AccessKind, Arithmetic, Call, Comparison, Node, NodeKind},
    expression::Parsed,
    functions::{self, Body, Problem, Work, because, check_length},
    ops::{self, kind},
    parser::shorten,
};
use crate::{
    data::{Map, Value},
    model::{Fault, FaultCode, Labels},
};

/// Evaluates an expression once. The depth of its recursion is that of the tree, which parsing bounds.
pub(super) struct Evaluation<'a> {
    parsed: &'a Parsed,
    env: &'a dyn Env,
    work: Work<'a>,
    labels: Labels,
}

/// Evaluates `parsed`; the labels are those of everything that was looked at.
pub(super) fn evaluate(parsed: &Parsed, env: &dyn Env) -> Result<Labelled, Fault> {
    let mut evaluation = Evaluation { parsed, env, work: Work::new(Some(env)), labels: Labels::none() };
    let value = evaluation.node(&parsed.root)?;
    Ok(Labelled { value, labels: evaluation.labels })
}

/// What a chain of `+` has become so far: text and lists grow in place, so that a long chain is linear.
enum Grown {
    Value(Value),
    Text(String),
    List(Vec<Value>),
}

impl Evaluation<'_> {
    fn node(&mut self, node: &Node) -> Result<Value, Fault> {
        match &node.kind {
            NodeKind::Literal(value) => Ok(value.clone()),
            NodeKind::Root(index) => {
                let found = self.env.value(&self.parsed.refs[*index].root)?;
                self.labels.join(&found.labels);
                Ok(found.value)
            }
            NodeKind::Status(call) => self.env.status(call).map(Value::Bool),
            NodeKind::List(items) => {
                let items = items.iter().map(|item| self.node(item)).collect::<Result<Vec<_>, _>>()?;
                self.work.list(items).map_err(|problem| self.fault(node, problem, ""))
            }
            NodeKind::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    map.insert(key.clone(), self.node(value)?);
                }
                Ok(Value::Map(Arc::new(map)))
            }
            NodeKind::Not(inner) => Ok(Value::Bool(!self.condition(inner)?)),
            NodeKind::Minus(inner) => {
                let value = self.node(inner)?;
                ops::minus(&value).map_err(|problem| self.fault(node, problem, &format!("-{}", kind(&value))))
            }
            NodeKind::Chain(first, rest) => self.chain(node, first, rest),
            NodeKind::Compare(op, a, b) => self.compare(node, *op, a, b),
            NodeKind::And(all) => {
                for operand in all {
                    if !self.condition(operand)? {
                        return Ok(Value::Bool(false));
                    }
                }
                Ok(Value::Bool(true))
            }
            NodeKind::Or(all) => {
                for operand in all {
                    if self.condition(operand)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            NodeKind::Coalesce(all) => {
                for operand in all {
                    let value = self.node(operand)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            NodeKind::Choice(arms, otherwise) => {
                for (condition, value) in arms {
                    if self.condition(condition)? {
                        return self.node(value);
                    }
                }
                self.node(otherwise)
            }
            NodeKind::Access(base, path) => self.access(base, path),
            NodeKind::Call(call) => self.call(node, call),
        }
    }

    fn condition(&mut self, node: &Node) -> Result<bool, Fault> {
        match self.node(node)? {
            Value::Bool(b) => Ok(b),
            other => {
                let message = format!("a bool is needed, found {}", kind(&other));
                Err(self.fault(node, because("expr.type", message), ""))
            }
        }
    }

    fn chain(&mut self, node: &Node, first: &Node, rest: &[(Arithmetic, Node)]) -> Result<Value, Fault> {
        let mut grown = Grown::Value(self.node(first)?);
        for (op, operand) in rest {
            let right = self.node(operand)?;
            grown = self.grow(grown, *op, right).map_err(|(problem, types)| {
                let done = Node { start: first.start, end: operand.end, kind: NodeKind::Literal(Value::Null) };
                self.fault(&done, problem, &types)
            })?;
        }
        match grown {
            Grown::Value(value) => Ok(value),
            Grown::Text(text) => self.work.text(text).map_err(|problem| self.fault(node, problem, "")),
            Grown::List(items) => self.work.list(items).map_err(|problem| self.fault(node, problem, "")),
        }
    }

    fn grow(&mut self, grown: Grown, op: Arithmetic, right: Value) -> Result<Grown, (Problem, String)> {
        let bare = |problem| (problem, String::new());
        match (grown, right) {
            (Grown::Text(mut text), Value::String(more)) if op == Arithmetic::Add => {
                check_length(text.len().saturating_add(more.len())).map_err(bare)?;
                text.push_str(&more);
                Ok(Grown::Text(text))
            }
            (Grown::Value(Value::String(a)), Value::String(b)) if op == Arithmetic::Add => {
                check_length(a.len().saturating_add(b.len())).map_err(bare)?;
                let mut text = String::with_capacity(a.len() + b.len());
                text.push_str(&a);
                text.push_str(&b);
                Ok(Grown::Text(text))
            }
            (Grown::List(mut items), Value::List(more)) if op == Arithmetic::Add => {
                self.work.spend_elements(more.len()).map_err(bare)?;
                items.extend(more.iter().cloned());
                Ok(Grown::List(items))
            }
            (Grown::Value(Value::List(a)), Value::List(b)) if op == Arithmetic::Add => {
                self.work.spend_elements(a.len() + b.len()).map_err(bare)?;
                Ok(Grown::List(a.iter().chain(b.iter()).cloned().collect()))
            }
            (Grown::Value(left), right) => match ops::arithmetic(op, &left, &right) {
                Ok(value) => Ok(Grown::Value(value)),
                Err(problem) => Err((problem, format!("{} {op} {}", kind(&left), kind(&right)))),
            },
            (Grown::Text(_), right) => Err((Problem::Types, format!("string {op} {}", kind(&right)))),
            (Grown::List(_), right) => Err((Problem::Types, format!("list {op} {}", kind(&right)))),
        }
    }

    fn compare(&mut self, node: &Node, op: Comparison, a: &Node, b: &Node) -> Result<Value, Fault> {
        let (a, b) = (self.node(a)?, self.node(b)?);
        let answer = match op {
            Comparison::Eq => ops::equal(&a, &b),
            Comparison::Ne => ops::equal(&a, &b).map(|equal| !equal),
            Comparison::In => match (&a, &b) {
                (value, Value::List(items)) => Some(items.iter().any(|item| ops::equal(item, value) == Some(true))),
                (Value::String(key), Value::Map(entries)) => Some(entries.contains_key(&**key)),
                _ => None,
            },
            Comparison::Lt => ops::order(&a, &b).ok().map(|o| o.is_some_and(std::cmp::Ordering::is_lt)),
            Comparison::Le => ops::order(&a, &b).ok().map(|o| o.is_some_and(std::cmp::Ordering::is_le)),
            Comparison::Gt => ops::order(&a, &b).ok().map(|o| o.is_some_and(std::cmp::Ordering::is_gt)),
            Comparison::Ge => ops::order(&a, &b).ok().map(|o| o.is_some_and(std::cmp::Ordering::is_ge)),
        };
        match answer {
            Some(answer) => Ok(Value::Bool(answer)),
            None => Err(self.fault(node, Problem::Types, &format!("{} {op} {}", kind(&a), kind(&b)))),
        }
    }

    fn access(&mut self, base: &Node, path: &[Access]) -> Result<Value, Fault> {
        let mut value = self.node(base)?;
        for access in path {
            let next = match &access.kind {
                AccessKind::Field(name) => field(&value, name),
                AccessKind::Maybe(_) if value.is_null() => Ok(Value::Null),
                AccessKind::Maybe(name) => field(&value, name),
                AccessKind::Index(index) => {
                    let index = self.node(index)?;
                    element(&value, &index)
                }
            };
            value = next.map_err(|problem| {
                let done = Node { start: base.start, end: access.end, kind: NodeKind::Literal(Value::Null) };
                self.fault(&done, problem, "")
            })?;
        }
        Ok(value)
    }

    fn call(&mut self, node: &Node, call: &Call) -> Result<Value, Fault> {
        let args = call.args.iter().map(|arg| self.node(arg)).collect::<Result<Vec<_>, _>>()?;
        let answer = match (call.function.body(), &call.regex, args.as_slice()) {
            (Body::Matches, Some(regex), [Value::String(text), _]) => Ok(Value::Bool(regex.is_match(text))),
            (Body::Matches, ..) => functions::matches(&mut self.work, &args),
            (Body::Plain(body), ..) => body(&mut self.work, &args),
            // Parsing made other nodes of these.
            (Body::Coalesce | Body::Status(_) | Body::Failed, ..) => Err(Problem::Types),
        };
        answer.map_err(|problem| {
            let types: Vec<&str> = args.iter().map(kind).collect();
            let fault = self.fault(node, problem, &format!("{}({})", call.function.name(), types.join(", ")));
            if fault.code == FaultCode::EXPR_TYPE { fault.help(call.function.usage()) } else { fault }
        })
    }

    /// A fault that names the text it arose in.
    fn fault(&self, node: &Node, problem: Problem, types: &str) -> Fault {
        let source = self.parsed.source.get(node.start as usize..node.end as usize).unwrap_or_default();
        let source = shorten(source, 60);
        match problem {
            Problem::Types => Fault::user("expr.type", format!("`{source}`: there is no operation for {types}")),
            Problem::Because(code, message) => Fault::user(code, format!("`{source}`: {message}")),
        }
    }
}

/// A field of a value; what a map does not have is null.
fn field(value: &Value, name: &str) -> Result<Value, Problem> {
    match value {
        Value::Map(entries) => Ok(entries.get(name).cloned().unwrap_or(Value::Null)),
        Value::Table(table) => match name {
            "rows" => match table.rows {
                Some(rows) => Ok(Value::Int(rows as i64)),
                None => {
                    Err(because("expr.rows_unknown", "how many rows there are is not known before the table is read"))
                }
            },
            "columns" => Ok(Value::list(table.schema.fields().iter().map(|f| Value::from(f.name().as_str())))),
            _ => Err(because("expr.field", format!("a table has `rows` and `columns`, and no `{name}`"))),
        },
        Value::File(file) => match name {
            "path" => Ok(Value::from(file.path.as_str())),
            "bytes" => Ok(Value::Int(file.bytes as i64)),
            "media_type" => Ok(file.media_type.as_deref().map_or(Value::Null, Value::from)),
            _ => Err(because("expr.field", format!("a file has `path`, `bytes` and `media_type`, and no `{name}`"))),
        },
        Value::Null => Err(because("expr.null", format!("`{name}` is asked of null; `?.` gives null then"))),
        other => Err(because("expr.field", format!("a value of type {} has no fields", kind(other)))),
    }
}

/// An element of a value.
fn element(value: &Value, index: &Value) -> Result<Value, Problem> {
    match (value, index) {
        (Value::List(items), Value::Int(index)) => {
            let found = usize::try_from(*index).ok().and_then(|index| items.get(index));
            found.cloned().ok_or_else(|| {
                because(
                    "expr.index",
                    format!("there is no element {index} (counted from 0) in a list of {}; get(list, index, default) gives a default", items.len()),
                )
            })
        }
        (Value::Map(_) | Value::Table(_) | Value::File(_), Value::String(name)) => field(value, name),
        (Value::Null, _) => Err(because("expr.null", "an element is asked of null")),
        (value, index) => {
            Err(because("expr.type", format!("a value of type {} has no elements by {}", kind(value), kind(index))))
        }
    }
}
