use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use petgraph::graph::DiGraph;

use super::{Bundle, Section, Shape};
use crate::{
    data::Type,
    diag::{Diagnostic, Source},
    expr::Root,
    model::{Digest, Name, NodeIx},
    spec::{Grants, PipelineSpec, StepSpec},
    step::{Effect, ErasedKind, ParsedConfig, Ports, Read},
};

/// A checked pipeline: what can be run.
#[derive(Debug)]
pub struct Plan {
    /// The pipeline as read.
    pub spec: Arc<PipelineSpec>,
    /// The folder that relative paths start from.
    pub base: PathBuf,
    /// The frozen bundle.
    pub bundle: Bundle,
    /// Its digest.
    pub revision: Digest,
    /// Steps of every section, by [`NodeIx`]: `steps`, then `on_failure`, then `finally`, each in the
    /// order of the file.
    pub nodes: Vec<PlanNode>,
    /// The graph over them: an edge from what is needed to what needs it. Node weights are indexes
    /// into `nodes`; petgraph's own indexes are the same numbers.
    pub graph: DiGraph<NodeIx, Edge>,
    /// What the run machine needs.
    pub shape: Arc<Shape>,
    /// Types of the pipeline's outputs.
    pub outputs: IndexMap<Name, Type>,
    /// Names of secrets that may be opened.
    pub secrets: Vec<String>,
}

/// Why one step needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edge {
    /// It reads an output.
    Data,
    /// `needs`, `order: sequence`, or a status.
    Order,
}

/// One step of a [`Plan`].
pub struct PlanNode {
    /// Its place.
    pub ix: NodeIx,
    /// Its id.
    pub id: Name,
    /// The part of the pipeline it is in.
    pub section: Section,
    /// As written.
    pub spec: Arc<StepSpec>,
    /// What is run.
    pub work: Work,
    /// Outputs as other steps see them: `list<T?>` of items for a fan-out, `T?` where the step may be
    /// skipped or may fail and the run go on.
    pub outputs: IndexMap<Name, Type>,
    /// What an attempt does to the world.
    pub effect: Effect,
    /// What it was granted.
    pub permissions: Arc<Grants>,
    /// Everything it reads from elsewhere: in expressions (`with`, `env`, `if`, `for_each`, ...) and
    /// through its kind. `TableOf` is already resolved to the output it stands for.
    pub reads: Vec<Root>,
    /// For each `TableOf(step)` that its kind reads: the name of the output.
    pub tables: BTreeMap<Name, Name>,
    /// Digest of kind, version, configuration as written, and the fingerprints of what it needs: equal
    /// for equal work. Values of inputs are not in it.
    pub fingerprint: Digest,
}

/// What a step runs.
pub enum Work {
    /// One kind.
    Kind {
        /// The kind.
        kind: Arc<dyn ErasedKind>,
        /// Its configuration.
        config: ParsedConfig,
        /// Its own reads, as the kind gave them.
        reads: Vec<Read>,
        /// Its outputs, for one attempt (one item of a fan-out).
        ports: Ports,
    },
    /// A body of several steps, run in the order of `order` within one item.
    Body {
        /// The steps; their `ix` count within the body.
        nodes: Vec<PlanNode>,
        /// A topological order of them.
        order: Vec<usize>,
    },
}

/// What a check found: a plan unless there is an error.
#[derive(Debug)]
pub struct CheckedPipeline {
    /// The text.
    pub source: Source,
    /// The plan, where no diagnostic is an error.
    pub plan: Option<Arc<Plan>>,
    /// Every problem, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether files were looked at that the pipeline's steps read: when those change, it may be another one.
    pub looked: bool,
    /// With `strict`: places whose type is `any`, as (span, what).
    pub untyped: Vec<(crate::diag::Span, String)>,
}

impl Plan {
    /// The step of an id.
    pub fn node(&self, id: &str) -> Option<&PlanNode> {
        self.nodes.iter().find(|node| node.id.as_str() == id)
    }
}

impl std::fmt::Debug for PlanNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanNode").field("ix", &self.ix).field("id", &self.id).finish_non_exhaustive()
    }
}
