use std::path::PathBuf;

use millwork_engine::{
    diag::Severity,
    graph::{CheckedPipeline, triggers_across},
    model::Fault,
    spec::{self, PipelineSpec},
};
use serde_json::json;

use crate::cli::{
    Exit,
    args::CheckFormat,
    load,
    output::{Output, Tone},
    workspace::Workspace,
};

/// Every problem of every pipeline.
pub(super) fn check(
    output: &Output,
    paths: &[PathBuf],
    strict: bool,
    read_files: bool,
    format: CheckFormat,
) -> Result<Exit, Fault> {
    let registry = millwork_steps::registry();
    let files = load::files_of(paths)?;
    if files.is_empty() {
        return Err(
            Fault::user("pipeline.missing", "there is no pipeline here").help("`millwork init` writes a first one")
        );
    }
    let mut all = Vec::new();
    for file in &files {
        all.push(load::check(file, &registry, read_files, strict, &Workspace::of_file(output, file)?)?);
    }
    // A file alone says nothing about the others.
    if paths.iter().any(|path| path.is_dir()) {
        look_across(&mut all);
    }
    let mut bad = false;
    for (file, checked) in files.iter().zip(&all) {
        let error = checked.diagnostics.iter().any(|problem| strict || problem.severity == Severity::Error);
        bad |= error;
        match format {
            CheckFormat::Text => {
                load::show(output, checked);
                untyped(output, checked);
                if checked.diagnostics.is_empty() {
                    let steps = checked.plan.as_ref().map_or(0, |plan| plan.nodes.len());
                    let good = output.paint(Tone::Good, "ok");
                    output.say(format!("{good} {} ({})", file.display(), load::plural(steps, "step")));
                }
            }
            CheckFormat::Short => {
                for problem in &checked.diagnostics {
                    output.result(problem.one_line(&checked.source));
                }
            }
            CheckFormat::Json => json_lines(output, checked),
        }
    }
    Ok(if bad { Exit::Problems } else { Exit::Ok })
}

/// Adds what is odd about how pipelines start one another.
fn look_across(all: &mut [CheckedPipeline]) {
    let ready: Vec<usize> = (0..all.len()).filter(|at| all[*at].plan.is_some()).collect();
    let broken = all.iter().filter(|checked| checked.plan.is_none());
    let broken: Vec<String> = broken
        .filter_map(|checked| spec::read_pipeline(&checked.source).value)
        .map(|pipeline| pipeline.name.value.clone())
        .collect();
    let specs: Vec<&PipelineSpec> = all.iter().filter_map(|checked| Some(&*checked.plan.as_ref()?.spec)).collect();
    for (at, problem) in triggers_across(&specs, |name| broken.iter().any(|broken| broken == name)) {
        if let Some(checked) = ready.get(at).and_then(|at| all.get_mut(*at)) {
            checked.diagnostics.push(problem);
        }
    }
}

fn untyped(output: &Output, checked: &CheckedPipeline) {
    for (span, what) in &checked.untyped {
        let at = checked.source.position(span.start);
        let note = output.paint(Tone::Dim, "any");
        output.say(format!("{note} {}:{}:{}: {what}", checked.source.name(), at.line, at.column));
    }
}

fn json_lines(output: &Output, checked: &CheckedPipeline) {
    let source = &checked.source;
    let place = |span: millwork_engine::diag::Span| {
        let (start, end) = (source.position(span.start), source.position(span.end));
        json!({"line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column})
    };
    for problem in &checked.diagnostics {
        let secondary = problem.secondary.iter().map(|label| json!({"at": place(label.span), "text": label.text}));
        let suggestion = problem
            .suggestion
            .as_ref()
            .map(|suggestion| json!({"at": place(suggestion.span), "replacement": suggestion.replacement}));
        output.json(&json!({
            "file": source.name(),
            "code": problem.code.as_str(),
            "severity": problem.severity,
            "message": problem.message,
            "at": place(problem.primary.span),
            "label": problem.primary.text,
            "also": secondary.collect::<Vec<_>>(),
            "help": problem.help,
            "suggestion": suggestion,
        }));
    }
}
