use std::collections::{BTreeMap, HashSet};

use indexmap::IndexMap;

use crate::{data::Type, expr::Root, model::Name};

/// What a step reads, beyond the expressions in its configuration, which are found without its help.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Read {
    /// A reference.
    Root(Root),
    /// The only table output of a step, as SQL names it.
    TableOf(Name),
}

/// The steps whose names may be read at a place: for kinds such as `sql` whose text names steps.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Ids of the steps in the same scope.
    pub steps: Vec<Name>,
    /// The same, to be asked for quickly; empty where `steps` was set by hand.
    index: HashSet<Name>,
}

impl Names {
    /// These names.
    pub fn new(steps: Vec<Name>) -> Self {
        Self { index: steps.iter().cloned().collect(), steps }
    }

    /// Whether there is such a step.
    pub fn has_step(&self, id: &str) -> bool {
        if self.index.is_empty() { self.steps.iter().any(|step| step.as_str() == id) } else { self.index.contains(id) }
    }
}

/// Inputs and outputs of an included pipeline.
#[derive(Debug, Clone, Default)]
pub struct ChildPorts {
    /// Inputs by name.
    pub inputs: IndexMap<Name, ChildInput>,
    /// Types of its outputs.
    pub outputs: IndexMap<Name, Type>,
}

/// An input of an included pipeline.
#[derive(Debug, Clone)]
pub struct ChildInput {
    /// Its type.
    pub ty: Type,
    /// Whether it must be given.
    pub required: bool,
}

/// Types of everything a step reads, when its ports are asked for.
#[derive(Debug, Clone, Default)]
pub struct InputTypes {
    /// By what is read: everything [`StepKind::reads`](super::StepKind::reads) gave.
    pub reads: BTreeMap<Read, Type>,
    /// Types of the templated fields, by the start of their span in the file.
    pub fields: BTreeMap<u32, Type>,
}

/// The typed inputs and outputs of a configured step.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    /// Outputs by name.
    pub outputs: IndexMap<Name, Port>,
}

/// One output.
#[derive(Debug, Clone)]
pub struct Port {
    /// Its type.
    pub ty: Type,
    /// What it is, for the catalogue.
    pub doc: &'static str,
}

impl Ports {
    /// No outputs.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds an output. `name` must be a valid [`Name`]; one that is not is left out, which the
    /// conformance suite catches.
    pub fn output(mut self, name: &str, ty: Type, doc: &'static str) -> Self {
        if let Some(name) = Name::new(name) {
            self.outputs.insert(name, Port { ty, doc });
        }
        self
    }

    /// The only output that is a table, if there is just one.
    pub fn only_table(&self) -> Option<(&Name, &Type)> {
        let mut tables = self.outputs.iter().filter(|(_, port)| matches!(port.ty.required(), Type::Table(_)));
        let (name, port) = tables.next()?;
        tables.next().is_none().then_some((name, &port.ty))
    }
}
