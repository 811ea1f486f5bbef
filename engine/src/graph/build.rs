use std::collections::BTreeMap;

use indexmap::IndexMap;
use petgraph::graph::DiGraph;

use super::{
    Edge, Form, NodeShape, PlanNode, Section, Shape, Work,
    draft::{Draft, Outputs},
};
use crate::{
    data::Type,
    model::{Digest, Name, NodeIx},
    spec::{Persist, PipelineSpec},
};

/// Attempts and items of a run at once, where the pipeline does not say.
const MAX_PARALLEL: u32 = 64;

/// The graph over the steps: an edge from what is needed to what needs it.
pub(super) fn graph(drafts: &[Draft]) -> DiGraph<NodeIx, Edge> {
    let edges = drafts.iter().map(|draft| draft.needs.len()).sum();
    let mut graph = DiGraph::with_capacity(drafts.len(), edges);
    let nodes: Vec<_> = (0..drafts.len()).map(|at| graph.add_node(NodeIx(at as u32))).collect();
    for (at, draft) in drafts.iter().enumerate() {
        for (needed, need) in &draft.needs {
            graph.add_edge(nodes[*needed], nodes[at], need.edge);
        }
    }
    graph
}

/// What the run machine needs.
pub(super) fn shape(spec: &PipelineSpec, drafts: &[Draft], order: &[usize]) -> Shape {
    let priorities = super::priority::longest(drafts, order);
    let nodes = drafts.iter().zip(priorities).map(|(draft, priority)| node_shape(draft, priority));
    Shape {
        has_outputs: !spec.outputs.is_empty(),
        nodes: nodes.collect(),
        max_parallel: spec.max_parallel.unwrap_or(MAX_PARALLEL).max(1),
        fail_fast: spec.fail_fast,
    }
}

fn node_shape(draft: &Draft, priority: u32) -> NodeShape {
    let spec = &draft.spec;
    let form = match (&spec.for_each, &spec.repeat) {
        (Some(each), _) => Form::ForEach { max_parallel: each.max_parallel, min_success: each.min_success },
        (None, Some(repeat)) => Form::Repeat { every: repeat.every, max: repeat.max },
        (None, None) => Form::Single,
    };
    NodeShape {
        id: spec.id.value.clone(),
        section: draft.section,
        needs: draft.needs.keys().map(|needed| NodeIx(*needed as u32)).collect(),
        has_condition: spec.condition.is_some() && !draft.per_item,
        handles_failure: draft.handles_failure,
        form,
        effect: draft.effect,
        retry: spec.retry.clone(),
        timeout: spec.timeout,
        deadline: spec.deadline,
        continue_on_error: spec.continue_on_error,
        recomputable: spec.persist == Persist::Never,
        priority,
    }
}

/// The nodes of the plan; `None` if a step is broken, which a diagnostic has said.
pub(super) fn nodes(drafts: Vec<Draft>, prints: &[Digest]) -> Option<Vec<PlanNode>> {
    drafts.into_iter().enumerate().map(|(at, draft)| node(at, draft, prints.get(at).copied())).collect()
}

fn node(at: usize, draft: Draft, print: Option<Digest>) -> Option<PlanNode> {
    let fingerprint = print.unwrap_or_else(|| super::fingerprint::fingerprint(&draft, &[], &BTreeMap::new()));
    let outputs = as_seen(&draft)?;
    let mut reads = draft.all_reads;
    // Items are loaded for once, before the steps of the body run.
    reads.extend(draft.body.iter().flat_map(|step| step.all_reads.iter().cloned()));
    let work = if draft.body.is_empty() {
        Work::Kind { kind: draft.kind?, config: draft.config?, reads: draft.reads, ports: draft.ports }
    } else {
        let nodes = draft.body.into_iter().enumerate().map(|(i, step)| node(i, step, None));
        Work::Body { nodes: nodes.collect::<Option<_>>()?, order: draft.order }
    };
    Some(PlanNode {
        ix: NodeIx(at as u32),
        id: draft.spec.id.value.clone(),
        section: draft.section,
        spec: draft.spec,
        work,
        outputs,
        effect: draft.effect,
        permissions: draft.permissions,
        reads: reads.into_iter().collect(),
        tables: draft.tables,
        fingerprint,
    })
}

fn as_seen(draft: &Draft) -> Option<IndexMap<Name, Type>> {
    let Outputs::Known(outputs) = &draft.outputs else { return None };
    let may_miss = (draft.spec.condition.is_some() && !draft.per_item) || draft.spec.continue_on_error;
    let outputs =
        outputs.iter().map(|(name, ty)| (name.clone(), if may_miss { ty.clone().optional() } else { ty.clone() }));
    Some(outputs.collect())
}

/// The sections in order, with their steps.
pub(super) fn sections(spec: &PipelineSpec) -> impl Iterator<Item = (Section, &crate::spec::StepSpec)> {
    let main = spec.steps.iter().map(|step| (Section::Main, step));
    let failure = spec.on_failure.iter().map(|step| (Section::OnFailure, step));
    main.chain(failure).chain(spec.finally.iter().map(|step| (Section::Finally, step)))
}
