//! YAML text to [`Node`]s: events of the parser below `serde_yaml`, folded without recursion.

use std::{collections::HashMap, sync::Arc};

use serde_yaml::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span as RawSpan, Tag};

use super::{
    Key, Node, NodeKind, Text,
    scalar::{self, Style},
    syntax::{MAX_DEPTH, Seen, remedy, too_deep},
    traps,
};
use crate::diag::{Code, Diagnostic, Source, Span};

/// Values in a file, aliases expanded.
const MAX_NODES: usize = 4_000_000;
/// Times that a text is mended and read again to find what follows a trap.
const MAX_REPAIRS: usize = 16;
/// Larger texts are not read again.
const REPAIR_LIMIT: usize = 1 << 20;
/// Problems reported for one file.
pub(super) const MAX_PROBLEMS: usize = 1_000;

/// What reading gave.
#[derive(Debug)]
pub struct Tree {
    /// The document; what could be read of it, where `complete` is false. `None` for an empty file.
    pub root: Option<Node>,
    /// Whether the text was read to its end.
    pub complete: bool,
    /// Problems of the text as YAML.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads one YAML document. Time and memory are linear in the text and bounded by fixed limits.
pub fn read_tree(source: &Source) -> Tree {
    let mut text = source.text().to_owned();
    let mut trapped = Vec::new();
    for _ in 0..MAX_REPAIRS {
        let mut builder = Builder::new(&text);
        let failure = builder.run();
        let Some(failure) = failure else {
            return builder.finish(trapped, true);
        };
        let at = failure.primary.span.start as usize;
        let trap = (text.len() <= REPAIR_LIMIT).then(|| traps::near(&text, at)).flatten();
        let Some(trap) = trap else {
            builder.problems.push(failure);
            return builder.finish(trapped, false);
        };
        trapped.push(trap.diagnostic(source));
        text = trap.mask(&text);
    }
    Tree { root: None, complete: false, diagnostics: trapped }
}

struct Open {
    start: usize,
    anchor: usize,
    /// Levels below, so far.
    height: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<(Key, bool)>),
}

struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

struct Builder<'a> {
    text: &'a str,
    stack: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    /// Nodes made when each open anchor began.
    begun: HashMap<usize, usize>,
    keys: HashMap<Arc<str>, Arc<str>>,
    nodes: usize,
    problems: Vec<Diagnostic>,
    /// The last byte that was understood, where a tree cut short ends.
    end: usize,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            begun: HashMap::new(),
            keys: HashMap::new(),
            nodes: 0,
            problems: Vec::new(),
            end: 0,
        }
    }

    fn finish(mut self, mut trapped: Vec<Diagnostic>, complete: bool) -> Tree {
        while let Some(open) = self.stack.pop() {
            let node = self.close(open, self.end);
            self.place(node, 0);
        }
        self.problems.truncate(MAX_PROBLEMS);
        trapped.append(&mut self.problems);
        let complete = complete && trapped.is_empty();
        Tree { root: self.root, complete, diagnostics: trapped }
    }

    /// Reads to the end or to the first problem that cannot be passed.
    fn run(&mut self) -> Option<Diagnostic> {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.emit_unresolved_aliases = true;
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(self.text, options) {
            let (event, at) = match event {
                Ok(event) => event,
                Err(error) => return Some(self.syntax(&error)),
            };
            if let Event::DocumentStart(..) = event {
                documents += 1;
                if documents > 1 {
                    let span = self.span(&at);
                    return Some(
                        Diagnostic::new(Code::YamlSyntax, span, "a second document begins here")
                            .help("a pipeline is one document: remove `---` and what follows, or make a file of it"),
                    );
                }
                continue;
            }
            if let Err(problem) = self.take(event, &at) {
                return Some(*problem);
            }
            if self.problems.len() >= MAX_PROBLEMS {
                return self.problems.pop();
            }
        }
        None
    }

    fn span(&self, at: &RawSpan) -> Span {
        let offset = |m: &serde_yaml::granit_parser::Marker| m.byte_offset().unwrap_or(self.text.len());
        let (start, end) = (offset(&at.start), offset(&at.end));
        Span::new(start, end)
    }

    fn take(&mut self, event: Event<'_>, at: &RawSpan) -> Result<(), Box<Diagnostic>> {
        if !matches!(
            event,
            Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::MappingStart(..)
                | Event::SequenceEnd
                | Event::MappingEnd
                | Event::Alias(_)
                | Event::UnresolvedAlias(_)
        ) {
            return Ok(());
        }
        let span = self.span(at);
        self.end = self.end.max(span.end as usize);
        match event {
            Event::Scalar(value, style, anchor, tag) => self.scalar(&value, style, anchor, tag.as_deref(), span),
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), "seq", span);
                self.open(OpenKind::List(Vec::new()), anchor, span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), "map", span);
                self.open(OpenKind::Map(Vec::new(), None), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.stack.pop() {
                    let (anchor, height) = (open.anchor, open.height + 1);
                    let node = self.close(open, span.end as usize);
                    self.remember(anchor, &node, height);
                    self.place(node, height);
                }
                Ok(())
            }
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let problem =
                    Diagnostic::new(Code::UnknownAnchor, span, format!("there is no anchor `&{name}` before")).help(
                        "an alias needs an anchor of the same name earlier in the file; quote the text if it is none",
                    );
                self.problems.push(problem);
                self.place(Node { span, kind: NodeKind::Null }, 0);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(Box::new(
                Diagnostic::new(Code::YamlBudget, span, format!("the file holds more than {MAX_NODES} values"))
                    .help("aliases count as often as they are used; move data into files that steps read"),
            ));
        }
        Ok(())
    }

    fn deep(&self, below: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        if self.stack.len() + below > MAX_DEPTH {
            return Err(Box::new(too_deep(span)));
        }
        Ok(())
    }

    fn open(&mut self, kind: OpenKind, anchor: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        self.count(1, span)?;
        self.deep(1, span)?;
        if self.wants_key() {
            self.problems.push(
                Diagnostic::new(Code::WrongShape, span, "a list or mapping stands where a key belongs")
                    .help("keys are text; a value that begins with `{` or `[` needs quotes"),
            );
        }
        if anchor != 0 {
            self.begun.insert(anchor, self.nodes);
        }
        self.stack.push(Open { start: span.start as usize, anchor, height: 0, kind });
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open { kind: OpenKind::Map(_, None), .. }))
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Box<Diagnostic>> {
        self.count(1, span)?;
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            _ => Style::Block,
        };
        let span = if style == Style::Block { self.with_header(span) } else { span };
        let value = if style == Style::Plain && span.is_empty() { "" } else { value };
        if self.wants_key() {
            let merge = style == Style::Plain && value == "<<";
            self.key(value, span, merge);
            return Ok(());
        }
        let forced =
            tag.is_some_and(|t| t.core_suffix() == Some("str") || (t.handle().is_empty() && t.suffix() == "!"));
        if !forced {
            self.tag(tag, "", span);
        }
        let kind = if style == Style::Plain && !forced { self.resolve(value, span) } else { None };
        let kind = kind.unwrap_or_else(|| {
            let raw = self.text.get(span.start as usize..span.end as usize).unwrap_or("");
            let map = scalar::map_of(value, raw, span.start as usize, style);
            NodeKind::String(Text { value: value.into(), map })
        });
        if style == Style::Plain
            && value.contains("${{")
            && let Some(trap) = traps::comment(self.text, value, span)
        {
            self.problems.push(trap);
        }
        let node = Node { span, kind };
        if anchor != 0 {
            // Each copy carries the map of its lines.
            let nodes = 1 + node.text().map_or(0, |t| t.map.stretches() / 8);
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height: 0 });
        }
        self.place(node, 0);
        Ok(())
    }

    /// A block scalar's span from its `|` or `>` on; the parser begins it at its text.
    fn with_header(&self, span: Span) -> Span {
        let start = span.start as usize;
        if matches!(self.text.as_bytes().get(start), Some(b'|' | b'>')) {
            return span;
        }
        let before = self.text.get(..start).unwrap_or("").trim_end();
        let line = before.rfind('\n').map_or(0, |n| n + 1);
        let header = before[line..].match_indices(['|', '>']).map(|(at, _)| line + at).find(|at| {
            let rest = before[at + 1..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
            rest.trim_start().is_empty() || rest.trim_start().starts_with('#')
        });
        header.map_or(span, |at| Span::new(at, span.end as usize))
    }

    fn resolve(&mut self, value: &str, span: Span) -> Option<NodeKind> {
        match scalar::resolve(value) {
            Ok(kind) => kind,
            Err(()) => {
                self.problems.push(
                    Diagnostic::new(Code::NumberRange, span, format!("`{value}` does not fit into 64 bits"))
                        .help("quote it if it is an identifier rather than a number")
                        .suggest(format!("\"{value}\"")),
                );
                // Any number, so that the key does not ask for one as well.
                Some(NodeKind::Int(1))
            }
        }
    }

    fn tag(&mut self, tag: Option<&Tag>, own: &str, span: Span) {
        let Some(tag) = tag else { return };
        let known = match tag.core_suffix() {
            Some(suffix) if own.is_empty() => matches!(suffix, "int" | "float" | "bool" | "null" | "str"),
            Some(suffix) => suffix == own,
            None => false,
        };
        if !known {
            self.problems.push(
                Diagnostic::new(Code::YamlTag, span, format!("the tag `{}` means nothing here", tag.original()))
                    .help("remove the tag; a text that begins with `!` needs quotes"),
            );
        }
    }

    fn key(&mut self, value: &str, span: Span, merge: bool) {
        let text = match self.keys.get(value) {
            Some(known) => known.clone(),
            None => {
                let text: Arc<str> = value.into();
                self.keys.insert(text.clone(), text.clone());
                text
            }
        };
        if value.contains("${{") {
            self.problems.push(traps::in_key(self.text, span));
        }
        if let Some(Open { kind: OpenKind::Map(_, key), .. }) = self.stack.last_mut() {
            *key = Some((Key { text, span }, merge));
        }
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Box::new(
                Diagnostic::new(Code::YamlBudget, span, "an alias stands inside its own anchor")
                    .help("a value cannot contain itself"),
            ));
        };
        let (nodes, height) = (anchored.nodes, anchored.height);
        self.deep(height, span)?;
        self.count(nodes, span)?;
        let node = self.anchors[&id].node.clone();
        if self.wants_key() {
            let text = node.text().map_or_else(String::new, |t| t.value.to_string());
            self.key(&text, span, false);
        } else {
            self.place(node, height);
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node, height: usize) {
        if anchor != 0 {
            let begun = self.begun.get(&anchor).copied().unwrap_or(self.nodes);
            let nodes = self.nodes - begun + 1;
            // The copy kept for aliases counts too, so that nested anchors stay bounded.
            self.nodes += nodes;
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height });
        }
    }

    fn place(&mut self, node: Node, height: usize) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(open) => {
                open.height = open.height.max(height);
                match &mut open.kind {
                    OpenKind::List(items) => items.push(node),
                    OpenKind::Map(entries, key) => match key.take() {
                        Some((key, false)) => entries.push((key, node)),
                        Some((key, true)) => entries.push((Key { text: MERGE.into(), ..key }, node)),
                        None => *key = Some((Key { text: "".into(), span: node.span }, false)),
                    },
                }
            }
        }
    }

    fn close(&mut self, open: Open, end: usize) -> Node {
        // A block collection's end is where the next token begins; the text ends before.
        let end = end.min(self.text.len());
        let bytes = self.text.as_bytes();
        let mut end = end.max(open.start);
        while end > open.start && bytes[end - 1].is_ascii_whitespace() {
            end -= 1;
        }
        let kind = match open.kind {
            OpenKind::List(items) => {
                end = items.last().map_or(end, |i| block_end(bytes, end, i.span.end as usize));
                NodeKind::List(items)
            }
            OpenKind::Map(mut entries, key) => {
                if let Some((key, _)) = key {
                    entries.push((key.clone(), Node { span: key.span, kind: NodeKind::Null }));
                }
                end = entries.last().map_or(end, |(_, v)| block_end(bytes, end, v.span.end as usize));
                NodeKind::Map(self.unique(entries))
            }
        };
        Node { span: Span::new(open.start, end), kind }
    }

    /// Entries without duplicates, merge keys applied.
    fn unique(&mut self, entries: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
        let mut seen: Seen = Seen::new(entries.len());
        let mut out: Vec<(Key, Node)> = Vec::with_capacity(entries.len());
        let mut merged = Vec::new();
        for (key, node) in entries {
            if &*key.text == MERGE {
                merged.push(node);
            } else if let Some(first) = seen.insert(&key, &out) {
                let problem =
                    Diagnostic::new(Code::DuplicateKey, key.span, format!("the key `{}` is given twice", key.text))
                        .label("again")
                        .also(first, "first here")
                        .help("remove one of them");
                self.problems.push(problem);
            } else {
                out.push((key, node));
            }
        }
        for node in merged {
            let span = node.span;
            let parts = match node.kind {
                NodeKind::List(items) => items,
                kind => vec![Node { span, kind }],
            };
            for part in parts {
                let NodeKind::Map(entries) = part.kind else {
                    self.problems.push(
                        Diagnostic::new(Code::WrongShape, part.span, "`<<` takes a mapping or a list of mappings")
                            .help("write `<<: *anchor`"),
                    );
                    continue;
                };
                for (key, node) in entries {
                    if seen.insert(&key, &out).is_none() {
                        out.push((key, node));
                    }
                }
            }
        }
        out
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        let end = self.text[at..].chars().next().filter(|c| *c != '\n').map_or(at, |c| at + c.len_utf8());
        let span = Span::new(at, end);
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return too_deep(span);
        }
        let info = error.info();
        let mut message = info.trim_end_matches('.').to_owned();
        if let Some(first) = message.chars().next().filter(char::is_ascii_uppercase) {
            message.replace_range(..1, &first.to_ascii_lowercase().to_string());
        }
        Diagnostic::new(Code::YamlSyntax, span, message).help(remedy(error.kind()))
    }
}

/// Stands for `<<` written plainly; no key of a file has this text.
const MERGE: &str = "\u{0}<<";

/// A flow collection ends with its bracket, a block one with its last value.
fn block_end(bytes: &[u8], end: usize, last: usize) -> usize {
    if end > 0 && matches!(bytes[end - 1], b'}' | b']') && end >= last { end } else { end.min(last.max(1)) }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
