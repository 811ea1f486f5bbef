use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use indexmap::IndexMap;

use super::{Edge, Section, guard, walk::each_expr};
use crate::{
    data::Type,
    diag::{Code, Diagnostic, Span},
    expr::{Expr, Root, StatusCall},
    model::Name,
    spec::{Grants, StepSpec},
    step::{Effect, ErasedKind, ParsedConfig, Ports, Read, Registry},
};

/// What a step gives to those who read it.
#[derive(Debug, Clone)]
pub(super) enum Outputs {
    /// Not known because the step is broken: everything that is asked for is `any`, so that one
    /// mistake is reported once.
    Open,
    /// These.
    Known(IndexMap<Name, Type>),
}

/// A step on its way from text to plan.
pub(super) struct Draft {
    pub(super) spec: Arc<StepSpec>,
    pub(super) section: Section,
    pub(super) kind: Option<Arc<dyn ErasedKind>>,
    pub(super) config: Option<ParsedConfig>,
    /// Its body's steps.
    pub(super) body: Vec<Draft>,
    /// What its kind reads beyond its expressions.
    pub(super) reads: Vec<Read>,
    /// The steps it needs in its own group (section or body), why, and where that is said.
    pub(super) needs: BTreeMap<usize, Need>,
    /// A body's step: those it needs outside of the body.
    pub(super) outer: BTreeMap<usize, Need>,
    /// Parts of its `if`, after those of the step whose body it is in.
    pub(super) guards: Vec<String>,
    pub(super) handles_failure: bool,
    /// Whether the step whose body it is in handles failures.
    pub(super) around_handles_failure: bool,
    pub(super) per_item: bool,
    /// What it was granted.
    pub(super) permissions: Arc<Grants>,
    // Filled in when types are known.
    pub(super) ports: Ports,
    pub(super) outputs: Outputs,
    pub(super) effect: Effect,
    pub(super) all_reads: BTreeSet<Root>,
    pub(super) tables: BTreeMap<Name, Name>,
    pub(super) order: Vec<usize>,
}

/// Why a step needs another, and where that is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) edge: Edge,
    pub(super) span: Span,
}

impl Draft {
    /// Finds the kind and reads the configuration.
    pub(super) fn new(
        spec: &StepSpec,
        section: Section,
        around: &Grants,
        registry: &Registry,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut draft = Self {
            spec: Arc::new(spec.clone()),
            section,
            kind: None,
            config: None,
            body: Vec::new(),
            reads: Vec::new(),
            needs: BTreeMap::new(),
            outer: BTreeMap::new(),
            guards: guard::conjuncts(spec.condition.as_ref().map(|c| &c.value)),
            handles_failure: false,
            around_handles_failure: false,
            per_item: false,
            permissions: Arc::new(around.narrowed(spec.permissions.as_ref())),
            ports: Ports::none(),
            outputs: Outputs::Open,
            effect: Effect::Pure,
            all_reads: BTreeSet::new(),
            tables: BTreeMap::new(),
            order: Vec::new(),
        };
        if let Some(condition) = &spec.condition {
            let calls = condition.value.status_calls();
            draft.handles_failure = calls.iter().any(|call| *call != StatusCall::Success);
            let of_item = |root: &Root| matches!(root, Root::Item | Root::ItemIndex | Root::ItemKey);
            draft.per_item = spec.for_each.is_some() && condition.value.references().iter().any(|r| of_item(&r.root));
        }
        draft.find_kind(registry, problems);
        draft.body =
            spec.body.iter().map(|step| Self::new(step, section, &draft.permissions, registry, problems)).collect();
        for inner in &mut draft.body {
            inner.guards.splice(0..0, draft.guards.iter().cloned());
            inner.around_handles_failure = draft.handles_failure;
            if inner.spec.for_each.is_some() || inner.spec.repeat.is_some() || !inner.spec.body.is_empty() {
                let message = format!("the step `{}` inside a body cannot fan out or repeat", inner.spec.id.value);
                problems.push(
                    Diagnostic::new(Code::NestedFanOut, inner.spec.id.span, message)
                        .help("put it into a pipeline of its own, and use that with `uses: pipeline`"),
                );
            }
        }
        if spec.for_each.is_some() {
            draft.refuse_questions(problems);
        }
        draft
    }

    /// Items of a fan-out cannot wait for a person.
    fn refuse_questions(&self, problems: &mut Vec<Diagnostic>) {
        for step in std::iter::once(self).chain(&self.body) {
            let (Some(kind), Some(config)) = (&step.kind, &step.config) else { continue };
            if kind.asks_person(config) {
                let message = format!("the step `{}` waits for a person inside `for_each`", step.spec.id.value);
                problems.push(
                    Diagnostic::new(Code::ItemAsks, step.spec.id.span, message)
                        .help("ask once, in a step before the fan-out or after it"),
                );
            }
        }
    }

    fn find_kind(&mut self, registry: &Registry, problems: &mut Vec<Diagnostic>) {
        // A body instead of a kind, or neither, which the layer below has reported.
        let Some(uses) = &self.spec.uses else { return };
        let Some(kind) = registry.get(&uses.value) else {
            let message = format!("there is no kind of step `{}`", uses.value);
            let names = registry.kinds().map(|kind| kind.name());
            let problem = Diagnostic::new(Code::UnknownKind, uses.span, message).did_you_mean(&uses.value, names);
            problems.push(problem.help("see `millwork steps`"));
            return;
        };
        self.kind = Some(kind.clone());
        match kind.parse(self.spec.with.as_ref()) {
            Ok(config) => {
                self.effect = kind.effect(&config);
                self.config = Some(config);
            }
            Err(found) => {
                self.effect = kind.default_effect();
                problems.extend(found.into_iter().map(|mut problem| {
                    // Without a `with:`, what is missing in it is shown at `uses`.
                    if self.spec.with.is_none() {
                        problem.primary.span = uses.span;
                    }
                    problem
                }));
            }
        }
    }

    /// Calls `f` with each expression of the step, its body's not included.
    pub(super) fn each_expr<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        let spec = &self.spec;
        if let Some(condition) = &spec.condition {
            f(&condition.value);
        }
        if let Some(each) = &spec.for_each {
            f(&each.over.value);
            each.key.iter().for_each(|key| f(&key.value));
        }
        if let Some(repeat) = &spec.repeat {
            f(&repeat.until.value);
        }
        if let Some(config) = &self.config {
            config.fields.iter().for_each(|field| each_expr(&field.template, f));
        }
        spec.env.values().chain(spec.state.values()).for_each(|template| each_expr(&template.value, f));
    }

    /// Where to show a problem of the whole configuration.
    pub(super) fn with_span(&self) -> Span {
        let uses = self.spec.uses.as_ref().map_or(self.spec.id.span, |uses| uses.span);
        self.spec.with.as_ref().map_or(uses, |with| with.span)
    }
}
