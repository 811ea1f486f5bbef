//! Triggers from one pipeline to another: whom they name, and whether they go round in a circle.

use petgraph::{
    algo::astar,
    graph::{DiGraph, NodeIndex},
};

use crate::{
    diag::{Code, Diagnostic, nearest},
    spec::{PipelineSpec, TriggerSpec, UpstreamName, UpstreamStatus, UpstreamTrigger},
};

/// What is odd about the triggers of pipelines that are served together: warnings, each with the place of its pipeline
/// in `specs`. `is_there` says whether there is a pipeline of a name that none of them has.
pub fn triggers_across(specs: &[&PipelineSpec], is_there: impl Fn(&str) -> bool) -> Vec<(usize, Diagnostic)> {
    let graph = starts(specs);
    let mut found = Vec::new();
    for (at, spec) in specs.iter().enumerate() {
        for trigger in &spec.triggers {
            let Some(upstream) = upstream(&trigger.value) else { continue };
            let from = specs.iter().position(|other| other.name.value.as_str() == upstream);
            let problem = match (from, &trigger.value) {
                (None, _) if is_there(upstream) => None,
                (None, _) => {
                    let problem = Diagnostic::new(Code::TriggerUnknown, trigger.span, no_pipeline(upstream));
                    let others = specs.iter().enumerate().filter(|(ix, _)| *ix != at);
                    Some(match nearest(upstream, others.map(|(_, other)| other.name.value.as_str())) {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem.help("it starts nothing until there is one"),
                    })
                }
                (Some(from), TriggerSpec::Content(content)) if !specs[from].outputs.contains_key(&content.output) => {
                    let message = format!("the pipeline `{upstream}` has no output `{}`", content.output);
                    let known: Vec<&str> = specs[from].outputs.keys().map(|name| name.as_str()).collect();
                    let help = if known.is_empty() {
                        "it has no `outputs:`".to_owned()
                    } else {
                        format!("it has {}", known.join(", "))
                    };
                    Some(Diagnostic::new(Code::TriggerUnknown, trigger.span, message).help(help))
                }
                (Some(from), _) => circle(&graph, at, from).map(|path| {
                    let name = |ix: &NodeIndex| specs[ix.index()].name.value.as_str();
                    let path: Vec<&str> = path.iter().chain(path.first()).map(name).collect();
                    let message = format!("pipelines start one another in a circle: {}", path.join(" -> "));
                    Diagnostic::new(Code::TriggerLoop, trigger.span, message)
                        .help("take away one of these triggers, or see to it that the circle comes to an end")
                }),
            };
            found.extend(problem.map(|problem| (at, problem)));
        }
    }
    found
}

fn no_pipeline(name: &str) -> String {
    format!("there is no pipeline `{name}` here")
}

/// The pipeline that a trigger names.
fn upstream(trigger: &TriggerSpec) -> Option<&str> {
    match trigger {
        TriggerSpec::Pipeline(UpstreamTrigger { name: UpstreamName::Named(name), .. }) => Some(name.value.as_str()),
        TriggerSpec::Content(content) => Some(content.pipeline.as_str()),
        TriggerSpec::Pipeline(_)
        | TriggerSpec::Schedule(_)
        | TriggerSpec::Webhook(_)
        | TriggerSpec::File(_)
        | TriggerSpec::Manual => None,
    }
}

fn hears_all(spec: &PipelineSpec) -> bool {
    spec.triggers.iter().any(|trigger| matches!(&trigger.value, TriggerSpec::Pipeline(on) if on.is_about_any()))
}

/// Which pipeline's end starts which. Node weights are unused; indexes are places in `specs`. Who is late is told of
/// once for each time of a schedule, which makes no circle.
fn starts(specs: &[&PipelineSpec]) -> DiGraph<(), ()> {
    let mut graph = DiGraph::new();
    let nodes: Vec<NodeIndex> = specs.iter().map(|_| graph.add_node(())).collect();
    for (spec, node) in specs.iter().zip(&nodes) {
        for trigger in &spec.triggers {
            match &trigger.value {
                TriggerSpec::Pipeline(on) if on.status == UpstreamStatus::Late => {}
                TriggerSpec::Pipeline(on) if on.is_about_any() => {
                    for (_, other) in specs.iter().zip(&nodes).filter(|(other, _)| !hears_all(other)) {
                        graph.update_edge(*other, *node, ());
                    }
                }
                other => {
                    let of = upstream(other);
                    let of = specs.iter().position(|spec| Some(spec.name.value.as_str()) == of);
                    if let Some(of) = of {
                        graph.update_edge(nodes[of], *node, ());
                    }
                }
            }
        }
    }
    graph
}

/// The shortest way from a pipeline back to the one that starts it; the circle is that way and the trigger.
fn circle(graph: &DiGraph<(), ()>, at: usize, from: usize) -> Option<Vec<NodeIndex>> {
    let (at, from) = (NodeIndex::new(at), NodeIndex::new(from));
    graph.find_edge(from, at)?;
    astar(graph, at, |node| node == from, |_| 1_u32, |_| 0).map(|(_, path)| path)
}
