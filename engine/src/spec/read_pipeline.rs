//! A YAML tree to [`PipelineSpec`].

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::{
    Concurrency, Given, InputSpec, Node, NodeKind, OnConflict, Order, PipelineSpec, Spanned, TestSpec,
    cx::{Cx, Fields},
    keys,
    read_step::{Defaults, Place, StepReader, budget, environment, permissions, retry},
    reader::{MAX_PROBLEMS, read_tree},
    trigger::triggers,
};
use crate::{
    data::Type,
    diag::{Code, Diagnostic, Severity, Source, Span},
    model::{Name, RetryPolicy},
};

/// What reading a file gave.
#[derive(Debug, Clone)]
pub struct Outcome<T> {
    /// What could be understood; `None` if the file as a whole could not. Fit for running only if
    /// [`Outcome::has_errors`] is false, and for further checks in any case.
    pub value: Option<T>,
    /// Every problem, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl<T> Outcome<T> {
    /// Whether a problem stops the pipeline.
    pub fn has_errors(&self) -> bool {
        self.value.is_none() || self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }

    pub(super) fn new(value: Option<T>, cx: Cx) -> Self {
        let mut diagnostics = cx.problems;
        diagnostics.sort_by_key(|d| (d.primary.span.start, d.code));
        diagnostics.dedup();
        diagnostics.truncate(MAX_PROBLEMS);
        Self { value, diagnostics }
    }
}

/// Reads a pipeline, with every problem of the file that concerns the file alone.
pub fn read_pipeline(source: &Source) -> Outcome<PipelineSpec> {
    let tree = read_tree(source);
    let mut cx = Cx { problems: tree.diagnostics, partial: !tree.complete };
    let end = Span::new(source.text().len(), source.text().len());
    let root = tree.root.filter(|r| !matches!(r.kind, NodeKind::Null));
    let Some(root) = root else {
        if cx.problems.is_empty() {
            let problem = Diagnostic::new(Code::EmptyPipeline, end, "the file is empty");
            cx.push(problem.help("`millwork init` writes a pipeline to begin with"));
        }
        return Outcome::new(None, cx);
    };
    let value = pipeline(&mut cx, source, &root).filter(|_| tree.complete);
    Outcome::new(value, cx)
}

fn pipeline(cx: &mut Cx, source: &Source, root: &Node) -> Option<PipelineSpec> {
    let fields = cx.fields(root, &keys::PIPELINE)?;
    version(cx, &fields);
    let at = |key: &str| fields.get(key).filter(|n| !matches!(n.kind, NodeKind::Null));
    for (key, node) in fields.entries {
        let empty = matches!(node.kind, NodeKind::Null) && keys::PIPELINE.list.iter().any(|k| k.name == &*key.text);
        if empty && !cx.partial {
            let problem = Diagnostic::new(Code::WrongShape, key.span, format!("`{}` is empty", key.text));
            cx.push(problem.help("give it a value, or remove the key"));
        }
    }
    let name = at("name").and_then(|n| cx.name(n, "a pipeline's name"));
    let secrets = at("secrets").map(|n| cx.texts(n, "`secrets`")).unwrap_or_default();
    secret_names(cx, &secrets);
    let defaults = at("defaults").map(|n| defaults(cx, n)).unwrap_or_default();
    let orders = [("graph", Order::Graph), ("sequence", Order::Sequence)];
    let triggers = at("on").map(|n| triggers(cx, n)).unwrap_or_default();
    let inputs = at("inputs").map(|n| inputs(cx, n)).unwrap_or_default();
    let mut reader = StepReader { cx: &mut *cx, defaults, ids: HashMap::new() };
    let steps = at("steps").map(|n| reader.steps(n, Place::Steps));
    let on_failure = at("on_failure").map(|n| reader.steps(n, Place::OnFailure)).unwrap_or_default();
    let finally = at("finally").map(|n| reader.steps(n, Place::Finally)).unwrap_or_default();
    Some(PipelineSpec {
        source: source.clone(),
        name: name
            .map_or_else(|| Spanned::new(String::new(), root.span), |n| Spanned::new(n.value.to_string(), n.span)),
        description: at("description").and_then(|n| cx.string(n, "`description`")),
        triggers,
        inputs,
        secrets,
        budget: at("budget").and_then(|n| budget(cx, n)),
        concurrency: at("concurrency").and_then(|n| concurrency(cx, n)),
        priority: at("priority").and_then(|n| cx.int(n, "`priority`", 0)).unwrap_or(0),
        pools: at("pools").map(|n| pools(cx, n)).unwrap_or_default(),
        permissions: at("permissions").and_then(|n| permissions(cx, n)).unwrap_or_default(),
        order: at("order").and_then(|n| cx.choice(n, "`order`", &orders)).unwrap_or_default(),
        fail_fast: at("fail_fast").and_then(|n| cx.bool(n, "`fail_fast`")).unwrap_or(false),
        max_parallel: at("max_parallel").and_then(|n| cx.int(n, "`max_parallel`", 1)),
        deadline: at("deadline").and_then(|n| cx.duration(n, "`deadline`")),
        steps: steps.unwrap_or_default(),
        on_failure,
        finally,
        outputs: at("outputs").map(|n| cx.templates(n, "`outputs`")).unwrap_or_default(),
        tests: at("tests").map(|n| tests(cx, n)).unwrap_or_default(),
    })
}

pub(super) fn version(cx: &mut Cx, fields: &Fields<'_>) {
    let Some(node) = fields.get("version") else { return };
    if !matches!(node.kind, NodeKind::Int(1)) {
        let written = match &node.kind {
            NodeKind::Int(n) => n.to_string(),
            NodeKind::Float(n) => format!("{n:?}"),
            NodeKind::String(text) => format!("\"{}\"", text.value),
            _ => node.describe().to_owned(),
        };
        let problem = Diagnostic::new(Code::BadVersion, node.span, format!("version {written} is not known"));
        cx.push(problem.help("this build reads `version: 1`").suggest("1"));
    }
}

fn secret_names(cx: &mut Cx, secrets: &[Spanned<String>]) {
    let mut seen = HashSet::new();
    for secret in secrets {
        let ok = secret.value.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
            && secret.value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !ok {
            let problem =
                Diagnostic::new(Code::BadName, secret.span, format!("a secret cannot be called `{}`", secret.value));
            let mended: String =
                secret.value.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            cx.push(problem.help("letters, digits and `_`; the file lists names, never values").suggest(mended));
        } else if !seen.insert(&secret.value) {
            cx.push(
                Diagnostic::new(
                    Code::DuplicateKey,
                    secret.span,
                    format!("the secret `{}` is listed twice", secret.value),
                )
                .help("remove one of them"),
            );
        }
    }
}

fn defaults(cx: &mut Cx, node: &Node) -> Defaults {
    let Some(fields) = cx.fields(node, &keys::DEFAULTS) else { return Defaults::default() };
    Defaults {
        retry: fields.get("retry").map(|n| retry(cx, n, RetryPolicy::default())).unwrap_or_default(),
        timeout: fields.get("timeout").and_then(|n| cx.duration(n, "`timeout`")),
        deadline: fields.get("deadline").and_then(|n| cx.duration(n, "`deadline`")),
        memory: fields.get("memory").and_then(|n| cx.size(n, "`memory`")),
        env: fields.get("env").map(|n| environment(cx, n)).unwrap_or_default(),
    }
}

fn inputs(cx: &mut Cx, node: &Node) -> IndexMap<Name, InputSpec> {
    let mut out = IndexMap::new();
    for (key, value) in cx.map(node, "`inputs`") {
        let name = cx.name_of(&key.text, key.span, "an input");
        if value.text().is_some() {
            // `day: date` is how other engines write it.
            let text = value.text().map_or("", |t| &*t.value);
            let problem = super::cx::shape(value, "an input is a mapping".to_owned());
            let typed = Type::parse(text).is_ok();
            cx.push(if typed {
                problem.suggest(format!("{{type: {text}}}"))
            } else {
                problem.help("write `{type: string}`")
            });
            continue;
        }
        let Some(fields) = cx.fields(value, &keys::INPUT) else { continue };
        let ty = fields.get("type").and_then(|n| input_type(cx, n)).unwrap_or(Type::Any);
        let default = fields.get("default").and_then(|n| cx.template(n));
        let allowed = fields.get("enum").map(|n| cx.list(n, "`enum`").to_vec()).unwrap_or_default();
        let description = fields.get("description").and_then(|n| cx.string(n, "`description`"));
        if let Some(name) = name {
            out.insert(name, InputSpec { span: key.span, ty, default, description, allowed });
        }
    }
    out
}

pub(super) fn input_type(cx: &mut Cx, node: &Node) -> Option<Type> {
    const KNOWN: &[&str] =
        &["any", "null", "bool", "int", "float", "string", "bytes", "date", "timestamp", "duration", "table", "file"];
    let text = match node.kind {
        NodeKind::Null => "null".to_owned(),
        _ => cx.string(node, "`type`")?,
    };
    match Type::parse(&text) {
        Ok(ty) => Some(ty),
        Err(why) => {
            let problem = Diagnostic::new(Code::BadType, node.span, format!("the type `{text}` cannot be read: {why}"));
            let ours = match text.as_str() {
                "str" | "text" => Some("string"),
                "integer" | "number" => Some("int"),
                "boolean" => Some("bool"),
                "double" | "real" => Some("float"),
                "datetime" => Some("timestamp"),
                "list" | "array" => Some("list<any>"),
                "map" | "dict" | "object" => Some("map<any>"),
                _ => None,
            };
            let problem = problem.help("types: any, bool, int, float, string, date, timestamp, duration, list<T>, map<T>, object{..}, table, file, and `T?`");
            cx.push(match ours {
                Some(ours) => problem.suggest(ours),
                None => problem.did_you_mean(&text, KNOWN.iter().copied()),
            });
            None
        }
    }
}

fn concurrency(cx: &mut Cx, node: &Node) -> Option<Concurrency> {
    let fields = cx.fields(node, &keys::CONCURRENCY)?;
    let words = [("queue", OnConflict::Queue), ("skip", OnConflict::Skip), ("cancel", OnConflict::Cancel)];
    let limit = fields.get("limit").and_then(|n| cx.int(n, "`limit`", 1)).unwrap_or(1);
    let on_conflict = fields.get("on_conflict").and_then(|n| cx.choice(n, "`on_conflict`", &words)).unwrap_or_default();
    let group = fields.get("group")?;
    cx.text(group, "`group`")?;
    Some(Concurrency { group: cx.template(group)?, limit, on_conflict })
}

fn pools(cx: &mut Cx, node: &Node) -> IndexMap<Name, Spanned<u32>> {
    let mut pools = IndexMap::new();
    for (key, value) in cx.map(node, "`pools`") {
        let name = cx.name_of(&key.text, key.span, "a pool");
        let slots = cx.int(value, "slots", 1).map(|slots| Spanned::new(slots, key.span));
        pools.extend(name.zip(slots));
    }
    pools
}

fn tests(cx: &mut Cx, node: &Node) -> Vec<TestSpec> {
    let items = cx.list(node, "`tests`");
    items.iter().filter_map(|item| test(cx, item)).collect()
}

fn test(cx: &mut Cx, node: &Node) -> Option<TestSpec> {
    let fields = cx.fields(node, &keys::TEST)?;
    let name = fields.get("name").and_then(|n| cx.string(n, "`name`"));
    let mut spec = TestSpec {
        span: node.span,
        name: name.unwrap_or_default(),
        inputs: IndexMap::new(),
        given: IndexMap::new(),
        expect_steps: IndexMap::new(),
        expect_outputs: IndexMap::new(),
        expect_status: None,
    };
    if let Some(given) = fields.get("given").and_then(|n| cx.fields(n, &keys::GIVEN)) {
        if let Some(node) = given.get("inputs") {
            spec.inputs = cx.map(node, "`inputs`").iter().map(|(k, v)| (k.text.to_string(), v.clone())).collect();
        }
        for (step, value) in given.get("steps").map(|n| cx.map(n, "`steps`")).unwrap_or_default() {
            let outputs = named(cx, value, "the outputs of a step");
            if let Some(step) = cx.name_of(&step.text, step.span, "an id") {
                spec.given.insert(step, Given { span: value.span, outputs });
            }
        }
    }
    if let Some(expect) = fields.get("expect").and_then(|n| cx.fields(n, &keys::EXPECT)) {
        if let Some(node) = expect.get("steps") {
            spec.expect_steps = named(cx, node, "`steps`");
        }
        if let Some(node) = expect.get("outputs") {
            spec.expect_outputs = named(cx, node, "`outputs`");
        }
        if let Some(node) = expect.get("status") {
            let words: Vec<_> = keys::STATUSES.iter().map(|w| (*w, *w)).collect();
            spec.expect_status = cx.choice(node, "`status`", &words).map(|w| Spanned::new(w.to_owned(), node.span));
        }
    }
    Some(spec)
}

fn named(cx: &mut Cx, node: &Node, what: &str) -> IndexMap<Name, Node> {
    let mut out = IndexMap::new();
    for (key, value) in cx.map(node, what) {
        if let Some(name) = cx.name_of(&key.text, key.span, "a name") {
            out.insert(name, value.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_language_is_understood() {
        let outcome = read_pipeline(&Source::new("example.yaml", include_str!("example.yaml")));
        assert_eq!(outcome.diagnostics, []);
        let spec = outcome.value.expect("a pipeline");
        let ids: Vec<_> = spec.steps.iter().map(|s| s.id.value.as_str()).collect();
        assert_eq!(ids, ["flights", "late", "sane", "review", "publish"]);
        let late = &spec.steps[1];
        assert_eq!(late.for_each.as_ref().and_then(|f| f.max_parallel), Some(4));
        assert_eq!(late.retry.max_attempts, 3);
        assert_eq!(late.timeout, Some(std::time::Duration::from_mins(10)));
        assert_eq!(spec.steps[4].needs[0].value.as_str(), "review");
        assert_eq!(spec.budget.as_ref().and_then(|b| b.usd_micros), Some(2_000_000));
        assert_eq!(spec.on_failure[0].id.value.as_str(), "on_failure_1");
        assert_eq!(spec.tests.len(), 1);
    }

    #[test]
    fn expressions_may_be_bare_or_wrapped() {
        let text = "version: 1\nname: p\nsteps:\n  - id: a\n    uses: wait\n    if: inputs.n > 0\n  - id: b\n    uses: wait\n    if: ${{ inputs.n > 0 }}\n";
        let source = Source::new("p.yaml", text);
        let outcome = read_pipeline(&source);
        assert_eq!(outcome.diagnostics, []);
        let spec = outcome.value.expect("a pipeline");
        for step in &spec.steps {
            let condition = step.condition.as_ref().expect("a condition");
            let at = condition.value.references()[0].span;
            assert_eq!(source.slice(at), "inputs.n");
        }
    }
}
