//! Pipelines written in lines, so that the graph is tested without the layer that reads YAML.
//!
//! ```text
//! input day date `2013-01-01`
//! secret TOKEN
//! a rows
//! b pure needs=a if=`inputs.x > 0` n=`${{ steps.a.outputs.n }}`
//! each pure for=`inputs.list` s=`${{ item }}`
//!   inner pure            (in the body of the step before)
//! finally:
//! c pure
//! output total `${{ steps.b.outputs.n }}`
//! ```

use std::{path::Path, sync::Arc};

use indexmap::IndexMap;

use super::kinds::registry;
use crate::{
    data::Type,
    diag::{Source, Span, TextMap},
    expr::{Expr, Template},
    graph::{CheckOptions, CheckedPipeline, check},
    model::{Name, RetryPolicy},
    spec::{
        Concurrency, ForEachSpec, Given, InputSpec, Key, Node, NodeKind, OnConflict, Order, Permissions, Persist,
        PipelineSpec, RepeatSpec, Spanned, StepSpec, TestSpec, Text,
    },
    step::template_of,
};

/// A word of a line and where it stands; a quoted one without its quotes.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Word<'a> {
    fn span(self) -> Span {
        Span::new(self.at, self.at + self.text.len())
    }
    fn name(self) -> Spanned<Name> {
        Spanned::new(Name::new(self.text).expect("a name"), self.span())
    }
    fn expr(self) -> Spanned<Expr> {
        let expr = Expr::parse(self.text, &TextMap::verbatim(self.at)).expect("an expression");
        Spanned::new(expr, self.span())
    }
    fn node(self) -> Node {
        let kind = if let Some(list) = self.text.strip_prefix('[') {
            let mut at = self.at + 1;
            let items = list.trim_end_matches(']').split(',').map(|item| {
                let word = Word { text: item, at };
                at += item.len() + 1;
                word.node()
            });
            NodeKind::List(items.collect())
        } else if let Ok(i) = self.text.parse() {
            NodeKind::Int(i)
        } else {
            NodeKind::String(Text { value: Arc::from(self.text), map: TextMap::verbatim(self.at) })
        };
        Node { span: self.span(), kind }
    }
    fn template(self) -> Spanned<Template> {
        let mut problems = Vec::new();
        let template = template_of(&self.node(), &Type::Any, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        Spanned::new(template, self.span())
    }
    fn split(self, by: char) -> Option<(Word<'a>, Word<'a>)> {
        let (left, right) = self.text.split_once(by)?;
        let at = self.at + left.len() + 1;
        let value = match right.strip_prefix('`') {
            Some(quoted) => Word { text: quoted.trim_end_matches('`'), at: at + 1 },
            None => Word { text: right, at },
        };
        Some((Word { text: left, at: self.at }, value))
    }
}

fn words(line: &str, begin: usize) -> Vec<Word<'_>> {
    let (mut words, mut quoted, mut start) = (Vec::new(), false, None);
    for (i, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match c {
            ' ' if !quoted => {
                if let Some(from) = start.take() {
                    words.push(Word { text: &line[from..i], at: begin + from });
                }
            }
            c => {
                quoted ^= c == '`';
                start.get_or_insert(i);
            }
        }
    }
    words
}

fn unquoted(word: Word<'_>) -> Word<'_> {
    match word.text.strip_prefix('`') {
        Some(inner) => Word { text: inner.trim_end_matches('`'), at: word.at + 1 },
        None => word,
    }
}

pub(super) fn empty(source: Source) -> PipelineSpec {
    PipelineSpec {
        source,
        name: Spanned::new("p <&>".to_owned(), Span::default()),
        description: None,
        triggers: Vec::new(),
        inputs: IndexMap::new(),
        secrets: Vec::new(),
        budget: None,
        concurrency: None,
        priority: 0,
        pools: indexmap::IndexMap::default(),
        permissions: Permissions::default(),
        order: Order::Graph,
        fail_fast: false,
        max_parallel: None,
        deadline: None,
        steps: Vec::new(),
        on_failure: Vec::new(),
        finally: Vec::new(),
        outputs: IndexMap::new(),
        tests: Vec::new(),
    }
}

pub(super) fn bare_step(id: Spanned<Name>) -> StepSpec {
    StepSpec {
        span: id.span,
        id,
        uses: None,
        with: None,
        body: Vec::new(),
        needs: Vec::new(),
        condition: None,
        for_each: None,
        repeat: None,
        retry: RetryPolicy::default(),
        timeout: None,
        deadline: None,
        continue_on_error: false,
        env: IndexMap::new(),
        cache: false,
        persist: Persist::Always,
        state: IndexMap::new(),
        memory: None,
        budget: None,
        permissions: None,
        description: None,
    }
}

fn step(words: &[Word<'_>]) -> StepSpec {
    let mut step = bare_step(words[0].name());
    let mut with = Vec::new();
    for word in &words[1..] {
        let Some((key, value)) = word.split('=') else {
            match word.text {
                "cache" => step.cache = true,
                "recompute" => step.persist = Persist::Never,
                "continue" => step.continue_on_error = true,
                kind => step.uses = Some(Spanned::new(kind.to_owned(), word.span())),
            }
            continue;
        };
        match key.text {
            "needs" => step.needs.push(value.name()),
            "if" => step.condition = Some(value.expr()),
            "for" => {
                let over = value.expr();
                step.for_each =
                    Some(ForEachSpec { over, max_parallel: None, key: None, batch: None, min_success: 1.0 });
            }
            "key" => step.for_each.as_mut().expect("for before key").key = Some(value.expr()),
            "batch" => step.for_each.as_mut().expect("for before batch").batch = value.text.parse().ok(),
            "min" => step.for_each.as_mut().expect("for").min_success = value.text.parse().expect("a share"),
            "until" => {
                step.repeat =
                    Some(RepeatSpec { until: value.expr(), every: std::time::Duration::from_secs(1), max: 3 });
            }
            "env" => drop(step.env.insert("X".to_owned(), value.template())),
            "state" => {
                let (name, value) = value.split(':').expect("name:value");
                step.state.insert(name.name().value, value.template());
            }
            text => with.push((Key { text: text.into(), span: key.span() }, value.node())),
        }
    }
    if let (Some((first, _)), Some((_, last))) = (with.first(), with.last()) {
        step.with = Some(Node { span: first.span.to(last.span), kind: NodeKind::Map(with) });
    }
    step
}

pub(super) fn pipeline(text: &str) -> PipelineSpec {
    let mut spec = empty(Source::new("p.yaml", text));
    let (mut at, mut section) = (0, 0);
    for line in text.split_inclusive('\n') {
        let words = words(line.trim_end_matches('\n'), at);
        at += line.len();
        let Some(first) = words.first() else { continue };
        match first.text {
            "input" => {
                let input = InputSpec {
                    span: words[1].span(),
                    ty: Type::parse(unquoted(words[2]).text).expect("a type"),
                    default: words.get(3).map(|word| unquoted(*word).template()),
                    description: None,
                    allowed: Vec::new(),
                };
                spec.inputs.insert(words[1].name().value, input);
            }
            "secret" => spec.secrets.push(Spanned::new(words[1].text.to_owned(), words[1].span())),
            "sequence" => spec.order = Order::Sequence,
            "group" => {
                let group = unquoted(words[1]).template();
                spec.concurrency = Some(Concurrency { group, limit: 1, on_conflict: OnConflict::Queue });
            }
            "output" => drop(spec.outputs.insert(words[1].name().value, unquoted(words[2]).template())),
            "test" => spec.tests.push(test(&words[1..])),
            "on_failure:" => section = 1,
            "finally:" => section = 2,
            _ => {
                let steps = match section {
                    0 => &mut spec.steps,
                    1 => &mut spec.on_failure,
                    _ => &mut spec.finally,
                };
                if line.starts_with(' ') {
                    steps.last_mut().expect("a step before").body.push(step(&words));
                } else {
                    steps.push(step(&words));
                }
            }
        }
    }
    spec
}

/// `given=STEP.OUTPUT expect=STEP.OUTPUT input=NAME:VALUE output=NAME status=WORD`.
fn test(words: &[Word<'_>]) -> TestSpec {
    let span = words[0].span();
    let mut test = TestSpec {
        span,
        name: "t".to_owned(),
        inputs: IndexMap::new(),
        given: IndexMap::new(),
        expect_steps: IndexMap::new(),
        expect_outputs: IndexMap::new(),
        expect_status: None,
    };
    for word in words {
        let (key, value) = word.split('=').expect("key=value");
        match key.text {
            "given" => {
                let (step, output) = value.split('.').expect("step.output");
                let outputs = IndexMap::from([(output.name().value, output.node())]);
                test.given.insert(step.name().value, Given { span: step.span(), outputs });
            }
            "expect" => {
                let (step, output) = value.split('.').expect("step.output");
                let entry = (Key { text: output.text.into(), span: output.span() }, output.node());
                let node = Node { span: step.span(), kind: NodeKind::Map(vec![entry]) };
                test.expect_steps.insert(step.name().value, node);
            }
            "input" => {
                let (name, value) = value.split(':').expect("name:value");
                test.inputs.insert(name.text.to_owned(), value.node());
            }
            "output" => drop(test.expect_outputs.insert(value.name().value, value.node())),
            _ => test.expect_status = Some(Spanned::new(value.text.to_owned(), value.span())),
        }
    }
    test
}

/// Checks a pipeline whose files are these.
pub(super) fn check_with(text: &str, files: &[(&str, &str)]) -> CheckedPipeline {
    let include = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "it is not there".to_owned())
    };
    let options = CheckOptions { read_files: false, strict: true, include: &include, around: &[] };
    let spec = pipeline(text);
    check(&spec.source.clone(), spec, Path::new("/base"), &registry(), options)
}
