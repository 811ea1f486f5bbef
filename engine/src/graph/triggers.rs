//! Inputs that triggers give: names and types, as if the pipeline were called with them.

use super::{
    declared::{must_fit, outside, without_edit},
    scope::{PlaceScope, World},
    types::{Findings, type_template},
};
use crate::{
    data::{TableType, Type},
    diag::{Code, Diagnostic},
    spec::{ContentForm, PipelineSpec, TriggerInputs, TriggerSpec, UpstreamName, UpstreamStatus, UpstreamTrigger},
    step::conform,
};

fn inputs_of(trigger: &TriggerSpec) -> Option<&TriggerInputs> {
    match trigger {
        TriggerSpec::Schedule(schedule) => Some(&schedule.inputs),
        TriggerSpec::Webhook(webhook) => Some(&webhook.inputs),
        TriggerSpec::File(file) => Some(&file.inputs),
        TriggerSpec::Pipeline(upstream) => Some(&upstream.inputs),
        TriggerSpec::Content(content) => Some(&content.inputs),
        TriggerSpec::Manual => None,
    }
}

fn inputs_of_mut(trigger: &mut TriggerSpec) -> Option<&mut TriggerInputs> {
    match trigger {
        TriggerSpec::Schedule(schedule) => Some(&mut schedule.inputs),
        TriggerSpec::Webhook(webhook) => Some(&mut webhook.inputs),
        TriggerSpec::File(file) => Some(&mut file.inputs),
        TriggerSpec::Pipeline(upstream) => Some(&mut upstream.inputs),
        TriggerSpec::Content(content) => Some(&mut content.inputs),
        TriggerSpec::Manual => None,
    }
}

/// What `event` is in the inputs of a trigger.
fn event_type(trigger: &TriggerSpec) -> Option<Type> {
    let fixed = |fields: &[(&'static str, Type)]| Some(Type::object(fields.iter().cloned()));
    let texts = || Type::map(Type::String);
    match trigger {
        TriggerSpec::Webhook(webhook) => fixed(&[
            ("body", webhook.body.clone()),
            ("headers", texts()),
            ("query", texts()),
            ("method", Type::String),
            ("delivery", Type::String),
        ]),
        TriggerSpec::File(_) => fixed(&[("path", Type::String), ("bytes", Type::Int), ("modified", Type::Timestamp)]),
        TriggerSpec::Pipeline(upstream) if upstream.status == UpstreamStatus::Late => fixed(&[
            ("run", Type::String.optional()),
            ("pipeline", Type::String),
            ("status", Type::String),
            ("at", Type::Timestamp),
            ("by", Type::Timestamp),
        ]),
        TriggerSpec::Pipeline(_) => fixed(&[
            ("run", Type::String),
            ("pipeline", Type::String),
            ("status", Type::String),
            ("fault", Type::String.optional()),
            ("outputs", Type::Any),
        ]),
        TriggerSpec::Content(content) => fixed(&[
            ("run", Type::String),
            ("pipeline", Type::String),
            ("output", Type::String),
            ("digest", Type::String),
            (
                "value",
                match content.form {
                    ContentForm::Table => Type::Table(TableType::default()),
                    ContentForm::Artifact => Type::Any,
                },
            ),
        ]),
        TriggerSpec::Schedule(_) | TriggerSpec::Manual => None,
    }
}

/// Gives literals the types of the inputs that they are for.
pub(super) fn convert(spec: &mut PipelineSpec, problems: &mut Vec<Diagnostic>) {
    let types: Vec<(String, Type)> =
        spec.inputs.iter().map(|(name, input)| (name.to_string(), input.ty.clone())).collect();
    for trigger in &mut spec.triggers {
        for (name, template) in inputs_of_mut(&mut trigger.value).into_iter().flatten() {
            if let Some((_, ty)) = types.iter().find(|(known, _)| known == name.as_str()) {
                template.value = conform(&template.value, ty, problems);
            }
        }
    }
}

/// Names, types, and inputs that would be missing.
pub(super) fn check(world: &World<'_>, found: &mut Findings) {
    for trigger in &world.spec.triggers {
        if let TriggerSpec::Pipeline(UpstreamTrigger { name: UpstreamName::Named(name), status, .. }) = &trigger.value
            && *status != UpstreamStatus::Late
            && name.value.as_str() == world.spec.name.value.as_str()
        {
            let message = format!("`{}` would start itself, again and again", name.value);
            let problem = Diagnostic::new(Code::TriggerSelf, name.span, message);
            found
                .problems
                .push(problem.help("name another pipeline; `retry:`, `on_failure:` or a schedule repeat work"));
        }
        let Some(inputs) = inputs_of(&trigger.value) else { continue };
        for (name, template) in inputs {
            let Some(input) = world.spec.inputs.get(name) else {
                let message = format!("the pipeline has no input `{name}`");
                let problem = Diagnostic::new(Code::OutputUnknown, template.span, message);
                let known = world.spec.inputs.keys().map(|name| name.as_str());
                found.problems.push(without_edit(problem, name.as_str(), known));
                continue;
            };
            // A literal was looked at when it was converted.
            if template.value.literal().is_some() {
                continue;
            }
            let dates = *input.ty.required() == Type::Date;
            let scheduled = matches!(trigger.value, TriggerSpec::Schedule(_));
            let event = event_type(&trigger.value);
            let scope = PlaceScope { inputs: false, dates, scheduled, event: event.as_ref(), ..outside(world, &[]) };
            let ty = type_template(&template.value, &scope, found);
            must_fit(&format!("the input `{name}`"), &ty, &input.ty, template.span, found);
        }
        for (name, input) in &world.spec.inputs {
            if input.default.is_none() && !input.ty.allows_null() && !inputs.contains_key(name) {
                let message = format!("this trigger gives no value for the input `{name}`, which has no default");
                let problem = Diagnostic::new(Code::MissingKey, trigger.span, message);
                found.problems.push(problem.help(format!("give one: `inputs: {{{name}: ...}}`, or a default")));
            }
        }
    }
}
