//! The functions of the language: one table, from which calls, checks, suggestions and the docs are made.

mod codec;
mod lists;
mod numbers;
mod signature;
mod text;
mod time;
mod work;

use std::{collections::HashMap, sync::LazyLock};

use signature::Form;
pub(super) use signature::Misfit;
pub(super) use text::{compile, matches};
pub(super) use work::{Answer, MAX_TEXT, Problem, Work, because, check_length};

use super::StatusCall;
use crate::{
    data::{Type, Value},
    model::Name,
};

/// Whether a function gives the same for the same arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purity {
    /// Its arguments decide.
    Pure,
    /// The run's present decides too; it is the same in every attempt of a step.
    Time,
    /// How other steps ended decides; only conditions may call it.
    Status,
}

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    entry: &'static Entry,
    forms: Vec<Form>,
}

/// How a function does its work.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    /// By a Rust function.
    Plain(fn(&mut Work<'_>, &[Value]) -> Answer),
    /// `matches`, whose pattern is compiled at parse where it is literal.
    Matches,
    /// `coalesce` is another spelling of `??`.
    Coalesce,
    /// A question about the needed steps.
    Status(fn(Option<Name>) -> StatusCall),
    /// `failed('x')`.
    Failed,
}

/// What may be wrong with arguments that are literal: the argument and a sentence.
pub(super) type LiteralProblem = (usize, String);

/// Looks at the literal ones among the arguments of a call.
type LiteralCheck = fn(&[Option<&Value>]) -> Result<(), LiteralProblem>;

/// A row of the table.
#[derive(Debug)]
struct Entry {
    name: &'static str,
    group: &'static str,
    forms: &'static [&'static str],
    doc: &'static str,
    purity: Purity,
    body: Body,
    /// Whether a call with literal arguments is replaced by its value when it is parsed.
    fold: bool,
    /// Looks at literal arguments when a call is parsed.
    literals: Option<LiteralCheck>,
}

impl Entry {
    const fn pure(
        name: &'static str,
        group: &'static str,
        forms: &'static [&'static str],
        doc: &'static str,
        body: fn(&mut Work<'_>, &[Value]) -> Answer,
    ) -> Self {
        Self { name, group, forms, doc, purity: Purity::Pure, body: Body::Plain(body), fold: false, literals: None }
    }

    const fn folded(mut self) -> Self {
        self.fold = true;
        self
    }

    const fn timed(mut self) -> Self {
        self.purity = Purity::Time;
        self
    }

    const fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    const fn literals(mut self, check: LiteralCheck) -> Self {
        self.literals = Some(check);
        self
    }

    const fn status(name: &'static str, form: &'static [&'static str], doc: &'static str, body: Body) -> Self {
        Self { name, group: "status", forms: form, doc, purity: Purity::Status, body, fold: false, literals: None }
    }
}

const STATUS: &[Entry] = &[
    Entry::status(
        "success",
        &["() -> bool"],
        "whether every needed step succeeded or was skipped by its condition",
        Body::Status(|_| StatusCall::Success),
    ),
    Entry::status("failure", &["() -> bool"], "whether a needed step failed", Body::Status(|_| StatusCall::Failure)),
    Entry::status(
        "always",
        &["() -> bool"],
        "true: the step runs however the needed steps ended",
        Body::Status(|_| StatusCall::Always),
    ),
    Entry::status("failed", &["(step: string) -> bool"], "whether the step named failed", Body::Failed),
];

const COALESCE: &[Entry] = &[Entry {
    name: "coalesce",
    group: "data",
    forms: &["(value: T?, more: T?...) -> T?"],
    doc: "the first value that is not null; another spelling of `??`",
    purity: Purity::Pure,
    body: Body::Coalesce,
    fold: false,
    literals: None,
}];

static TABLE: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let groups = [text::TABLE, lists::TABLE, numbers::TABLE, time::TABLE, codec::TABLE, COALESCE, STATUS];
    let entries = groups.into_iter().flatten();
    entries.map(|entry| Function { entry, forms: entry.forms.iter().map(|f| Form::read(f)).collect() }).collect()
});

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| TABLE.iter().map(|function| (function.entry.name, function)).collect());

/// Every function, by group, for the docs and for suggestions.
pub fn catalogue() -> &'static [Function] {
    &TABLE
}

/// The function of that name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// Our name of a function that other languages call otherwise.
pub(super) fn foreign(name: &str) -> Option<&'static str> {
    Some(match name {
        "len" | "size" | "count" => "length",
        "toLower" | "lowercase" | "toLowerCase" | "lower_case" => "lower",
        "toUpper" | "uppercase" | "toUpperCase" | "upper_case" => "upper",
        "starts_with" | "startswith" | "hasPrefix" => "startsWith",
        "ends_with" | "endswith" | "hasSuffix" => "endsWith",
        "to_json" | "json" | "jsonencode" | "dumps" => "toJSON",
        "from_json" | "parse_json" | "jsondecode" | "loads" => "fromJSON",
        "str" | "toString" | "to_string" => "string",
        "toInt" | "to_int" | "integer" => "int",
        "toFloat" | "to_float" | "double" | "number" => "float",
        "strip" => "trim",
        "substr" => "substring",
        "includes" | "has" => "contains",
        "default" | "ifnull" | "nvl" | "isnull" => "coalesce",
        "regex" | "regex_match" | "match" => "matches",
        "strftime" | "formatDate" | "date_format" | "formatdate" => "format_date",
        "strptime" | "parseDate" | "to_date" => "parse_date",
        "utcnow" | "current_timestamp" => "now",
        "current_date" => "today",
        "uniq" | "distinct" => "unique",
        "concat" | "concat_lists" => "flatten",
        "sorted" => "sort",
        "cancelled" => "failure",
        "hash" | "sha" => "sha256",
        "b64encode" | "base64encode" | "base64_encode" => "base64",
        "b64decode" | "base64decode" => "base64_decode",
        "dayofweek" | "day_of_week" => "weekday",
        _ => return None,
    })
}

impl Function {
    /// Its name, as written in a call.
    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    /// The group it is documented in: text, lists, numbers, time, data or status.
    pub fn group(&self) -> &'static str {
        self.entry.group
    }

    /// Its forms, such as `first(list: list<T>) -> T?`.
    pub fn signatures(&self) -> Vec<String> {
        self.forms.iter().map(|form| format!("{}{form}", self.entry.name)).collect()
    }

    /// What it does, in a line.
    pub fn doc(&self) -> &'static str {
        self.entry.doc
    }

    /// What decides its value.
    pub fn purity(&self) -> Purity {
        self.entry.purity
    }

    pub(super) fn body(&self) -> Body {
        self.entry.body
    }

    /// A line that says how it is called.
    pub(super) fn usage(&self) -> String {
        format!("it is {}", self.signatures().join(" or "))
    }

    /// Whether a form takes that many arguments.
    pub(super) fn takes(&self, count: usize) -> bool {
        self.forms.iter().any(|form| form.takes(count))
    }

    pub(super) fn check_literals(&self, args: &[Option<&Value>]) -> Result<(), LiteralProblem> {
        self.entry.literals.map_or(Ok(()), |check| check(args))
    }

    /// The value of a call with literal arguments, for functions that read a text, such as `duration`.
    pub(super) fn fold(&self, args: &[Option<&Value>]) -> Result<Option<Value>, LiteralProblem> {
        let Body::Plain(call) = self.entry.body else { return Ok(None) };
        let Some(values) = args.iter().map(|v| v.cloned()).collect::<Option<Vec<Value>>>() else { return Ok(None) };
        if !self.entry.fold || !values.iter().all(|v| matches!(v, Value::String(_))) {
            return Ok(None);
        }
        match call(&mut Work::new(None), &values) {
            Ok(value) => Ok(Some(value)),
            Err(Problem::Because(_, message)) => Err((0, message)),
            Err(Problem::Types) => Ok(None),
        }
    }

    /// The type of a call's value for arguments of these types.
    pub(super) fn result(&self, args: &[Type]) -> Result<Type, Misfit> {
        // With `any` among the arguments several forms may be meant: the value is of one of their types.
        let open = args.iter().any(open);
        let mut found: Option<Type> = None;
        let mut misfit: Option<Misfit> = None;
        for form in self.forms.iter().filter(|form| form.takes(args.len())) {
            match form.result(args) {
                Ok(ty) if !open => return Ok(ty),
                Ok(ty) => found = Some(found.map_or(ty.clone(), |f| f.join(&ty))),
                // The form that got furthest is the likeliest to have been meant.
                Err(new) if misfit.as_ref().is_none_or(|old| new.arg > old.arg || new.null_only) => misfit = Some(new),
                Err(_) => {}
            }
        }
        match (found, misfit) {
            (Some(ty), _) => Ok(ty),
            (None, Some(misfit)) => Err(misfit),
            // The count was checked when the call was parsed, so a form was tried.
            (None, None) => Ok(Type::Any),
        }
    }

    /// Whether several forms take that many arguments.
    pub(super) fn is_overloaded(&self, count: usize) -> bool {
        self.forms.iter().filter(|form| form.takes(count)).count() > 1
    }
}

/// Whether a type leaves something open.
fn open(ty: &Type) -> bool {
    match ty {
        Type::Any => true,
        Type::List(inner) | Type::Map(inner) | Type::Optional(inner) => open(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_described_once() {
        assert_eq!(BY_NAME.len(), TABLE.len(), "a name is used twice");
        for function in catalogue() {
            for form in function.entry.forms {
                assert!(Form::try_read(form).is_some(), "{}{form}", function.name());
            }
            assert!(!function.doc().is_empty() && !function.doc().ends_with('.'), "{}", function.name());
            assert!(!function.signatures().is_empty(), "{}", function.name());
        }
    }

    #[test]
    fn names_of_others_lead_to_ours() {
        for theirs in ["len", "to_json", "strip", "strftime", "default", "b64encode"] {
            let ours = foreign(theirs).expect(theirs);
            assert!(find(ours).is_some() && find(theirs).is_none(), "{theirs} -> {ours}");
        }
    }
}
