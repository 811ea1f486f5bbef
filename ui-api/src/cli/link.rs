//! The calls into the engine's front half: reading, checking, formatting, drawing.

use std::{collections::BTreeMap, path::Path};

use millwork_engine::{
    diag::{Diagnostic, Severity, Source, Span},
    graph::{self, CheckOptions, CheckedPipeline, Drawing, Plan},
    model::{Fault, Name, StepStatus},
    spec,
    step::Registry,
};
use serde_json::Value as Json;

use super::{
    args::GraphFormat,
    output::{Output, Tone},
};

/// Reads and checks a text.
pub(super) fn check(
    name: &str,
    bytes: &[u8],
    base: &Path,
    registry: &Registry,
    read_files: bool,
    strict: bool,
) -> CheckedPipeline {
    let source = match spec::read_source(name, bytes) {
        Ok(source) => source,
        Err(problem) => return broken(spec::shown(name, bytes), vec![*problem]),
    };
    let read = spec::read_pipeline(&source);
    let Some(pipeline) = read.value else { return broken(source, read.diagnostics) };
    let include = |path: &str| std::fs::read_to_string(base.join(path)).map_err(|e| e.to_string());
    let parse = |source: &Source| {
        let read = spec::read_pipeline(source);
        if read.has_errors() { Err(read.diagnostics) } else { read.value.ok_or_else(Vec::new) }
    };
    let options = CheckOptions { read_files, strict, include: &include, parse: &parse, around: &[] };
    let mut checked = graph::check(&source, pipeline, base, registry, options);
    if read.diagnostics.iter().any(|problem| problem.severity == Severity::Error) {
        checked.plan = None;
    }
    checked.diagnostics.extend(read.diagnostics);
    checked.diagnostics.sort_by_key(|problem| (problem.primary.span, problem.code));
    checked.diagnostics.dedup();
    checked
}

fn broken(source: Source, diagnostics: Vec<Diagnostic>) -> CheckedPipeline {
    CheckedPipeline { source, plan: None, diagnostics, untyped: Vec::new() }
}

/// Problems with the lines of the file: head, place, the line, what is marked in it, help.
pub(super) fn render(source: &Source, problems: &[Diagnostic], output: &Output) -> String {
    let shown = problems.iter().map(|problem| {
        let (tone, word) = match problem.severity {
            Severity::Error => (Tone::Bad, "error"),
            Severity::Warning => (Tone::Warn, "warning"),
        };
        let head = output.paint(tone, format!("{word}[{}]", problem.code));
        let mut text = format!("{head}: {}\n", problem.message);
        text.push_str(&marked(source, problem.primary.span, &problem.primary.text, output));
        for label in &problem.secondary {
            text.push_str(&marked(source, label.span, &label.text, output));
        }
        if let Some(suggestion) = &problem.suggestion {
            text.push_str(&format!("  did you mean `{}`?\n", suggestion.replacement));
        }
        if let Some(help) = &problem.help {
            text.push_str(&format!("  help: {help}\n"));
        }
        text
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// One line of the file with a place underlined.
fn marked(source: &Source, span: Span, words: &str, output: &Output) -> String {
    let at = source.position(span.start);
    let line: String = source.text().lines().nth(at.line - 1).unwrap_or_default().replace('\t', " ");
    let inside = source.slice(span);
    let marks = inside.lines().next().unwrap_or_default().chars().count().max(1);
    let number = at.line.to_string();
    let room = output.width().saturating_sub(number.len() + 5).max(20);
    // A line longer than the terminal is shown from a little before the place.
    let skip = if at.column + marks > room { at.column.saturating_sub(room / 3) } else { 0 };
    let shown: String = line.chars().skip(skip).take(room).collect();
    let (column, marks) = (at.column - 1 - skip.min(at.column - 1), marks.min(room));
    let gap = " ".repeat(number.len());
    let under = output.paint(Tone::Bad, "^".repeat(marks));
    let words = if words.is_empty() { String::new() } else { format!(" {words}") };
    let place = format!("{}:{}:{}", source.name(), at.line, at.column);
    format!("{gap} ╭ {place}\n{number} │ {shown}\n{gap} ╰ {}{under}{words}\n", " ".repeat(column))
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
    let form = match format {
        GraphFormat::Text => Drawing::Text,
        GraphFormat::Dot => Drawing::Dot,
        GraphFormat::Mermaid => Drawing::Mermaid,
        GraphFormat::Svg => Drawing::Svg,
    };
    graph::draw(plan, form, status)
}
