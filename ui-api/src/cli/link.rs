//! The calls into the engine's front half: reading, checking, formatting, drawing.

use std::{collections::BTreeMap, path::Path};

use millwork_engine::{
    diag::{Diagnostic, Source},
    graph::{CheckedPipeline, Plan},
    model::{Fault, Name, StepStatus},
    step::Registry,
};
use serde_json::Value as Json;

use super::args::GraphFormat;

/// Reads and checks a text.
pub(super) fn check(
    name: &str,
    bytes: &[u8],
    base: &Path,
    registry: &Registry,
    read_files: bool,
    strict: bool,
) -> CheckedPipeline {
    let _ = (base, registry, read_files, strict);
    let source = Source::new(name, String::from_utf8_lossy(bytes).into_owned());
    CheckedPipeline { source, plan: None, diagnostics: Vec::new(), untyped: Vec::new() }
}

/// Problems with the lines of the file.
pub(super) fn render(source: &Source, problems: &[Diagnostic], width: usize, colour: bool) -> String {
    let _ = (width, colour);
    problems.iter().map(|problem| problem.one_line(source)).collect::<Vec<_>>().join("\n")
}

/// The standard form of a text.
pub(super) fn format(source: &Source) -> Result<String, Vec<Diagnostic>> {
    Ok(source.text().to_owned())
}

/// The JSON Schema of pipelines.
pub(super) fn schema(registry: &Registry) -> Result<Json, Fault> {
    let _ = registry;
    Err(Fault::internal("cli.link", "the schema is not linked in"))
}

/// A picture of a plan.
pub(super) fn draw(plan: &Plan, format: GraphFormat, status: &BTreeMap<Name, StepStatus>) -> String {
    let _ = (plan, format, status);
    String::new()
}
