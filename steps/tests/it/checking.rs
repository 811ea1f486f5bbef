//! What the tests here share: a full check of a text.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use millwork_engine::{
    diag::Source,
    graph::{CheckOptions, CheckedPipeline, check_text},
    spec::{read_source, shown},
    step::Registry,
};

/// The folder of this crate.
pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads and checks bytes as `millwork check` does.
pub(crate) fn check(name: &str, bytes: &[u8], base: &Path, registry: &Registry) -> CheckedPipeline {
    let include = |path: &str| fs::read_to_string(base.join(path)).map_err(|e| e.to_string());
    let options = CheckOptions { read_files: true, strict: false, include: &include, around: &[] };
    match read_source(name, bytes) {
        Ok(source) => check_text(&source, base, registry, options),
        Err(problem) => {
            let source = shown(name, bytes);
            CheckedPipeline { source, plan: None, diagnostics: vec![*problem], looked: false, untyped: Vec::new() }
        }
    }
}

/// One line a problem: place, code, message; under it what to write.
pub(crate) fn listing(checked: &CheckedPipeline) -> String {
    let mut out = String::new();
    for problem in &checked.diagnostics {
        let at = place(&checked.source, problem.primary.span.start);
        let _ = writeln!(out, "{at} {} {}", problem.code, problem.message);
        if let Some(suggestion) = &problem.suggestion {
            let _ = writeln!(out, "    write: {}", suggestion.replacement);
        }
        if let Some(help) = &problem.help {
            let _ = writeln!(out, "    help: {help}");
        }
    }
    out
}

fn place(source: &Source, at: u32) -> String {
    let at = source.position(at);
    format!("{}:{}", at.line, at.column)
}

/// Every YAML file right in a folder, in order.
pub(crate) fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}
