use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::{
    data::Value,
    diag::{Code, Diagnostic, Span, TextMap},
    spec::{Key, Node, NodeKind, Text},
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    query: Located<String>,
    #[serde(default)]
    params: IndexMap<String, Templated<Value>>,
    every: Option<Templated<Duration>>,
    mode: Option<Mode>,
    #[serde(default)]
    columns: OneOrMany<Templated<String>>,
    limit: Option<u32>,
    memory: Option<Size>,
    tokens: Option<Count>,
    wait: Option<Period>,
    #[serde(default)]
    names: Vec<String>,
    token: Option<Templated<SecretText>>,
    rule: Option<Rule>,
    inner: Option<Inner>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Overwrite,
    Append,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Rule {
    NotNull(#[expect(dead_code, reason = "only its reading matters")] OneOrMany<String>),
    RowCount { min: Option<u64>, max: Option<u64> },
    Fresh,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inner {
    a: i64,
    b: Newtype,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Newtype(bool);

/// Nodes made by hand; each gets the next ten bytes of an imaginary file.
#[derive(Default)]
struct Maker(u32);

impl Maker {
    fn node(&mut self, kind: NodeKind) -> Node {
        self.0 += 10;
        Node { span: Span::new(self.0 as usize, self.0 as usize + 5), kind }
    }
    fn text(&mut self, text: &str) -> Node {
        let at = self.0 as usize + 10;
        self.node(NodeKind::String(Text { value: Arc::from(text), map: TextMap::verbatim(at) }))
    }
    fn int(&mut self, i: i64) -> Node {
        self.node(NodeKind::Int(i))
    }
    fn map(&mut self, entries: Vec<(&str, Node)>) -> Node {
        let entries = entries.into_iter().map(|(key, node)| {
            let span = Span::new(node.span.start as usize - 4, node.span.start as usize - 2);
            (Key { text: key.into(), span }, node)
        });
        let kind = NodeKind::Map(entries.collect());
        self.node(kind)
    }
    fn list(&mut self, items: Vec<Node>) -> Node {
        self.node(NodeKind::List(items))
    }
}

fn problems(node: &Node) -> Vec<Diagnostic> {
    read::<Config>(Some(node)).expect_err("problems")
}

#[test]
fn reads_everything_that_a_configuration_may_hold() {
    let mut m = Maker::default();
    let params = {
        let (one, two) = (m.int(1), m.text("two"));
        m.map(vec![("one", one), ("two", two)])
    };
    let inner = {
        let (a, b) = (m.int(3), m.node(NodeKind::Bool(true)));
        m.map(vec![("a", a), ("b", b)])
    };
    let rule = {
        let min = m.int(1);
        let content = m.map(vec![("min", min)]);
        m.map(vec![("row_count", content)])
    };
    let names = {
        let one = m.text("x");
        m.list(vec![one])
    };
    let entries = vec![
        ("query", m.text("select ${{ 1 }}")),
        ("params", params),
        ("every", m.text("10m")),
        ("mode", m.text("append")),
        ("columns", m.text("carrier")),
        ("limit", m.int(7)),
        ("memory", m.text("6GiB")),
        ("tokens", m.int(250)),
        ("wait", m.text("1h30m")),
        ("names", names),
        ("token", m.text("open")),
        ("rule", rule),
        ("inner", inner),
    ];
    let node = m.map(entries);
    let (config, fields) = read::<Config>(Some(&node)).expect("reads");
    assert_eq!(*config.query, "select ${{ 1 }}");
    assert_eq!(config.query.part(7, 10).start, config.query.span.start + 7);
    assert_eq!(config.every.and_then(|e| e.literal()), Some(Duration::from_secs(600)));
    assert_eq!(config.mode, Some(Mode::Append));
    assert_eq!(config.columns[0].literal().as_deref(), Some("carrier"));
    assert_eq!((config.limit, config.memory, config.tokens), (Some(7), Some(Size(6 << 30)), Some(Count(250))));
    assert_eq!(config.wait, Some(Period(Duration::from_secs(5400))));
    assert_eq!(config.names, ["x"]);
    assert!(matches!(config.rule, Some(Rule::RowCount { min: Some(1), max: None })));
    assert_eq!(config.inner.map(|i| (i.a, i.b.0)), Some((3, true)));
    let met: Vec<_> = fields.iter().map(|f| (f.path.as_str(), f.ty.to_string(), f.secrets)).collect();
    assert_eq!(
        met,
        [
            ("params.one", "any".to_owned(), false),
            ("params.two", "any".to_owned(), false),
            ("every", "duration".to_owned(), false),
            ("columns", "string".to_owned(), false),
            ("token", "string".to_owned(), true),
        ]
    );
    assert!(config.params.contains_key("two") && config.token.is_some());
}

#[test]
fn every_problem_is_found_at_once() {
    let mut m = Maker::default();
    let names = {
        let (one, two) = (m.int(1), m.node(NodeKind::Bool(true)));
        m.list(vec![one, two])
    };
    let inner = {
        let c = m.int(3);
        m.map(vec![("c", c)])
    };
    let rule = {
        let content = m.node(NodeKind::Null);
        m.map(vec![("row_cuont", content)])
    };
    let entries = vec![
        ("qeury", m.text("select 1")),
        ("every", m.int(10)),
        ("mode", m.text("apend")),
        ("limit", m.int(-1)),
        ("memory", m.int(512)),
        ("wait", m.text("${{ inputs.x }}")),
        ("names", names),
        ("rule", rule),
        ("inner", inner),
    ];
    let node = m.map(entries);
    let found = problems(&node);
    let mut lines: Vec<String> = found
        .iter()
        .map(|d| format!("{} {} [{}]", d.code, d.message, d.suggestion.as_ref().map_or("", |s| &s.replacement)))
        .collect();
    lines.sort();
    let mut expected = vec![
        "P0004 `c` is not a key of this mapping []",
        "P0004 `qeury` is not a key of this mapping [query]",
        "P0005 the key `a` is missing []",
        "P0005 the key `b` is missing []",
        "P0006 `apend` is not one of `overwrite`, `append` [append]",
        "P0006 `row_cuont` is not one of `not_null`, `row_count`, `fresh` [row_count]",
        "P0006 expected an integer of 0 or more, found -1 []",
        "P0006 expected text, found a boolean [\"true\"]",
        "P0006 expected text, found an integer [\"1\"]",
        "T0004 `10` is not a duration: it has no unit: write for example 10s [10s]",
        "T0004 `512` is not a size: it has no unit: write for example 512MiB [512MiB]",
        "T0005 this field takes a literal value, no expression []",
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn places_are_those_of_the_value_and_of_the_key() {
    let mut m = Maker::default();
    let (query, limit, extra) = (m.text("q"), m.text("many"), m.int(1));
    let (limit_span, extra_span) = (limit.span, extra.span);
    let node = m.map(vec![("query", query), ("limit", limit), ("extra", extra)]);
    let found = problems(&node);
    assert_eq!(found[0].primary.span, limit_span);
    assert_eq!(found[0].message, "expected an integer of 0 or more, found text");
    assert_eq!(found[1].primary.span.start, extra_span.start - 4);
}

#[test]
fn a_configuration_that_is_left_out_or_of_another_shape() {
    let found = read::<Config>(None).expect_err("query is missing");
    assert_eq!((found.len(), found[0].code), (1, Code::MissingKey));
    let node = Maker::default().text("x");
    assert_eq!(problems(&node)[0].message, "expected a mapping, found text");
    read::<()>(None).expect("a kind without configuration");
}

#[test]
fn a_long_list_of_broken_values_ends() {
    let mut m = Maker::default();
    let items = (0..5_000).map(|i| m.int(i)).collect();
    let names = m.list(items);
    let query = m.text("q");
    let node = m.map(vec![("query", query), ("names", names)]);
    assert_eq!(problems(&node).len(), 40);
}

#[test]
fn magic_is_refused_where_serde_buffers() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Lost {
        A(#[expect(dead_code, reason = "only its reading matters")] Templated<String>),
    }
    let node = Maker::default().text("x");
    assert!(read::<Lost>(Some(&node)).is_err());
    assert!(serde_json::from_str::<Templated<String>>("\"x\"").is_err());
    assert_eq!(serde_json::from_str::<Size>("\"1KiB\"").expect("a size"), Size(1024));
}

#[test]
fn the_schema_of_a_configuration_can_be_made() {
    let schema = serde_json::to_value(schemars::schema_for!(Config)).expect("JSON");
    assert_eq!(schema["properties"]["memory"]["x-type"], "size");
    assert_eq!(schema["required"], serde_json::json!(["query"]));
}
