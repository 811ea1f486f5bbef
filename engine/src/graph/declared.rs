use super::{
    Section,
    draft::{Draft, Outputs},
    names::Viewer,
    scope::{PlaceScope, Reader, World},
    types::{Findings, maybe_missing, type_template},
};
use crate::{
    data::{Type, Value},
    diag::{Code, Diagnostic, Span},
    model::Name,
    spec::{Given, PipelineSpec, TestSpec},
    step::{conform, template_of},
};
use indexmap::IndexMap;

/// A scope outside of any step.
pub(super) fn outside<'a>(world: &'a World<'a>, tops: &'a [Draft]) -> PlaceScope<'a> {
    PlaceScope {
        world,
        tops,
        body: &[],
        viewer: Viewer { section: Section::Main, within: None },
        reader: Reader::Outputs,
        item: None,
        own: None,
        dates: false,
        scheduled: false,
        event: None,
        steps: false,
        inputs: true,
        secrets: false,
        status: false,
    }
}

/// Gives defaults of inputs the types that the inputs have: `"2013-01-01"` becomes a date.
pub(super) fn convert_defaults(spec: &mut PipelineSpec, problems: &mut Vec<Diagnostic>) {
    for input in spec.inputs.values_mut() {
        if let Some(default) = &mut input.default {
            default.value = conform(&default.value, &input.ty, problems);
        }
        for allowed in &input.allowed {
            template_of(allowed, &input.ty, problems);
        }
        let texts = || input.allowed.iter().filter_map(|allowed| allowed.text()).map(|text| &*text.value);
        if let Some(default) = &input.default
            && let Some(Value::String(text)) = default.value.literal()
            && !input.allowed.is_empty()
            && !texts().any(|allowed| *allowed == **text)
        {
            let message = format!("the default `{text}` is not among the values of `enum`");
            let problem = Diagnostic::new(Code::BadLiteral, default.span, message);
            let allowed: Vec<&str> = texts().collect();
            problems.push(problem.did_you_mean(text, texts()).help(format!("allowed: {}", allowed.join(", "))));
        }
    }
}

/// Types of inputs' defaults and of the concurrency group.
pub(super) fn check_head(world: &World<'_>, found: &mut Findings) {
    let defaults = PlaceScope { inputs: false, ..outside(world, &[]) };
    for (name, input) in &world.spec.inputs {
        let Some(default) = input.default.as_ref().filter(|default| default.value.literal().is_none()) else {
            continue;
        };
        let defaults = PlaceScope { dates: *input.ty.required() == Type::Date, ..defaults };
        let ty = type_template(&default.value, &defaults, found);
        must_fit(&format!("the input `{name}`"), &ty, &input.ty, default.span, found);
    }
    if let Some(concurrency) = &world.spec.concurrency {
        let ty = type_template(&concurrency.group.value, &outside(world, &[]), found);
        must_fit("the concurrency group", &ty, &Type::String, concurrency.group.span, found);
    }
}

pub(super) fn must_fit(what: &str, ty: &Type, needed: &Type, span: Span, found: &mut Findings) {
    if ty.fits(needed) {
        return;
    }
    found.problems.push(if ty.required().fits(needed) {
        maybe_missing(span, ty, needed)
    } else {
        Diagnostic::new(Code::EdgeType, span, format!("{what} needs {needed}, found {ty}"))
    });
}

/// Types of the pipeline's outputs.
pub(super) fn type_outputs(world: &World<'_>, drafts: &[Draft], found: &mut Findings) -> IndexMap<Name, Type> {
    let scope = PlaceScope { steps: true, ..outside(world, drafts) };
    let outputs = world.spec.outputs.iter().map(|(name, template)| {
        let ty = type_template(&template.value, &scope, found);
        if ty == Type::Any {
            found.untyped.push((template.span, format!("the output `{name}` of the pipeline")));
        }
        (name.clone(), ty)
    });
    outputs.collect()
}

/// Names in `tests`, and literals for inputs.
pub(super) fn check_tests(world: &World<'_>, drafts: &[Draft], found: &mut Findings) {
    for test in &world.spec.tests {
        check_inputs(test, world.spec, found);
        for (step, given) in &test.given {
            check_given(step, given, drafts, found);
        }
        for (step, expected) in &test.expect_steps {
            let Some(outputs) = find_step(step, expected.span, drafts, found) else { continue };
            if let Some(status) = expected.text() {
                const STATUSES: [&str; 4] = ["succeeded", "failed", "skipped", "cancelled"];
                if !STATUSES.contains(&&*status.value) {
                    let message = format!("a step cannot end as `{}`", status.value);
                    found.problems.push(
                        Diagnostic::new(Code::BadLiteral, expected.span, message)
                            .did_you_mean(&status.value, STATUSES)
                            .help("it ends as succeeded, failed, skipped or cancelled"),
                    );
                }
            }
            for (key, _) in expected.entries().unwrap_or_default().iter().filter(|(key, _)| &*key.text != "status") {
                check_output(step, &key.text, key.span, outputs, found);
            }
        }
        for (name, node) in &test.expect_outputs {
            if !world.spec.outputs.contains_key(name) {
                let message = format!("the pipeline has no output `{name}`");
                let known = world.spec.outputs.keys().map(|name| name.as_str());
                found.problems.push(without_edit(
                    Diagnostic::new(Code::OutputUnknown, node.span, message),
                    name.as_str(),
                    known,
                ));
            }
        }
        if let Some(status) = &test.expect_status {
            const STATUSES: [&str; 4] = ["succeeded", "failed", "cancelled", "waiting"];
            if !STATUSES.contains(&status.value.as_str()) {
                let message = format!("a run cannot end as `{}`", status.value);
                found.problems.push(
                    Diagnostic::new(Code::BadLiteral, status.span, message)
                        .did_you_mean(&status.value, STATUSES)
                        .help("it ends as succeeded, failed or cancelled, or stays waiting"),
                );
            }
        }
    }
}

/// A near name as help instead of a suggestion, where the span is not that of the name.
pub(super) fn without_edit<'n>(problem: Diagnostic, wrong: &str, known: impl Iterator<Item = &'n str>) -> Diagnostic {
    let mut problem = problem.did_you_mean(wrong, known);
    match problem.suggestion.take() {
        Some(near) => problem.help(format!("did you mean `{}`?", near.replacement)),
        None => problem,
    }
}

fn check_inputs(test: &TestSpec, spec: &PipelineSpec, found: &mut Findings) {
    for (name, node) in &test.inputs {
        match spec.inputs.get(name.as_str()) {
            Some(input) => drop(template_of(node, &input.ty, &mut found.problems)),
            None => {
                let problem =
                    Diagnostic::new(Code::OutputUnknown, node.span, format!("the pipeline has no input `{name}`"));
                found.problems.push(without_edit(problem, name, spec.inputs.keys().map(|name| name.as_str())));
            }
        }
    }
}

fn check_given(step: &Name, given: &Given, drafts: &[Draft], found: &mut Findings) {
    let Some(outputs) = find_step(step, given.span, drafts, found) else { return };
    for (name, node) in &given.outputs {
        check_output(step, name.as_str(), node.span, outputs, found);
    }
}

fn find_step<'a>(step: &Name, span: Span, drafts: &'a [Draft], found: &mut Findings) -> Option<&'a Outputs> {
    let draft = drafts.iter().find(|draft| draft.spec.id.value == *step);
    if draft.is_none() {
        let problem = Diagnostic::new(Code::UnknownStep, span, format!("there is no step `{step}`"));
        let known = drafts.iter().take(10_000).map(|draft| draft.spec.id.value.as_str());
        found.problems.push(without_edit(problem, step.as_str(), known));
    }
    draft.map(|draft| &draft.outputs)
}

fn check_output(step: &Name, output: &str, span: Span, outputs: &Outputs, found: &mut Findings) {
    let Outputs::Known(outputs) = outputs else { return };
    if outputs.contains_key(output) {
        return;
    }
    let problem = Diagnostic::new(Code::OutputUnknown, span, format!("the step `{step}` has no output `{output}`"));
    let listed = outputs.iter().map(|(name, ty)| format!("{name}: {ty}")).collect::<Vec<_>>().join(", ");
    let help = if listed.is_empty() { "it has no outputs".to_owned() } else { format!("its outputs are {listed}") };
    found.problems.push(problem.help(help));
}
