//! The calls into the engine's front half: reading, checking, formatting, drawing.

use std::{collections::BTreeMap, path::Path};

use millwork_engine::{
    diag::{self, Diagnostic, Source},
    graph::{self, CheckOptions, CheckedPipeline, Drawing, Plan},
    model::{Name, StepStatus},
    spec,
    step::Registry,
};
use serde_json::Value as Json;

use super::{args::GraphFormat, output::Output, workspace::Workspace};

/// Reads and checks a text.
pub(super) fn check(
    name: &str,
    bytes: &[u8],
    base: &Path,
    registry: &Registry,
    read_files: bool,
    strict: bool,
    workspace: &Workspace,
) -> CheckedPipeline {
    let source = match spec::read_source(name, bytes) {
        Ok(source) => source,
        Err(problem) => return broken(spec::shown(name, bytes), vec![*problem]),
    };
    let include = |path: &str| std::fs::read_to_string(base.join(path)).map_err(|e| e.to_string());
    let options = CheckOptions { read_files, strict, include: &include, around: &[] };
    let mut checked = graph::check_text(&source, base, registry, options);
    workspace.restrict(&mut checked);
    checked.diagnostics.sort_by_key(|problem| (problem.primary.span, problem.code));
    checked.diagnostics.dedup();
    checked
}

fn broken(source: Source, diagnostics: Vec<Diagnostic>) -> CheckedPipeline {
    CheckedPipeline { source, plan: None, diagnostics, looked: false, untyped: Vec::new() }
}

/// Problems with the lines of the file.
pub(super) fn render(source: &Source, problems: &[Diagnostic], output: &Output) -> String {
    diag::render(source, problems, output.width(), output.colour())
}

/// The standard form of a text.
pub(super) fn format(source: &Source) -> Result<String, Vec<Diagnostic>> {
    spec::format(source)
}

/// The JSON Schema of pipelines.
pub(super) fn schema(registry: &Registry) -> Json {
    let kinds: Vec<_> = registry.kinds().map(|kind| (kind.name(), kind.summary(), kind.schema())).collect();
    spec::json_schema(&kinds)
}

/// A picture of a plan.
pub(super) fn draw(plan: &Plan, format: GraphFormat, status: &BTreeMap<Name, StepStatus>) -> String {
    let form = match format {
        GraphFormat::Text => Drawing::Text,
        GraphFormat::Dot => Drawing::Dot,
        GraphFormat::Mermaid => Drawing::Mermaid,
        GraphFormat::Svg => Drawing::Svg,
    };
    graph::draw(plan, form, status)
}
