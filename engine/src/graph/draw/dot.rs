use std::collections::BTreeMap;

use petgraph::visit::EdgeRef;

use super::{COLOURS, kind_of, section_name};
use crate::{
    graph::{Edge, Plan, Section},
    model::{Name, StepStatus},
};

pub(super) fn draw(plan: &Plan, status: &BTreeMap<Name, StepStatus>) -> String {
    let title = quoted(&plan.spec.name.value);
    let mut out =
        format!("digraph {title} {{\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white];\n");
    for section in [Section::Main, Section::OnFailure, Section::Finally] {
        let mut nodes = plan.nodes.iter().filter(|node| node.section == section).peekable();
        if nodes.peek().is_none() {
            continue;
        }
        let name = section_name(section);
        let indent = if section == Section::Main { "  " } else { "    " };
        if section != Section::Main {
            out.push_str(&format!("  subgraph cluster_{name} {{\n    label={name};\n"));
        }
        for node in nodes {
            let colour = COLOURS.iter().find(|(s, _)| status.get(&node.id) == Some(s)).map(|(_, colour)| *colour);
            let fill = colour.map_or_else(String::new, |colour| format!(", fillcolor=\"{colour}\""));
            // `\n` is Graphviz's own line break, so it is written after quoting.
            let label = format!("{}\\n{}", node.id, kind_of(node));
            out.push_str(&format!("{indent}{} [label=\"{label}\"{fill}];\n", quoted(node.id.as_str())));
        }
        if section != Section::Main {
            out.push_str("  }\n");
        }
    }
    for edge in plan.graph.edge_references() {
        let (from, to) = (&plan.nodes[edge.source().index()].id, &plan.nodes[edge.target().index()].id);
        let style = if *edge.weight() == Edge::Order { " [style=dashed]" } else { "" };
        out.push_str(&format!("  {} -> {}{style};\n", quoted(from.as_str()), quoted(to.as_str())));
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
