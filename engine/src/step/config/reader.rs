use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use serde::de::DeserializeOwned;

use super::{
    Field,
    deserializer::NodeDeserializer,
    problem::{Problem, missing},
};
use crate::{
    diag::{Code, Diagnostic, Span},
    spec::{Node, NodeKind},
};

/// Problems that one configuration may have before reading it again is no longer worth it.
const MOST_PASSES: usize = 40;

/// What a reading gathers beside the value. One per configuration.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) problems: RefCell<Vec<Diagnostic>>,
    pub(super) fields: RefCell<Vec<Field>>,
    path: RefCell<Vec<Part>>,
    /// Nodes whose value could not be read, by address: the next pass puts a stand-in there.
    broken: RefCell<HashSet<usize>>,
    /// Fields missing in a mapping, by its address: the next pass puts stand-ins there.
    absent: RefCell<HashMap<usize, Vec<&'static str>>>,
    again: Cell<bool>,
}

/// One step from a configuration's root to a value.
enum Part {
    Key(String),
    Index(usize),
}

/// Reads a configuration. serde gives up at the first problem; so a place with a problem is marked and
/// the whole is read again with a stand-in there, until nothing new is found.
pub(in crate::step) fn read<C: DeserializeOwned>(with: Option<&Node>) -> Result<(C, Vec<Field>), Vec<Diagnostic>> {
    let nothing = Node { span: Span::default(), kind: NodeKind::Map(Vec::new()) };
    let node = with.filter(|node| node.kind != NodeKind::Null).unwrap_or(&nothing);
    let reading = Reading::default();
    for _ in 0..MOST_PASSES {
        reading.fields.borrow_mut().clear();
        reading.path.borrow_mut().clear();
        reading.again.set(false);
        let read = C::deserialize(NodeDeserializer::new(node, &reading));
        match read {
            Ok(config) if reading.problems.borrow().is_empty() => return Ok((config, reading.fields.into_inner())),
            Ok(_) | Err(Problem::Stop) => break,
            Err(Problem::Reported) if reading.again.get() && !reading.is_broken(node) => {}
            Err(_) => break,
        }
    }
    let mut problems: Vec<Diagnostic> = Vec::new();
    for problem in reading.problems.into_inner() {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    // What is missing because it is misspelt is told once, where it is misspelt.
    let misspelt: Vec<String> = problems
        .iter()
        .filter(|problem| problem.code == Code::UnknownKey)
        .filter_map(|problem| Some(missing(&problem.suggestion.as_ref()?.replacement)))
        .collect();
    problems.retain(|problem| problem.code != Code::MissingKey || !misspelt.contains(&problem.message));
    problems.sort_by_key(|problem| problem.primary.span);
    Err(problems)
}

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

impl Reading {
    /// Adds a problem and goes on.
    pub(super) fn add(&self, problem: Diagnostic) {
        self.problems.borrow_mut().push(problem);
    }

    /// Adds what stopped the reading of a node, and marks the place for the next pass.
    pub(super) fn place(&self, node: &Node, span: Span, problem: Problem) -> Problem {
        if matches!(problem, Problem::Reported | Problem::Stop) {
            return problem;
        }
        // A type's own check of a whole is worth nothing where parts of it are stand-ins.
        let whole = matches!(node.kind, NodeKind::Map(_) | NodeKind::List(_));
        if whole && matches!(problem, Problem::Other(_)) && !self.problems.borrow().is_empty() {
            return Problem::Stop;
        }
        let new = match &problem {
            Problem::Missing(name) => {
                let mut absent = self.absent.borrow_mut();
                let names = absent.entry(address(node)).or_default();
                let new = !names.contains(name);
                names.push(name);
                new
            }
            _ => self.broken.borrow_mut().insert(address(node)),
        };
        self.again.set(new);
        self.add(problem.at(node, span));
        Problem::Reported
    }

    /// Marks a node whose problem is already added.
    pub(super) fn mark(&self, node: &Node) -> Problem {
        let new = self.broken.borrow_mut().insert(address(node));
        self.again.set(new);
        Problem::Reported
    }

    /// Whether a stand-in takes the node's place.
    pub(super) fn is_broken(&self, node: &Node) -> bool {
        let broken = self.broken.borrow();
        !broken.is_empty() && broken.contains(&address(node))
    }

    /// Fields to which stand-ins are given in a mapping.
    pub(super) fn absent(&self, node: &Node) -> Vec<&'static str> {
        let absent = self.absent.borrow();
        if absent.is_empty() { Vec::new() } else { absent.get(&address(node)).cloned().unwrap_or_default() }
    }

    pub(super) fn enter_key(&self, key: &str) {
        self.path.borrow_mut().push(Part::Key(key.to_owned()));
    }

    pub(super) fn enter_index(&self, index: usize) {
        self.path.borrow_mut().push(Part::Index(index));
    }

    pub(super) fn leave(&self) {
        self.path.borrow_mut().pop();
    }

    /// The way from `with` to here, such as `params.origin` or `command[2]`.
    pub(super) fn path(&self) -> String {
        let mut text = String::new();
        for part in self.path.borrow().iter() {
            let written = match part {
                Part::Key(key) if text.is_empty() => write!(text, "{key}"),
                Part::Key(key) => write!(text, ".{key}"),
                Part::Index(i) => write!(text, "[{i}]"),
            };
            debug_assert!(written.is_ok(), "writing to a String");
        }
        text
    }
}
