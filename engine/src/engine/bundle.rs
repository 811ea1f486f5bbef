//! Frozen bundles back to plans.

use std::{path::Path, sync::Arc};

use crate::{
    diag::{Diagnostic, Severity, Source},
    graph::{Bundle, CheckOptions, Plan, check_text},
    model::Fault,
    step::Registry,
};

/// The plan of a frozen bundle: checked again, files as they were frozen. Where files outside the bundle
/// no longer fit, it is checked without them, and the step that reads such a file tells of it.
pub fn thaw(bundle: &Bundle, registry: &Registry) -> Result<Arc<Plan>, Fault> {
    let source = Source::new(bundle.path.as_str(), bundle.text.as_str());
    let include =
        |path: &str| bundle.file(path).map(str::to_owned).ok_or_else(|| "it is not in the frozen bundle".to_owned());
    let check = |read_files| {
        let options = CheckOptions { read_files, strict: false, include: &include, around: &[] };
        check_text(&source, Path::new(&bundle.base), registry, options)
    };
    let checked = check(true);
    match checked.plan.or_else(|| check(false).plan) {
        Some(plan) => Ok(plan),
        None => Err(refused(bundle, &checked.diagnostics)),
    }
}

/// The plan of a sub-pipeline of a frozen bundle.
pub(super) fn thaw_child(bundle: &Bundle, path: &str, registry: &Registry) -> Result<Arc<Plan>, Fault> {
    let child = bundle.child(path);
    let child = child.ok_or_else(|| Fault::internal("bundle.file", format!("`{path}` is not in the frozen bundle")))?;
    thaw(&child, registry)
}

fn refused(bundle: &Bundle, problems: &[Diagnostic]) -> Fault {
    let first = problems.iter().find(|problem| problem.severity == Severity::Error).or(problems.first());
    let text = first.map_or_else(|| "it cannot be checked".to_owned(), |problem| problem.message.clone());
    Fault::user("bundle.check", format!("the frozen pipeline `{}` no longer passes its check: {text}", bundle.path))
        .help("something outside it changed, such as a file that it reads or the kinds of steps")
}

/// The fault `kind.version`, if a kind is not of the version that the run was frozen with.
pub(super) fn refuse_changed_kinds(bundle: &Bundle, registry: &Registry) -> Result<(), Fault> {
    for (name, frozen) in &bundle.kinds {
        let now = registry.get(name).map(|kind| kind.version());
        if now != Some(*frozen) {
            let now = now.map_or_else(|| "not there".to_owned(), |now| format!("version {now}"));
            let text = format!("the run was frozen with version {frozen} of `{name}`, which is {now} here");
            return Err(Fault::user("kind.version", text)
                .help("resume it with the Millwork that it was started with, or rerun it"));
        }
    }
    Ok(())
}
