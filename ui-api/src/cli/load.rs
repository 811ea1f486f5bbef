//! From paths to checked pipelines.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use millwork_engine::{
    diag::{Diagnostic, Source},
    graph::{CheckedPipeline, Plan},
    model::Fault,
    spec,
    step::Registry,
};

use super::{link, output::Output, workspace::Workspace};

/// A path as messages show it: no `./` before it, and no `//` in it.
fn tidy(path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| !matches!(part, std::path::Component::CurDir));
    let tidy: PathBuf = parts.collect();
    if tidy.as_os_str().is_empty() { PathBuf::from(".") } else { tidy }
}

/// The only pipeline under a path: a file, or a folder with `pipeline.yaml`.
pub(super) fn file_of(path: &Path) -> Result<PathBuf, Fault> {
    let path = &tidy(path);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if !path.exists() {
        return Err(Fault::user("pipeline.missing", format!("there is no file {}", path.display())));
    }
    let named = tidy(&path.join("pipeline.yaml"));
    if named.is_file() {
        return Ok(named);
    }
    match files_of(std::slice::from_ref(&path.to_owned()))?.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Fault::user("pipeline.missing", format!("there is no pipeline in {}", path.display()))
            .help("`millwork init` writes a first one")),
        several => {
            let names: Vec<String> = several.iter().map(|file| file.display().to_string()).collect();
            Err(Fault::user("pipeline.several", format!("there are several pipelines in {}", path.display()))
                .help(format!("name one: {}", names.join(", "))))
        }
    }
}

/// Every pipeline under some paths, in order. A YAML file in a folder is one if it has `steps:` at its
/// top level; a file that was named itself always is.
pub(super) fn files_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    for path in paths.iter().map(|path| tidy(path)) {
        if path.is_dir() {
            walk(&path, &mut found);
        } else if path.is_file() {
            found.push(path);
        } else {
            return Err(Fault::user("pipeline.missing", format!("there is no file {}", path.display())));
        }
    }
    let mut found: Vec<PathBuf> = found.iter().map(|path| tidy(path)).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type();
        if hidden(&path) || kind.is_err() {
            continue;
        }
        if kind.is_ok_and(|kind| kind.is_dir()) {
            if !path.ends_with("target") && !path.ends_with("node_modules") {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml") {
            let pipeline = |text: String| text.lines().any(|line| line.starts_with("steps:"));
            if fs::read_to_string(&path).is_ok_and(pipeline) {
                found.push(path);
            }
        }
    }
}

/// Reads and checks a file. `name` in messages is the path as given.
pub(super) fn check(
    file: &Path,
    registry: &Registry,
    read_files: bool,
    strict: bool,
    workspace: &Workspace,
) -> Result<CheckedPipeline, Fault> {
    let bytes = read(file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    Ok(link::check(&file.display().to_string(), &bytes, &base, registry, read_files, strict, workspace))
}

/// A plan, or every problem printed.
pub(super) fn plan(
    output: &Output,
    file: &Path,
    registry: &Registry,
    workspace: &Workspace,
) -> Result<Arc<Plan>, Fault> {
    let checked = check(file, registry, true, false, workspace)?;
    show(output, &checked);
    checked.plan.ok_or_else(|| problems(file))
}

fn problems(file: &Path) -> Fault {
    Fault::user("pipeline.problems", format!("{} has problems, so it was not run", file.display()))
}

/// Prints every problem with its lines, and how many there are.
pub(super) fn show(output: &Output, checked: &CheckedPipeline) {
    if checked.diagnostics.is_empty() {
        return;
    }
    output.say(link::render(&checked.source, &checked.diagnostics, output));
}

pub(super) fn plural(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// The source of a file, for what works on text alone; or what can be shown of it, with the problem.
pub(super) fn source(file: &Path) -> Result<Result<Source, (Source, Diagnostic)>, Fault> {
    let bytes = read(file)?;
    let name = file.display().to_string();
    Ok(spec::read_source(name.as_str(), &bytes).map_err(|problem| (spec::shown(name, &bytes), *problem)))
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(file)
        .map_err(|e| Fault::external("pipeline.unreadable", format!("{} cannot be read: {e}", file.display())))
}
