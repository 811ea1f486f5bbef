use std::collections::BTreeMap;

use petgraph::visit::EdgeRef;

use super::{kind_of, layers::layers, section_name, word};
use crate::{
    graph::{Edge, Plan, Section},
    model::{Name, StepStatus},
};

const BOX_HEIGHT: usize = 44;
const GAP_X: usize = 64;
const GAP_Y: usize = 18;
const MARGIN: usize = 24;
/// Width of a character of the larger text, in tenths of a pixel.
const CHARACTER: usize = 78;

const STYLE: &str = "
  svg { --paper: #ffffff; --ink: #1f2933; --faint: #6b7785; --line: #9aa5b1; --fill: #f5f7fa; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #14181d; --ink: #e4e9ee; --faint: #98a4b0; --line: #5b6875; --fill: #1f262e; }
  }
  .paper { fill: var(--paper); } text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: var(--ink); }
  .kind { font-size: 11px; fill: var(--faint); } .title { font-weight: 600; }
  rect.step { fill: var(--fill); stroke: var(--line); stroke-width: 1.2; }
  path { fill: none; stroke: var(--line); stroke-width: 1.4; } path.order { stroke-dasharray: 5 4; }
  marker path { fill: var(--line); stroke: none; }
  .running rect { stroke: #2f7fd6; stroke-width: 2.4; } .succeeded rect { stroke: #2e9e4f; stroke-width: 2.4; }
  .failed rect { stroke: #d64545; stroke-width: 2.4; } .waiting rect { stroke: #c98a13; stroke-width: 2.4; }
  .ready rect { stroke: #6f9fd8; } .cancelled rect { stroke: #9b5fb0; stroke-width: 2.4; }
  .skipped { opacity: .55; } .skipped rect { stroke-dasharray: 4 3; }
";

/// Columns from left to right, one a layer.
pub(super) fn draw(plan: &Plan, status: &BTreeMap<Name, StepStatus>) -> String {
    let columns = layers(plan);
    let width_of = |text: &str| text.chars().count() * CHARACTER / 10 + 24;
    let mut at = vec![(0, 0, 0); plan.nodes.len()];
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let full = tallest * (BOX_HEIGHT + GAP_Y);
    let (mut x, top) = (MARGIN, MARGIN + 24);
    for column in &columns {
        let widths = column
            .iter()
            .map(|i| width_of(plan.nodes[*i].id.as_str()).max(width_of(&kind_of(&plan.nodes[*i])) * 6 / 7));
        let width = widths.max().unwrap_or(0).max(90);
        let begin = top + (full - column.len() * (BOX_HEIGHT + GAP_Y)) / 2;
        for (row, i) in column.iter().enumerate() {
            at[*i] = (x, begin + row * (BOX_HEIGHT + GAP_Y), width);
        }
        x += width + GAP_X;
    }
    let title = escape(&plan.spec.name.value);
    let width = (x.saturating_sub(GAP_X) + MARGIN).max(width_of(&title) + 2 * MARGIN);
    let height = top + full + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" \
         refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\"/></marker></defs>\n\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n<text class=\"title\" x=\"{MARGIN}\" y=\"{MARGIN}\">{title}</text>\n"
    );
    for edge in plan.graph.edge_references() {
        let (x1, y1, w1) = at[edge.source().index()];
        let (x2, y2, _) = at[edge.target().index()];
        let (x1, y1, y2) = (x1 + w1, y1 + BOX_HEIGHT / 2, y2 + BOX_HEIGHT / 2);
        let bend = x1.midpoint(x2);
        let class = if *edge.weight() == Edge::Order { " class=\"order\"" } else { "" };
        out.push_str(&format!(
            "<path{class} marker-end=\"url(#tip)\" d=\"M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}\"/>\n"
        ));
    }
    for (node, (x, y, width)) in plan.nodes.iter().zip(&at) {
        let class = status.get(&node.id).map_or("", |status| word(*status));
        let section =
            if node.section == Section::Main { String::new() } else { format!(" ({})", section_name(node.section)) };
        let kind = escape(&format!("{}{section}", kind_of(node)));
        let middle = x + width / 2;
        out.push_str(&format!(
            "<g class=\"{class}\"><title>{id}: {kind}</title><rect class=\"step\" x=\"{x}\" y=\"{y}\" width=\"{width}\" \
             height=\"{BOX_HEIGHT}\" rx=\"7\"/><text text-anchor=\"middle\" x=\"{middle}\" y=\"{}\">{id}</text>\
             <text class=\"kind\" text-anchor=\"middle\" x=\"{middle}\" y=\"{}\">{kind}</text></g>\n",
            y + 19,
            y + 35,
            id = node.id,
        ));
    }
    out.push_str("</svg>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
