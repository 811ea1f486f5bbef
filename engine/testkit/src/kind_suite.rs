//! What every kind of step must do, whatever it is. A family's tests run [`run_all`] on their registry.

use std::{fs, path::Path};

use millwork_engine::{
    diag::Source,
    graph::{CheckOptions, CheckedPipeline, check_text},
    model::Name,
    step::{ErasedKind, Registry},
};

/// Every rule for every kind of a registry. Examples are checked as if they lay in `base`.
///
/// # Panics
///
/// If a kind breaks a rule; the message names both.
pub fn run_all(registry: &Registry, base: &Path) {
    for kind in registry.kinds().map(|kind| &**kind) {
        describes_itself(kind);
        its_example_checks_clean(registry, kind, base);
        names_what_is_wrong_where_it_stands(registry, kind, base);
        checks_alike_without_files(registry, kind, base);
    }
}

/// Name, version, a summary of one sentence, a schema whose every field says what it is.
pub fn describes_itself(kind: &dyn ErasedKind) {
    let name = kind.name();
    assert!(name.split('.').all(|part| Name::new(part).is_some()), "{name} is no name");
    assert!(kind.version() >= 1, "{name}: versions begin at 1");
    let summary = kind.summary();
    assert!(summary.ends_with('.') && summary.len() < 120 && !summary.contains('\n'), "{name}: {summary}");
    let schema = kind.schema();
    let schema = schema.as_value();
    assert_eq!(schema["type"], "object", "{name}");
    let fields = schema["properties"].as_object().unwrap_or_else(|| panic!("{name} has no fields"));
    for (field, about) in fields {
        let about = about["description"].as_str().unwrap_or_default();
        assert!(!about.is_empty(), "{name}: the field `{field}` says nothing of itself");
    }
}

/// The example uses the kind, and `check` finds nothing in it.
pub fn its_example_checks_clean(registry: &Registry, kind: &dyn ErasedKind, base: &Path) {
    let checked = check(registry, kind.example(), base, true);
    assert!(checked.diagnostics.is_empty(), "{}:\n{}", kind.name(), listing(&checked));
    let plan = checked.plan.unwrap_or_else(|| panic!("the example of {} has no plan", kind.name()));
    let used = plan.nodes.iter().any(|node| node.spec.uses.as_ref().is_some_and(|uses| uses.value == kind.name()));
    assert!(used, "the example of {} does not use it", kind.name());
}

/// A mistake in `with:` is found by each kind at its own line and column; a missing `with:` at the step.
pub fn names_what_is_wrong_where_it_stands(registry: &Registry, kind: &dyn ErasedKind, base: &Path) {
    let name = kind.name();
    for (with, wanted) in [("{zzz_nothing: 1}", "6:12 P0004 "), ("[1]", "6:11 P0006 "), ("text", "6:11 P0006 ")] {
        let text = format!("version: 1\nname: p\nsteps:\n  - id: a\n    uses: {name}\n    with: {with}\n");
        let found = listing(&check(registry, &text, base, true));
        assert!(found.lines().any(|line| line.starts_with(wanted)), "{name} with {with}:\n{found}");
    }
    let text = format!("version: 1\nname: p\nsteps:\n  - id: a\n    uses: {name}\n");
    let checked = check(registry, &text, base, true);
    for problem in &checked.diagnostics {
        let line = checked.source.position(problem.primary.span.start).line;
        assert!((4..=5).contains(&line), "{name}: {} at line {line}", problem.message);
    }
}

/// A check that may not look at files (as of a pipeline that was frozen) refuses nothing that it would pass with them.
pub fn checks_alike_without_files(registry: &Registry, kind: &dyn ErasedKind, base: &Path) {
    let checked = check(registry, kind.example(), base, false);
    assert!(checked.diagnostics.is_empty(), "{} without files:\n{}", kind.name(), listing(&checked));
}

fn check(registry: &Registry, text: &str, base: &Path, read_files: bool) -> CheckedPipeline {
    let include = |path: &str| fs::read_to_string(base.join(path)).map_err(|e| e.to_string());
    let options = CheckOptions { read_files, strict: false, include: &include, around: &[] };
    check_text(&Source::new("example.yaml", text), base, registry, options)
}

fn listing(checked: &CheckedPipeline) -> String {
    let lines = checked.diagnostics.iter().map(|problem| {
        let at = checked.source.position(problem.primary.span.start);
        format!("{}:{} {} {}\n", at.line, at.column, problem.code, problem.message)
    });
    lines.collect()
}
