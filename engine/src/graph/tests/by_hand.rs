//! Pipelines made without YAML: the graph's own work, without the layers below.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use super::{
    kinds::registry,
    lines::{bare_step, empty},
};
use crate::{
    diag::{Code, Source, Span, TextMap},
    graph::{CheckOptions, CheckedPipeline, Drawing, Edge, Plan, check, draw},
    model::{Name, NodeIx, StepStatus},
    spec::{Key, Node, NodeKind, Order, Persist, PipelineSpec, Spanned, StepSpec, Text},
};

/// The text that spans point into: each word of a step stands in it once more.
struct Writer {
    text: String,
}

impl Writer {
    fn word(&mut self, word: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(word);
        self.text.push('\n');
        Span::new(start, start + word.len())
    }

    fn name(&mut self, word: &str) -> Spanned<Name> {
        Spanned::new(Name::new(word).expect("a name"), self.word(word))
    }

    fn step(&mut self, id: &str, uses: &str, needs: &[&str]) -> StepSpec {
        let mut step = bare_step(self.name(id));
        step.uses = Some(Spanned::new(uses.to_owned(), self.word(uses)));
        step.needs = needs.iter().map(|needed| self.name(needed)).collect();
        step
    }

    fn with(&mut self, mut step: StepSpec, entries: &[(&str, &str)]) -> StepSpec {
        let entries = entries.iter().map(|(key, value)| {
            let key = Key { text: Arc::from(*key), span: self.word(key) };
            let span = self.word(value);
            let map = TextMap::verbatim(span.start as usize);
            (key, Node { span, kind: NodeKind::String(Text { value: Arc::from(*value), map }) })
        });
        let entries: Vec<_> = entries.collect();
        let span = entries.first().map_or(step.span, |(key, node)| key.span.to(node.span));
        step.with = Some(Node { span, kind: NodeKind::Map(entries) });
        step
    }
}

fn pipeline(make: impl FnOnce(&mut Writer) -> Vec<StepSpec>) -> PipelineSpec {
    let mut writer = Writer { text: String::new() };
    let steps = make(&mut writer);
    PipelineSpec { steps, ..empty(Source::new("p.yaml", writer.text)) }
}

fn checked(spec: PipelineSpec) -> CheckedPipeline {
    let include = |_: &str| Err("it is not there".to_owned());
    let options = CheckOptions { read_files: false, strict: true, include: &include, around: &[] };
    check(&spec.source.clone(), spec, Path::new("/base"), &registry(), options)
}

/// Code and underlined text of each problem.
fn found(checked: &CheckedPipeline) -> Vec<(Code, &str)> {
    checked.diagnostics.iter().map(|d| (d.code, checked.source.slice(d.primary.span))).collect()
}

fn plan(spec: PipelineSpec) -> Arc<Plan> {
    let checked = checked(spec);
    assert_eq!(found(&checked), []);
    checked.plan.expect("a plan")
}

#[test]
fn problems_have_codes_and_places() {
    type Make = fn(&mut Writer) -> Vec<StepSpec>;
    let cases: [(Make, &[(Code, &str)]); 9] = [
        (|w| vec![w.step("a", "puer", &[])], &[(Code::UnknownKind, "puer")]),
        (|w| vec![w.step("a", "pure", &["b"])], &[(Code::UnknownStep, "b")]),
        (|w| vec![w.step("a", "pure", &["a"])], &[(Code::Cycle, "a")]),
        (|w| vec![w.step("a", "pure", &["b"]), w.step("b", "pure", &["a"])], &[(Code::Cycle, "b")]),
        (|w| vec![w.step("a", "query", &[])], &[(Code::MissingKey, "query")]),
        (
            |w| {
                let step = w.step("a", "pure", &[]);
                vec![w.with(step, &[("m", "1"), ("n", "x")])]
            },
            &[(Code::UnknownKey, "m"), (Code::BadLiteral, "x")],
        ),
        (|w| vec![w.step("a", "effect", &[]), w.step("b", "effect", &[])], &[(Code::Unordered, "b")]),
        (
            |w| {
                let step = w.step("q", "query", &[]);
                vec![w.step("t", "two", &[]), w.with(step, &[("query", "select t")])]
            },
            &[(Code::NoSingleTable, "t")],
        ),
        (
            |w| {
                let mut step = w.step("a", "effect", &[]);
                (step.cache, step.persist) = (true, Persist::Never);
                vec![step]
            },
            &[(Code::PersistNever, "a"), (Code::CacheEffect, "a")],
        ),
    ];
    for (i, (make, expected)) in cases.into_iter().enumerate() {
        let checked = checked(pipeline(make));
        assert_eq!(found(&checked), expected, "case {i}: {:#?}", checked.diagnostics);
    }
}

#[test]
fn one_broken_step_makes_no_noise_elsewhere() {
    let spec = pipeline(|w| {
        let step = w.step("q", "query", &[]);
        vec![w.step("t", "tow", &[]), w.with(step, &[("query", "select t")])]
    });
    assert_eq!(found(&checked(spec)), [(Code::UnknownKind, "tow")]);
}

#[test]
fn a_cycle_says_its_way_and_marks_each_edge() {
    let spec = pipeline(|w| {
        vec![
            w.step("z", "pure", &[]),
            w.step("a", "pure", &["c", "z"]),
            w.step("b", "pure", &["a"]),
            w.step("c", "pure", &["b"]),
        ]
    });
    let checked = checked(spec);
    let problem = &checked.diagnostics[0];
    assert_eq!(problem.message, "steps need each other in a circle: a -> c -> b -> a");
    assert_eq!((checked.diagnostics.len(), problem.secondary.len()), (1, 2));
}

#[test]
fn a_table_named_in_text_makes_an_edge_and_gives_its_type() {
    let plan = plan(pipeline(|w| {
        let step = w.step("q", "query", &[]);
        vec![w.step("t", "rows", &[]), w.with(step, &[("query", "select t")])]
    }));
    assert_eq!(plan.graph.edge_weights().collect::<Vec<_>>(), [&Edge::Data]);
    let node = plan.node("q").expect("q");
    assert_eq!(node.outputs["table"].to_string(), "table<a: int, b: string>");
    assert_eq!(node.tables[&Name::new("t").expect("t")].as_str(), "table");
    assert_eq!(node.reads.len(), 1);
}

#[test]
fn shape_order_and_priority() {
    let mut spec =
        pipeline(|w| vec![w.step("a", "effect", &[]), w.step("b", "effect", &[]), w.step("c", "pure", &["a"])]);
    spec.order = Order::Sequence;
    let mut other = pipeline(|w| vec![w.step("done", "pure", &[]), w.step("later", "pure", &["done", "a"])]);
    spec.finally = std::mem::take(&mut other.steps);
    let plan = plan(spec);
    let needs: Vec<_> = plan.shape.nodes.iter().map(|n| n.needs.iter().map(|n| n.0).collect::<Vec<_>>()).collect();
    // What `finally` needs of `steps` is no edge: it begins after all of them.
    assert_eq!(needs, [vec![], vec![0], vec![0, 1], vec![], vec![3]]);
    let priorities: Vec<_> = plan.shape.nodes.iter().map(|n| n.priority).collect();
    assert_eq!(priorities, [3, 2, 1, 2, 1]);
    assert_eq!(plan.nodes[4].ix, NodeIx(4));
}

#[test]
fn fingerprints_follow_work_and_what_it_needs() {
    let make = |uses: &'static str, id: &'static str| {
        let plan = plan(pipeline(|w| vec![w.step(id, uses, &[]), w.step("z", "pure", &[id])]));
        (plan.nodes[0].fingerprint, plan.nodes[1].fingerprint)
    };
    assert_eq!(make("pure", "a"), make("pure", "renamed"));
    assert_ne!(make("pure", "a").1, make("rows", "a").1);
}

#[test]
fn drawings_are_whole() {
    let plan = plan(pipeline(|w| vec![w.step("a", "pure", &[]), w.step("b", "rows", &["a"])]));
    let status = BTreeMap::from([(Name::new("a").expect("a"), StepStatus::Succeeded)]);
    let of = |form| draw(&plan, form, &status);
    assert_eq!(of(Drawing::Text), "  1  a  pure  succeeded\n  2  b  rows  <- a\n");
    assert!(of(Drawing::Dot).contains("\"a\" -> \"b\" [style=dashed];"));
    assert!(of(Drawing::Mermaid).contains("n0 -.-> n1") && of(Drawing::Mermaid).contains(":::succeeded"));
    let svg = of(Drawing::Svg);
    assert!(svg.contains("p &lt;&amp;&gt;") && svg.ends_with("</svg>\n") && svg.contains("<g class=\"succeeded\">"));
}

#[test]
fn a_hundred_thousand_steps_are_checked_in_linear_time() {
    let time = |count: usize| {
        let spec = pipeline(|w| {
            let ids: Vec<String> = (0..count).map(|i| format!("s{i}")).collect();
            let needs = |i: usize| if i == 0 { vec![] } else { vec![ids[i - 1].as_str(), ids[i / 2].as_str()] };
            (0..count).map(|i| w.step(&ids[i], if i % 2 == 0 { "effect" } else { "pure" }, &needs(i))).collect()
        });
        let start = Instant::now();
        plan(spec);
        start.elapsed()
    };
    time(1_000);
    let took = time(100_000);
    // The bar is 3 s with parsing, on an idle machine; this only catches another order of growth.
    assert!(took.as_secs() < 20, "took {took:?}");
    println!("100,000 steps: {took:?}");
}
