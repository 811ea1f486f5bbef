use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use indexmap::IndexMap;

use super::{
    draft::{Draft, Outputs},
    edges::place_of,
    names::{Place, Viewer},
    outputs::{item_types, only_table, seen_outside},
    scope::{ItemTypes, PlaceScope, Reader, World},
    walk::each_expr,
};
use crate::{
    data::Type,
    diag::{Code, Diagnostic, Span},
    expr::{Expr, Part, Root, Scope as _, Template},
    model::Name,
    spec::Persist,
    step::{CheckContext, ChildPorts, Effect, InputTypes, Ports, Read},
};

/// What the typing of steps needs beside the steps.
pub(super) struct Typing<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) base: &'a Path,
    pub(super) read_files: bool,
    pub(super) files: &'a BTreeMap<String, String>,
    pub(super) child: &'a dyn Fn(&str) -> Result<ChildPorts, String>,
}

/// What was found while typing.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Diagnostic>,
    /// Whether files of tables were looked at.
    pub(super) looked: bool,
    /// Places whose type is `any`.
    pub(super) untyped: Vec<(Span, String)>,
}

/// Gives every step its types, in the order given: those it needs come first.
pub(super) fn type_all(drafts: &mut [Draft], order: &[usize], typing: &Typing<'_>, found: &mut Findings) {
    for at in order {
        let viewer = Viewer { section: drafts[*at].section, within: None };
        let item = items_of(drafts, &[], *at, viewer, typing, found);
        let mut body = std::mem::take(&mut drafts[*at].body);
        let typed = if body.is_empty() {
            type_one(&drafts[*at], drafts, &[], viewer, item.as_ref(), typing, found)
        } else {
            drafts[*at].order = type_body(&mut body, *at, drafts, item.as_ref(), typing, found);
            let mut typed = type_one(&drafts[*at], drafts, &[], viewer, item.as_ref(), typing, found);
            typed.effect = body.iter().map(|step| step.effect).max().unwrap_or(Effect::Pure);
            let last = body.last().map_or(Outputs::Open, |last| last.outputs.clone());
            typed.outputs = match (last, body.last()) {
                (Outputs::Known(ports), Some(last)) => {
                    let miss = last.spec.condition.is_some() || last.spec.continue_on_error;
                    let ports = ports.into_iter().map(|(name, ty)| (name, if miss { ty.optional() } else { ty }));
                    seen_outside(&drafts[*at], &ports.collect(), item.as_ref())
                }
                _ => Outputs::Open,
            };
            typed
        };
        drafts[*at].body = body;
        typed.into_draft(&mut drafts[*at]);
        check_policies(&drafts[*at], found);
    }
}

fn type_body(
    body: &mut [Draft],
    parent: usize,
    drafts: &[Draft],
    item: Option<&ItemTypes>,
    typing: &Typing<'_>,
    found: &mut Findings,
) -> Vec<usize> {
    let order = super::cycles::order(body, &mut found.problems);
    let viewer = Viewer { section: drafts[parent].section, within: Some(parent) };
    for at in &order {
        let typed = type_one(&body[*at], drafts, body, viewer, item, typing, found);
        typed.into_draft(&mut body[*at]);
        check_policies(&body[*at], found);
    }
    order
}

/// The types of a step.
struct Typed {
    ports: Ports,
    outputs: Outputs,
    effect: Effect,
    tables: BTreeMap<Name, Name>,
    reads: BTreeSet<Root>,
}

impl Typed {
    fn into_draft(self, draft: &mut Draft) {
        draft.ports = self.ports;
        draft.outputs = self.outputs;
        draft.effect = self.effect;
        draft.tables = self.tables;
        draft.all_reads = self.reads;
    }
}

fn scope<'a>(
    draft: &'a Draft,
    tops: &'a [Draft],
    body: &'a [Draft],
    viewer: Viewer,
    item: Option<&'a ItemTypes>,
    typing: &'a Typing<'a>,
) -> PlaceScope<'a> {
    PlaceScope {
        world: typing.world,
        tops,
        body,
        viewer,
        reader: Reader::Step(draft),
        item,
        own: None,
        dates: false,
        scheduled: false,
        event: None,
        steps: true,
        inputs: true,
        secrets: false,
        status: false,
    }
}

/// Types of the items of a fan-out, from the type of what it goes over.
fn items_of(
    drafts: &[Draft],
    body: &[Draft],
    at: usize,
    viewer: Viewer,
    typing: &Typing<'_>,
    found: &mut Findings,
) -> Option<ItemTypes> {
    let draft = &drafts[at];
    let each = draft.spec.for_each.as_ref()?;
    let scope = scope(draft, drafts, body, viewer, None, typing);
    let over = type_expr(&each.over.value, &scope, found);
    if let Type::Optional(inner) = &over
        && item_types(inner, each).is_some()
    {
        found.problems.push(maybe_missing(each.over.span, &over, inner));
        return item_types(inner, each);
    }
    if over == Type::Any {
        found.untyped.push((each.over.span, "what `for_each` goes over".to_owned()));
    }
    item_types(&over, each).or_else(|| {
        let message = format!("`for_each` needs a list, a map or a table, found {over}");
        let problem = Diagnostic::new(Code::NotIterable, each.over.span, message);
        found.problems.push(match over.required() {
            Type::Int => problem.help("to do something so many times, write `range(n)`"),
            Type::String => problem.help("to go over parts of a text, write `split(text, ',')`"),
            _ => problem.help("`for_each: [a, b]` in full is `for_each: ${{ ['a', 'b'] }}`"),
        });
        Some(ItemTypes { item: Type::Any, key: Some(Type::String) })
    })
}

/// A problem of a step without `with:` has no place in it: the step's kind is its place.
fn anchored(draft: &Draft, mut problem: Diagnostic) -> Diagnostic {
    if let (None, Some(uses)) = (&draft.spec.with, &draft.spec.uses)
        && problem.primary.span == Span::default()
    {
        problem.primary.span = uses.span;
    }
    problem
}

fn type_one(
    draft: &Draft,
    tops: &[Draft],
    body: &[Draft],
    viewer: Viewer,
    item: Option<&ItemTypes>,
    typing: &Typing<'_>,
    found: &mut Findings,
) -> Typed {
    let inside = scope(draft, tops, body, viewer, item, typing);
    check_condition(draft, &inside, item, found);
    if let Some(key) = draft.spec.for_each.as_ref().and_then(|each| each.key.as_ref()) {
        let ty = type_expr(&key.value, &inside, found);
        if !matches!(ty, Type::String | Type::Int | Type::Date | Type::Any) {
            let message = format!("`key` names an item by a string, an int or a date, found {ty}");
            found.problems.push(Diagnostic::new(Code::EdgeType, key.span, message));
        }
    }
    check_env(draft, &inside, found);
    let fields = check_fields(draft, &inside, found);
    let (reads, tables) = check_reads(draft, &inside, found);
    let (ports, broken) = ask_ports(draft, &InputTypes { reads, fields }, typing, found);
    let own: IndexMap<Name, Type> = ports.outputs.iter().map(|(name, port)| (name.clone(), port.ty.clone())).collect();
    if !broken {
        for (name, ty) in own.iter().filter(|(_, ty)| matches!(ty, Type::Any)) {
            found
                .untyped
                .push((draft.spec.id.span, format!("the output `{name}` of `{}` has type {ty}", draft.spec.id.value)));
        }
        let unknown = own.iter().filter(|(_, ty)| matches!(ty.required(), Type::Table(t) if t.schema.is_none()));
        for (name, _) in unknown {
            found.untyped.push((draft.spec.id.span, format!("the columns of `{name}` of `{}`", draft.spec.id.value)));
        }
    }
    check_own(draft, tops, body, viewer, item, (!broken).then_some(&own), typing, found);
    let outputs = if broken { Outputs::Open } else { seen_outside(draft, &own, item) };
    Typed { ports, outputs, effect: draft.effect, tables, reads: all_reads(draft, tops, body, viewer, typing) }
}

fn check_condition(draft: &Draft, inside: &PlaceScope<'_>, item: Option<&ItemTypes>, found: &mut Findings) {
    let Some(condition) = &draft.spec.condition else { return };
    let scope = PlaceScope {
        reader: Reader::Condition(draft),
        item: item.filter(|_| draft.per_item || inside.viewer.within.is_some()),
        status: true,
        ..*inside
    };
    check_bool(&condition.value, condition.span, "if", &scope, found);
}

fn check_bool(expr: &Expr, span: Span, word: &str, scope: &PlaceScope<'_>, found: &mut Findings) {
    match type_expr(expr, scope, found) {
        Type::Bool | Type::Any => {}
        ty @ Type::Optional(_) if *ty.required() == Type::Bool => {
            found.problems.push(maybe_missing(span, &ty, &Type::Bool));
        }
        ty => {
            let problem = Diagnostic::new(Code::NotBool, span, format!("`{word}` needs a bool, found {ty}"));
            found.problems.push(match ty.required() {
                Type::Int | Type::Float => problem.help("compare it, for example with `> 0`"),
                Type::String => problem.help("compare it, for example with `!= ''`"),
                Type::List(_) | Type::Map(_) => problem.help("ask for its size, for example `length(..) > 0`"),
                _ => problem.help("nothing but a bool counts as true or false"),
            });
        }
    }
}

fn check_env(draft: &Draft, inside: &PlaceScope<'_>, found: &mut Findings) {
    let scope = PlaceScope { secrets: true, ..*inside };
    for (name, template) in &draft.spec.env {
        let ty = type_template(&template.value, &scope, found);
        let scalar = matches!(
            ty,
            Type::Any | Type::String | Type::Int | Type::Float | Type::Bool | Type::Date | Type::Timestamp
        );
        if let Type::Optional(inner) = &ty {
            found.problems.push(maybe_missing(template.span, &ty, inner));
        } else if !scalar {
            let message = format!("the environment variable `{name}` needs a string, found {ty}");
            let help = "a list or an object can be written with `to_json(..)`";
            found.problems.push(Diagnostic::new(Code::EdgeType, template.span, message).help(help));
        }
    }
}

fn check_fields(draft: &Draft, inside: &PlaceScope<'_>, found: &mut Findings) -> BTreeMap<u32, Type> {
    let mut types = BTreeMap::new();
    for field in draft.config.iter().flat_map(|config| &config.fields) {
        let scope = PlaceScope { secrets: field.secrets, ..*inside };
        let ty = type_template(&field.template, &scope, found);
        let span = field.template.span;
        if ty.fits(&field.ty) {
            if ty == Type::Any && field.ty != Type::Any {
                found
                    .untyped
                    .push((span, format!("`{}` needs {} and is not known before the run", field.path, field.ty)));
            }
        } else if ty.required().fits(&field.ty) {
            found.problems.push(maybe_missing(span, &ty, &field.ty));
        } else {
            let message = format!("`{}` needs {}, found {ty}", field.path, field.ty);
            let problem = Diagnostic::new(Code::EdgeType, span, message);
            found.problems.push(match convertible(&ty, &field.ty) {
                Some(function) => problem.help(format!("convert it with `{function}(..)`")),
                None => problem,
            });
        }
        types.insert(span.start, ty);
    }
    types
}

fn convertible(found: &Type, needed: &Type) -> Option<&'static str> {
    match (found, needed.required()) {
        (Type::Int | Type::Float | Type::Bool | Type::Date | Type::Timestamp | Type::Duration, Type::String) => {
            Some("string")
        }
        (Type::String | Type::Float, Type::Int) => Some("int"),
        (Type::String, Type::Float) => Some("float"),
        (Type::String | Type::Timestamp, Type::Date) => Some("date"),
        (Type::String | Type::Date, Type::Timestamp) => Some("timestamp"),
        (Type::String, Type::Duration) => Some("duration"),
        _ => None,
    }
}

type Reads = (BTreeMap<Read, Type>, BTreeMap<Name, Name>);

fn check_reads(draft: &Draft, inside: &PlaceScope<'_>, found: &mut Findings) -> Reads {
    let (mut types, mut tables) = (BTreeMap::new(), BTreeMap::new());
    for read in &draft.reads {
        let ty = match read {
            Read::TableOf(step) => {
                let place = inside.world.ids.find(inside.viewer, step.as_str());
                let target = match place {
                    Ok(Place::Top(at)) => &inside.tops[at],
                    Ok(Place::Body(_, at)) => &inside.body[at],
                    Err(_) => continue,
                };
                let Outputs::Known(outputs) = &target.outputs else {
                    types.insert(read.clone(), Type::Any);
                    continue;
                };
                let span = place_of(draft, step.as_str());
                let Some((name, ty)) = only_table(outputs) else {
                    found.problems.push(no_single_table(step, outputs, span));
                    types.insert(read.clone(), Type::Any);
                    continue;
                };
                if inside.may_miss(target) {
                    found.problems.push(maybe_missing(span, &ty.clone().optional(), ty));
                }
                tables.insert(step.clone(), name.clone());
                ty.clone()
            }
            Read::Root(root) => match inside.type_of(root) {
                Ok(ty) => ty,
                Err(unknown) => {
                    let code = if matches!(root, Root::Step { .. }) { Code::OutputUnknown } else { Code::EdgeType };
                    let span = match root {
                        Root::Step { step, .. } => place_of(draft, step.as_str()),
                        _ => draft.with_span(),
                    };
                    let candidates: Vec<&str> = unknown.candidates.iter().map(String::as_str).collect();
                    let mut problem =
                        Diagnostic::new(code, span, unknown.message).did_you_mean(&unknown.wrong, candidates);
                    problem.suggestion = None;
                    problem.help = unknown.help;
                    found.problems.push(problem);
                    Type::Any
                }
            },
        };
        types.insert(read.clone(), ty);
    }
    (types, tables)
}

fn no_single_table(step: &Name, outputs: &IndexMap<Name, Type>, span: Span) -> Diagnostic {
    let tables = outputs.iter().filter(|(_, ty)| matches!(ty.required(), Type::Table(_)));
    let names: Vec<String> = tables.map(|(name, _)| format!("`steps.{step}.outputs.{name}`")).collect();
    if names.len() < 2 {
        let listed = outputs.iter().map(|(name, ty)| format!("{name}: {ty}")).collect::<Vec<_>>().join(", ");
        let help = if listed.is_empty() { "it has no outputs".to_owned() } else { format!("its outputs are {listed}") };
        return Diagnostic::new(Code::NoSingleTable, span, format!("the step `{step}` has no table")).help(help);
    }
    Diagnostic::new(Code::NoSingleTable, span, format!("the step `{step}` has more than one table"))
        .help(format!("name one of {} under `tables:`", names.join(", ")))
}

fn ask_ports(draft: &Draft, inputs: &InputTypes, typing: &Typing<'_>, found: &mut Findings) -> (Ports, bool) {
    let (Some(kind), Some(config)) = (&draft.kind, &draft.config) else { return (Ports::none(), true) };
    let mut cx = CheckContext::new(typing.base, &draft.permissions, typing.read_files);
    (cx.files, cx.child) = (typing.files, Some(typing.child));
    let (ports, broken) = match kind.ports(config, inputs, &cx) {
        Ok(ports) => (ports, false),
        Err(problems) => {
            found.problems.extend(problems.into_iter().map(|problem| anchored(draft, problem)));
            (Ports::none(), true)
        }
    };
    found.problems.extend(kind.check(config, &cx).into_iter().map(|problem| anchored(draft, problem)));
    found.looked |= cx.has_looked();
    (ports, broken)
}

/// `until` and `state`, which see the step's own outputs.
#[allow(clippy::too_many_arguments, reason = "the parts of one scope, made here because it borrows all of them")]
fn check_own(
    draft: &Draft,
    tops: &[Draft],
    body: &[Draft],
    viewer: Viewer,
    item: Option<&ItemTypes>,
    own: Option<&IndexMap<Name, Type>>,
    typing: &Typing<'_>,
    found: &mut Findings,
) {
    // Outputs of a broken step are not known, so nothing can be said about who reads them.
    let Some(own) = own else { return };
    let scope = PlaceScope { own: Some(own), ..scope(draft, tops, body, viewer, item, typing) };
    if let Some(repeat) = &draft.spec.repeat {
        check_bool(&repeat.until.value, repeat.until.span, "until", &scope, found);
    }
    for template in draft.spec.state.values() {
        let ty = type_template(&template.value, &scope, found);
        if matches!(ty.required(), Type::Table(_) | Type::File | Type::Bytes) {
            let message = format!("a state is a small value, found {ty}");
            found.problems.push(Diagnostic::new(Code::EdgeType, template.span, message));
        }
    }
}

/// Everything a step and its body read, for loading.
fn all_reads(draft: &Draft, tops: &[Draft], body: &[Draft], viewer: Viewer, typing: &Typing<'_>) -> BTreeSet<Root> {
    let mut roots = BTreeSet::new();
    draft.each_expr(&mut |expr| roots.extend(expr.references().iter().map(|r| r.root.clone())));
    for read in &draft.reads {
        match read {
            Read::Root(root) => drop(roots.insert(root.clone())),
            Read::TableOf(step) => {
                let outputs = match typing.world.ids.find(viewer, step.as_str()) {
                    Ok(Place::Top(at)) => &tops[at].outputs,
                    Ok(Place::Body(_, at)) => &body[at].outputs,
                    Err(_) => continue,
                };
                if let Outputs::Known(outputs) = outputs
                    && let Some((name, _)) = only_table(outputs)
                {
                    roots.insert(Root::Step { step: step.clone(), part: Part::Output(name.clone()) });
                }
            }
        }
    }
    roots
}

fn check_policies(draft: &Draft, found: &mut Findings) {
    if draft.effect == Effect::Pure {
        return;
    }
    let id = &draft.spec.id;
    if draft.spec.persist == Persist::Never {
        let message = format!("the step `{}` has an effect, so its outputs must be kept", id.value);
        found.problems.push(Diagnostic::new(Code::PersistNever, id.span, message).help("remove `persist: never`"));
    }
    if draft.spec.cache {
        let message = format!("the step `{}` has an effect, so a cached result cannot stand in for it", id.value);
        found.problems.push(Diagnostic::new(Code::CacheEffect, id.span, message).help("remove `cache: true`"));
    }
}

/// The type of an expression; problems in it are added.
pub(super) fn type_expr(expr: &Expr, scope: &PlaceScope<'_>, found: &mut Findings) -> Type {
    let checked = expr.check(scope);
    found.problems.extend(checked.diagnostics);
    refuse_secrets(expr, scope, found);
    checked.ty
}

/// The type of a template; problems in it are added.
pub(super) fn type_template(template: &Template, scope: &PlaceScope<'_>, found: &mut Findings) -> Type {
    if let Some(value) = template.literal() {
        return Type::of(value);
    }
    let checked = template.check(scope);
    found.problems.extend(checked.diagnostics);
    each_expr(template, &mut |expr| refuse_secrets(expr, scope, found));
    checked.ty
}

fn refuse_secrets(expr: &Expr, scope: &PlaceScope<'_>, found: &mut Findings) {
    for reference in expr.references() {
        let Root::Secret(name) = &reference.root else { continue };
        if !scope.secrets {
            let message = format!("the secret `{name}` cannot be used here");
            let help = "secrets are allowed in `env` and in fields that a kind marks for them";
            found.problems.push(Diagnostic::new(Code::SecretNotAllowed, reference.span, message).help(help));
        } else if let Reader::Step(draft) = scope.reader
            && !draft.permissions.allow_secret(name)
        {
            let message = format!("the secret `{name}` is outside of what `permissions: secrets` allows");
            let help = format!("allowed: {}", draft.permissions.secrets().join(", "));
            found.problems.push(Diagnostic::new(Code::NotPermitted, reference.span, message).help(help));
        }
    }
}

pub(super) fn maybe_missing(span: Span, found: &Type, needed: &Type) -> Diagnostic {
    Diagnostic::new(Code::MaybeMissing, span, format!("the value may be missing ({found}) where {needed} is needed"))
        .help("give a value to fall back on with `??`, or put the `if` of the step that gives it on this one")
}
