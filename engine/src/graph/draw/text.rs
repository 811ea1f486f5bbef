use std::collections::BTreeMap;

use petgraph::Direction;

use super::{kind_of, layers::layers, section_name, word};
use crate::{
    graph::{Plan, Section},
    model::{Name, StepStatus},
};

/// One line a step, in layers; what it needs behind an arrow.
pub(super) fn draw(plan: &Plan, status: &BTreeMap<Name, StepStatus>) -> String {
    let width = plan.nodes.iter().map(|node| node.id.as_str().len()).max().unwrap_or(0);
    let kinds = plan.nodes.iter().map(|node| kind_of(node).len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut section = Section::Main;
    for (depth, row) in layers(plan).iter().enumerate() {
        for (i, at) in row.iter().enumerate() {
            let node = &plan.nodes[*at];
            if node.section != section {
                section = node.section;
                out.push_str(&format!("{}:\n", section_name(section)));
            }
            let mut needs: Vec<usize> =
                plan.graph.neighbors_directed((*at as u32).into(), Direction::Incoming).map(|n| n.index()).collect();
            needs.sort_unstable();
            let needs = needs.iter().map(|n| plan.nodes[*n].id.as_str()).collect::<Vec<_>>().join(", ");
            let mark = if i == 0 { format!("{:>3}", depth + 1) } else { "   ".to_owned() };
            let mut line = format!("{mark}  {:width$}  {:kinds$}", node.id.as_str(), kind_of(node));
            if let Some(status) = status.get(&node.id) {
                line.push_str(&format!("  {:9}", word(*status)));
            }
            if !needs.is_empty() {
                line.push_str(&format!("  <- {needs}"));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}
