use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use super::{
    Bundle, CheckOptions, CheckedPipeline, Plan, build, cycles, dead, declared,
    draft::Draft,
    edges, fingerprint, include, lint,
    names::Ids,
    scope::World,
    triggers,
    types::{self, Findings, Typing},
};
use crate::{
    diag::{Severity, Source},
    model::Digest,
    spec::{Grants, PipelineSpec, read_pipeline},
    step::Registry,
};

/// Reads and checks a pipeline: problems of the file and of what it means together, in the order of
/// the file.
pub fn check_text(source: &Source, base: &Path, registry: &Registry, options: CheckOptions<'_>) -> CheckedPipeline {
    let read = read_pipeline(source);
    let broken = read.has_errors();
    let Some(spec) = read.value else {
        let diagnostics = read.diagnostics;
        return CheckedPipeline { source: source.clone(), plan: None, diagnostics, looked: false, untyped: Vec::new() };
    };
    let mut checked = check(source, spec, base, registry, options);
    checked.diagnostics.extend(read.diagnostics);
    checked.diagnostics.sort_by_key(|problem| (problem.primary.span.start, problem.code));
    checked.plan = checked.plan.filter(|_| !broken);
    checked
}

/// Checks a pipeline: every problem at once, and a plan where none is an error.
///
/// `base` is the folder that relative paths start from. Time and memory are linear in steps and
/// references; no network is touched, and files only where `options` allow it.
pub fn check(
    source: &Source,
    mut spec: PipelineSpec,
    base: &Path,
    registry: &Registry,
    options: CheckOptions<'_>,
) -> CheckedPipeline {
    let mut found = Findings::default();
    let problems = &mut found.problems;
    declared::convert_defaults(&mut spec, problems);
    triggers::convert(&mut spec, problems);
    let grants = Grants::of(&spec.permissions);
    let mut drafts: Vec<Draft> =
        build::sections(&spec).map(|(section, step)| Draft::new(step, section, &grants, registry, problems)).collect();
    let mut includes = include::Includes::new(source, base, registry, options);
    includes.read(&mut drafts, problems);
    let ids = Ids::of(&drafts);
    edges::connect(&mut drafts, &ids, spec.order, problems);
    let order = cycles::order(&drafts, problems);

    let steps = build::sections(&spec).flat_map(|(_, step)| std::iter::once(step).chain(&step.body));
    let states: BTreeSet<&str> = steps.flat_map(|step| step.state.keys().map(|name| name.as_str())).collect();
    let world = World { spec: &spec, ids: &ids, states, suggested: Cell::new(0) };
    declared::check_head(&world, &mut found);
    triggers::check(&world, &mut found);
    let child = |path: &str| includes.child(path);
    let typing = Typing { world: &world, base, read_files: options.read_files, files: &includes.files, child: &child };
    types::type_all(&mut drafts, &order, &typing, &mut found);
    let outputs = declared::type_outputs(&world, &drafts, &mut found);
    declared::check_tests(&world, &drafts, &mut found);
    dead::find(&drafts, &mut found.problems);
    // Advice about order is noise while something is wrong.
    if !found.problems.iter().any(|problem| problem.severity == Severity::Error) {
        lint::unordered(&drafts, &order, spec.order, &mut found.problems);
    }
    lint::unused(&spec, &drafts, &mut found.problems);

    let mut diagnostics = found.problems;
    // The order of the file; of two at one place the one found first.
    diagnostics.sort_by_key(|problem| problem.primary.span);
    diagnostics.dedup();
    let broken = diagnostics.iter().any(|problem| problem.severity == Severity::Error);
    let looked = found.looked || includes.looked();
    let plan = if broken { None } else { assemble(source, spec, base, drafts, &order, outputs, includes) };
    let untyped = if options.strict { found.untyped } else { Vec::new() };
    CheckedPipeline { source: source.clone(), plan: plan.map(Arc::new), diagnostics, looked, untyped }
}

fn assemble(
    source: &Source,
    spec: PipelineSpec,
    base: &Path,
    drafts: Vec<Draft>,
    order: &[usize],
    outputs: indexmap::IndexMap<crate::model::Name, crate::data::Type>,
    includes: include::Includes<'_>,
) -> Option<Plan> {
    let graph = build::graph(&drafts);
    let shape = build::shape(&spec, &drafts, order);
    let mut prints = vec![Digest::from_bytes([0; 32]); drafts.len()];
    for at in order {
        let needed: Vec<Digest> = drafts[*at].needs.keys().map(|needed| prints[*needed]).collect();
        prints[*at] = fingerprint::fingerprint(&drafts[*at], &needed, &includes.files);
    }
    let used = drafts.iter().flat_map(|draft| std::iter::once(draft).chain(&draft.body));
    let own: BTreeMap<String, u32> =
        used.filter_map(|draft| draft.kind.as_ref()).map(|kind| (kind.name().to_owned(), kind.version())).collect();
    let (files, mut kinds) = includes.into_parts();
    kinds.extend(own);
    let bundle = Bundle {
        path: source.name().to_owned(),
        base: base.to_string_lossy().into_owned(),
        text: source.text().to_owned(),
        files,
        kinds,
    };
    let secrets = spec.secrets.iter().map(|secret| secret.value.clone()).collect();
    Some(Plan {
        base: base.to_owned(),
        revision: bundle.revision(),
        bundle,
        nodes: build::nodes(drafts, &prints)?,
        graph,
        shape: Arc::new(shape),
        outputs,
        secrets,
        spec: Arc::new(spec),
    })
}
