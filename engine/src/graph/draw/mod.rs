//! A plan as a picture: text, DOT, Mermaid or SVG.

mod dot;
mod layers;
mod mermaid;
mod svg;
mod text;

use std::collections::BTreeMap;

use super::{Plan, PlanNode, Section, Work};
use crate::model::{Name, StepStatus};

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// Lines for a terminal.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid, as Markdown viewers know it.
    Mermaid,
    /// A self-contained picture that follows the viewer's light or dark scheme.
    Svg,
}

/// Draws a plan; steps whose status is given are coloured by it.
pub fn draw(plan: &Plan, form: Drawing, status: &BTreeMap<Name, StepStatus>) -> String {
    match form {
        Drawing::Text => text::draw(plan, status),
        Drawing::Dot => dot::draw(plan, status),
        Drawing::Mermaid => mermaid::draw(plan, status),
        Drawing::Svg => svg::draw(plan, status),
    }
}

fn kind_of(node: &PlanNode) -> String {
    let what = match &node.work {
        Work::Kind { kind, .. } => kind.name().to_owned(),
        Work::Body { nodes, .. } => format!("{} steps", nodes.len()),
    };
    if node.spec.for_each.is_some() {
        format!("{what}, for each")
    } else if node.spec.repeat.is_some() {
        format!("{what}, repeated")
    } else {
        what
    }
}

fn section_name(section: Section) -> &'static str {
    match section {
        Section::Main => "steps",
        Section::OnFailure => "on_failure",
        Section::Finally => "finally",
    }
}

/// The status as a word, which is also a class in pictures.
fn word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "pending",
        StepStatus::Ready => "ready",
        StepStatus::Running => "running",
        StepStatus::Waiting => "waiting",
        StepStatus::Succeeded => "succeeded",
        StepStatus::Failed => "failed",
        StepStatus::Skipped => "skipped",
        StepStatus::Cancelled => "cancelled",
    }
}

/// Fill colours for formats without style sheets.
const COLOURS: [(StepStatus, &str); 8] = [
    (StepStatus::Pending, "#eceff4"),
    (StepStatus::Ready, "#dbe7f5"),
    (StepStatus::Running, "#b9d7f7"),
    (StepStatus::Waiting, "#f7e6b4"),
    (StepStatus::Succeeded, "#c9e8cc"),
    (StepStatus::Failed, "#f5c6c6"),
    (StepStatus::Skipped, "#e4e4e4"),
    (StepStatus::Cancelled, "#e6d3ea"),
];
