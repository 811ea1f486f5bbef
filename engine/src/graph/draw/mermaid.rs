use std::collections::BTreeMap;

use petgraph::visit::EdgeRef;

use super::{COLOURS, kind_of, section_name, word};
use crate::{
    graph::{Edge, Plan, Section},
    model::{Name, StepStatus},
};

pub(super) fn draw(plan: &Plan, status: &BTreeMap<Name, StepStatus>) -> String {
    let mut out = "flowchart LR\n".to_owned();
    for section in [Section::Main, Section::OnFailure, Section::Finally] {
        let mut nodes = plan.nodes.iter().filter(|node| node.section == section).peekable();
        if nodes.peek().is_none() {
            continue;
        }
        if section != Section::Main {
            out.push_str(&format!("  subgraph {}\n", section_name(section)));
        }
        for node in nodes {
            // Ids get a prefix: `end` and others are words of Mermaid.
            let class = status.get(&node.id).map_or_else(String::new, |status| format!(":::{}", word(*status)));
            out.push_str(&format!("  n{}[\"{}<br/><small>{}</small>\"]{class}\n", node.ix.0, node.id, kind_of(node)));
        }
        if section != Section::Main {
            out.push_str("  end\n");
        }
    }
    for edge in plan.graph.edge_references() {
        let arrow = if *edge.weight() == Edge::Order { "-.->" } else { "-->" };
        out.push_str(&format!("  n{} {arrow} n{}\n", edge.source().index(), edge.target().index()));
    }
    if !status.is_empty() {
        for (status, colour) in COLOURS {
            out.push_str(&format!("  classDef {} fill:{colour},color:#222\n", word(status)));
        }
    }
    out
}
