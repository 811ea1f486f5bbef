//! Reading values out of nodes, with a problem for each that is not what it should be.

use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;

use super::{
    Key, Node, NodeKind, Spanned, Text,
    shape::{Keys, Shape},
    template::template_of,
};
use crate::{
    diag::{Code, Diagnostic, Span},
    expr::{Expr, Template},
    model::{
        Name,
        units::{UnitError, parse_count, parse_duration, parse_size},
    },
};

/// Collects problems on the way.
#[derive(Debug, Default)]
pub(super) struct Cx {
    pub(super) problems: Vec<Diagnostic>,
    /// Whether the text was cut short, so that what is missing says nothing.
    pub(super) partial: bool,
}

/// A mapping whose keys are known ones.
#[derive(Clone, Copy)]
pub(super) struct Fields<'n> {
    pub(super) entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(k, _)| &*k.text == key).map(|(_, node)| node)
    }

    pub(super) fn key(&self, key: &str) -> Option<Span> {
        self.entries.iter().find(|(k, _)| &*k.text == key).map(|(k, _)| k.span)
    }
}

impl Cx {
    pub(super) fn push(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// The entries of a mapping, unknown and missing keys reported.
    pub(super) fn fields<'n>(&mut self, node: &'n Node, keys: &'static Keys) -> Option<Fields<'n>> {
        let NodeKind::Map(entries) = &node.kind else {
            let known: Vec<_> = keys.list.iter().take(6).map(|k| k.name).collect();
            let problem =
                shape(node, format!("{} is a mapping", keys.what)).help(format!("its keys: {}", known.join(", ")));
            self.push(problem);
            return None;
        };
        for (key, _) in entries {
            if !keys.list.iter().any(|k| k.name == &*key.text) {
                self.unknown(key, keys);
            }
        }
        let fields = Fields { entries };
        for missing in keys.list.iter().filter(|k| k.required && fields.get(k.name).is_none()) {
            if !self.partial && !renamed(entries, keys, missing.name) {
                let span = entries.first().map_or(node.span, |(k, _)| k.span);
                let problem =
                    Diagnostic::new(Code::MissingKey, span, format!("{} needs `{}`", keys.what, missing.name));
                let help = match missing.name {
                    "version" => "add `version: 1` as the first line".to_owned(),
                    _ => format!("add `{}:`, {}", missing.name, missing.doc),
                };
                self.push(problem.help(help));
            }
        }
        Some(fields)
    }

    fn unknown(&mut self, key: &Key, keys: &'static Keys) {
        let top = matches!(keys.name, "pipeline" | "workspace");
        if top && key.text.starts_with("x-") {
            return;
        }
        if keys.name == "pipeline" && matches!(&*key.text, "true" | "True" | "TRUE") {
            let problem = Diagnostic::new(Code::OnIsTrue, key.span, "`true:` stands where `on:` is meant");
            self.push(
                problem.help("write `on:`; YAML 1.1 reads that word as true, this language does not").suggest("on"),
            );
            return;
        }
        let problem = Diagnostic::new(Code::UnknownKey, key.span, format!("{} has no key `{}`", keys.what, key.text));
        let foreign = keys.foreign.iter().find(|(theirs, _)| *theirs == &*key.text);
        let problem = match foreign {
            Some((_, ours)) if ours.contains(':') => {
                let help = if *ours == "uses: shell" {
                    "commands are steps of kind `shell`: `uses: shell` and `with: {command: [program, argument]}`"
                        .to_owned()
                } else {
                    format!("write `{ours}`")
                };
                problem.help(help)
            }
            Some((_, ours)) => problem.help(format!("the word here is `{ours}`")).suggest(*ours),
            None => {
                let problem = problem.did_you_mean(&key.text, keys.list.iter().map(|k| k.name));
                let known = || keys.list.iter().map(|k| k.name).collect::<Vec<_>>().join(", ");
                match &problem.suggestion {
                    Some(found) => {
                        let help = format!("did you mean `{}`?", found.replacement);
                        problem.help(help)
                    }
                    None => problem.help(format!("known keys: {}", known())),
                }
            }
        };
        self.push(problem);
    }

    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Text> {
        let found = node.text();
        if found.is_none() {
            let problem = shape(node, format!("{what} is text"));
            let quoted = match &node.kind {
                NodeKind::Bool(b) => Some(format!("\"{b}\"")),
                NodeKind::Int(n) => Some(format!("\"{n}\"")),
                NodeKind::Float(n) => Some(format!("\"{n}\"")),
                _ => None,
            };
            self.push(match quoted {
                Some(quoted) => problem.help(format!("write {quoted}")).suggest(quoted),
                None => problem,
            });
        }
        found
    }

    pub(super) fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        self.text(node, what).map(|t| t.value.to_string())
    }

    pub(super) fn bool(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let NodeKind::Bool(value) = node.kind {
            return Some(value);
        }
        let problem = shape(node, format!("{what} is true or false"));
        let meant = node.text().and_then(|t| match t.value.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some("true"),
            "no" | "off" | "n" | "false" => Some("false"),
            _ => None,
        });
        self.push(match meant {
            Some(word) => problem.help(format!("write `{word}`")).suggest(word),
            None => problem,
        });
        None
    }

    pub(super) fn int(&mut self, node: &Node, what: &str, least: u32) -> Option<u32> {
        let NodeKind::Int(value) = node.kind else {
            self.push(shape(node, format!("{what} is an integer")));
            return None;
        };
        let fit = u32::try_from(value).ok().filter(|v| *v >= least);
        if fit.is_none() {
            let problem =
                Diagnostic::new(Code::NumberRange, node.span, format!("{what} is at least {least}, not {value}"));
            self.push(if value > i64::from(least) {
                Diagnostic::new(Code::NumberRange, node.span, format!("{what} is at most {}, not {value}", u32::MAX))
            } else {
                problem.suggest(least.to_string())
            });
        }
        fit
    }

    pub(super) fn share(&mut self, node: &Node, what: &str) -> Option<f64> {
        let value = self.number(node, what)?;
        if (0.0..=1.0).contains(&value) {
            return Some(value);
        }
        let problem = Diagnostic::new(Code::NumberRange, node.span, format!("{what} lies from 0 to 1, not {value}"));
        let percent = value > 1.0 && value <= 100.0;
        self.push(if percent { problem.suggest((value / 100.0).to_string()) } else { problem });
        None
    }

    pub(super) fn number(&mut self, node: &Node, what: &str) -> Option<f64> {
        match node.kind {
            NodeKind::Int(value) => Some(value as f64),
            NodeKind::Float(value) if value.is_finite() => Some(value),
            _ => {
                self.push(shape(node, format!("{what} is a number")));
                None
            }
        }
    }

    fn unit<T>(
        &mut self,
        node: &Node,
        what: &str,
        kind: &str,
        unit: &str,
        parse: fn(&str) -> Result<T, UnitError>,
    ) -> Option<T> {
        let written: Arc<str> = match &node.kind {
            NodeKind::String(text) => text.value.clone(),
            NodeKind::Int(value) => value.to_string().into(),
            NodeKind::Float(value) => value.to_string().into(),
            _ => {
                self.push(shape(node, format!("{what} is a {kind}")).help(format!("write for example `10{unit}`")));
                return None;
            }
        };
        match parse(&written) {
            Ok(value) => Some(value),
            Err(UnitError::NoUnit { example }) => {
                let problem = Diagnostic::new(Code::BadUnit, node.span, format!("{what} `{written}` has no unit"));
                self.push(problem.help(format!("write for example `{example}`")).suggest(example));
                None
            }
            Err(error) => {
                let problem = Diagnostic::new(Code::BadUnit, node.span, format!("{what} `{written}` {error}"));
                self.push(problem.help(format!("write a {kind} such as `10{unit}`")));
                None
            }
        }
    }

    pub(super) fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        self.unit(node, what, "duration", "s", parse_duration)
    }

    pub(super) fn size(&mut self, node: &Node, what: &str) -> Option<u64> {
        self.unit(node, what, "size", "MiB", parse_size)
    }

    pub(super) fn count(&mut self, node: &Node, what: &str) -> Option<u64> {
        self.unit(node, what, "count", "k", parse_count)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let words = || choices.iter().map(|(w, _)| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        let Some(text) = node.text() else {
            self.push(shape(node, format!("{what} is one of {}", words())));
            return None;
        };
        let found = choices.iter().find(|(word, _)| *word == &*text.value).map(|(_, value)| *value);
        if found.is_none() {
            let problem = Diagnostic::new(Code::BadChoice, node.span, format!("{what} cannot be `{}`", text.value));
            let problem = problem.help(format!("one of {}", words()));
            self.push(problem.did_you_mean(&text.value, choices.iter().map(|(w, _)| *w)));
        }
        found
    }

    /// The elements of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            NodeKind::List(items) => items,
            _ => {
                self.push(
                    shape(node, format!("{what} is a list")).help("write `[one, two]`, or one `- ` line for each"),
                );
                &[]
            }
        }
    }

    /// The elements of a list, or the one that stands alone.
    pub(super) fn one_or_more<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            NodeKind::List(items) => items,
            _ => std::slice::from_ref(node),
        }
    }

    /// The entries of a mapping with free keys.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        match &node.kind {
            NodeKind::Map(entries) => entries,
            _ => {
                self.push(
                    shape(node, format!("{what} is a mapping"))
                        .help("write `{key: value}`, or one `key: value` line for each"),
                );
                &[]
            }
        }
    }

    pub(super) fn texts(&mut self, node: &Node, what: &str) -> Vec<Spanned<String>> {
        let mut out = Vec::new();
        for item in self.list(node, what) {
            if let Some(text) = self.string(item, &format!("an element of {what}")) {
                out.push(Spanned::new(text, item.span));
            }
        }
        out
    }

    /// An identifier, with the nearest correct one as the fix.
    pub(super) fn name_of(&mut self, text: &str, span: Span, what: &str) -> Option<Name> {
        let found = Name::new(text);
        if found.is_none() {
            let mended = mend(text);
            let why = if text.contains('-') {
                "a hyphen would be a minus in expressions"
            } else {
                "lower-case letters, digits and `_`, beginning with a letter"
            };
            let problem = Diagnostic::new(Code::BadName, span, format!("{what} cannot be `{text}`"));
            self.push(match &mended {
                Some(mended) => problem.help(format!("write `{mended}`: {why}")).suggest(mended.clone()),
                None => problem.help(why),
            });
            // What was meant goes on, so that what refers to it is not reported too.
            return mended.as_deref().and_then(Name::new);
        }
        found
    }

    pub(super) fn name(&mut self, node: &Node, what: &str) -> Option<Spanned<Name>> {
        let text = self.text(node, what)?;
        Some(Spanned::new(self.name_of(&text.value, node.span, what)?, node.span))
    }

    /// A template of any value.
    pub(super) fn template(&mut self, node: &Node) -> Option<Spanned<Template>> {
        match template_of(node) {
            Ok(template) => Some(Spanned::new(template, node.span)),
            Err(mut problems) => {
                self.problems.append(&mut problems);
                None
            }
        }
    }

    pub(super) fn templates(&mut self, node: &Node, what: &str) -> IndexMap<Name, Spanned<Template>> {
        let mut out = IndexMap::new();
        for (key, value) in self.map(node, what) {
            let name = self.name_of(&key.text, key.span, &format!("a name in {what}"));
            if let (Some(name), Some(template)) = (name, self.template(value)) {
                out.insert(name, template);
            }
        }
        out
    }

    /// An expression, bare or wholly in `${{ }}`.
    pub(super) fn expr(&mut self, node: &Node, what: &str) -> Option<Spanned<Expr>> {
        let bare;
        let text = match &node.kind {
            NodeKind::String(text) => text,
            NodeKind::Bool(value) => {
                bare = Text {
                    value: value.to_string().into(),
                    map: crate::diag::TextMap::verbatim(node.span.start as usize),
                };
                &bare
            }
            _ => {
                let problem = shape(node, format!("{what} is an expression"));
                self.push(problem.help(format!("write `{what}: {}`", example(what))));
                return None;
            }
        };
        let whole = text.value.trim();
        let lead = text.value.len() - text.value.trim_start().len();
        let inner = whole.strip_prefix("${{").and_then(|t| t.strip_suffix("}}")).filter(|t| !t.contains("${{"));
        let parsed = match inner {
            Some(inner) => Expr::parse(inner, &text.map.tail(lead + 3)),
            None if whole.contains("${{") && traps_whole(whole) => {
                let problem = Diagnostic::new(
                    Code::WrongShape,
                    node.span,
                    format!("{what} is one expression, not text around one"),
                )
                .help("write the whole condition as one expression, without `${{ }}` or with one around all of it");
                let joined = whole.replace("${{", "").replace("}}", "");
                let joined = joined.split_whitespace().collect::<Vec<_>>().join(" ");
                self.push(problem.suggest(joined));
                return None;
            }
            None => Expr::parse(&text.value, &text.map),
        };
        match parsed {
            Ok(expr) => Some(Spanned::new(expr, node.span)),
            Err(mut problems) => {
                self.problems.append(&mut problems);
                None
            }
        }
    }

    /// Checks a value against a described shape; for sections that are kept as written.
    pub(super) fn conforms(&mut self, node: &Node, shape: &'static Shape, what: &str) {
        match shape {
            Shape::Any | Shape::Expr => {}
            Shape::Text => drop(self.text(node, what)),
            Shape::Bool => drop(self.bool(node, what)),
            Shape::Int(least) => drop(self.int(node, what, *least)),
            Shape::Share => drop(self.share(node, what)),
            Shape::Number => drop(self.number(node, what)),
            Shape::Duration => drop(self.duration(node, what)),
            Shape::Size => drop(self.size(node, what)),
            Shape::Count => drop(self.count(node, what)),
            Shape::Name => drop(self.name(node, what)),
            Shape::OneOf(words) => {
                let choices: Vec<_> = words.iter().map(|w| (*w, ())).collect();
                self.choice(node, what, &choices);
            }
            Shape::List(inner) => {
                for item in self.list(node, what) {
                    self.conforms(item, inner, &format!("an element of {what}"));
                }
            }
            Shape::OneOrMore(inner) => {
                for item in self.one_or_more(node) {
                    self.conforms(item, inner, what);
                }
            }
            Shape::Map(inner) => {
                for (key, value) in self.map(node, what) {
                    self.conforms(value, inner, &format!("`{}`", key.text));
                }
            }
            Shape::Keys(keys) => {
                if let Some(fields) = self.fields(node, keys) {
                    for (key, value) in fields.entries {
                        if let Some(known) = keys.list.iter().find(|k| k.name == &*key.text) {
                            self.conforms(value, &known.shape, &format!("`{}`", key.text));
                        }
                    }
                }
            }
            Shape::Either(a, b) => {
                let scalar = !matches!(node.kind, NodeKind::Map(_) | NodeKind::List(_));
                let first = matches!(a, Shape::Map(_) | Shape::Keys(_) | Shape::List(_)) != scalar;
                self.conforms(node, if first { a } else { b }, what);
            }
        }
    }
}

/// Whether text stands around the `${{ }}`, rather than one being unclosed.
fn traps_whole(text: &str) -> bool {
    text.matches("${{").count() == text.matches("}}").count()
}

fn example(what: &str) -> &'static str {
    match what {
        "for_each" | "`for_each`" => "${{ inputs.files }}",
        _ => "steps.check.outputs.failed == 0",
    }
}

/// Whether a missing key is there under another engine's word or misspelt, which is reported already.
fn renamed(entries: &[(Key, Node)], keys: &Keys, missing: &str) -> bool {
    entries.iter().any(|(key, _)| {
        let foreign =
            keys.foreign.iter().any(|(theirs, ours)| *theirs == &*key.text && ours.split(':').next() == Some(missing));
        let known = keys.list.iter().any(|k| k.name == &*key.text);
        foreign || (!known && strsim::damerau_levenshtein(&key.text, missing) <= (missing.len() / 3).max(1))
    })
}

/// The identifier that was probably meant.
fn mend(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_uppercase() && out.ends_with(|p: char| p.is_ascii_lowercase()) {
            out.push('_');
        }
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            _ if out.is_empty() || out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    let out = out.trim_matches('_').trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('_').to_owned();
    Name::new(&out).is_some().then_some(out)
}

pub(super) fn shape(node: &Node, expected: String) -> Diagnostic {
    Diagnostic::new(Code::WrongShape, node.span, format!("{expected}, not {}", node.describe()))
}
