use std::{cell::Cell, collections::BTreeSet};

use indexmap::IndexMap;

use super::{
    Section,
    draft::{Draft, Outputs},
    names::{Ids, Place, Viewer},
};
use crate::{
    data::Type,
    expr::{Part, Root, Scope, Unknown},
    model::Name,
    spec::PipelineSpec,
};

/// Suggestions cost a look at every name, so a file full of mistakes gets only this many.
const MOST_SUGGESTIONS: u32 = 100;

/// What every scope of a pipeline shares.
pub(super) struct World<'a> {
    pub(super) spec: &'a PipelineSpec,
    pub(super) ids: &'a Ids,
    pub(super) states: BTreeSet<&'a str>,
    pub(super) suggested: Cell<u32>,
}

/// What expressions may refer to at one place, and the types of it.
#[derive(Clone, Copy)]
pub(super) struct PlaceScope<'a> {
    pub(super) world: &'a World<'a>,
    /// Steps at the tops of sections, and those of the body around, typed as far as the order went.
    pub(super) tops: &'a [Draft],
    pub(super) body: &'a [Draft],
    pub(super) viewer: Viewer,
    /// Who reads: parts of its `if`, and whether it runs though what it needs failed.
    pub(super) reader: Reader<'a>,
    /// Types of `item` and `item_key`, inside `for_each`.
    pub(super) item: Option<&'a ItemTypes>,
    /// The step's own outputs, where they may be read.
    pub(super) own: Option<&'a IndexMap<Name, Type>>,
    /// Whether an interval's ends are dates: in the default of an input that is a date, to which they
    /// are converted.
    pub(super) dates: bool,
    /// Whether the run is one of a schedule for certain, so that it has an interval.
    pub(super) scheduled: bool,
    /// What `event` is, where one kind of trigger is meant.
    pub(super) event: Option<&'a Type>,
    pub(super) steps: bool,
    pub(super) inputs: bool,
    pub(super) secrets: bool,
    pub(super) status: bool,
}

/// Who reads.
#[derive(Clone, Copy)]
pub(super) enum Reader<'a> {
    /// A step.
    Step(&'a Draft),
    /// The condition of a step.
    Condition(&'a Draft),
    /// The outputs of the pipeline, evaluated when all went well.
    Outputs,
}

/// Types of what a fan-out gives to each item.
#[derive(Debug, Clone)]
pub(super) struct ItemTypes {
    pub(super) item: Type,
    pub(super) key: Option<Type>,
}

impl PlaceScope<'_> {
    fn unknown<'n>(&self, message: String, wrong: &str, candidates: impl Iterator<Item = &'n str>) -> Unknown {
        let suggested = self.world.suggested.get();
        self.world.suggested.set(suggested.saturating_add(1));
        let candidates =
            if suggested < MOST_SUGGESTIONS { candidates.map(str::to_owned).collect() } else { Vec::new() };
        let help = candidates.is_empty().then(|| "none is declared here".to_owned());
        Unknown { message, wrong: wrong.to_owned(), candidates, help }
    }

    fn none(message: impl Into<String>, wrong: &str, help: &str) -> Unknown {
        Unknown {
            message: message.into(),
            wrong: wrong.to_owned(),
            candidates: Vec::new(),
            help: Some(help.to_owned()),
        }
    }

    /// The step of an id, as its draft.
    fn step(&self, step: &Name) -> Result<&Draft, Unknown> {
        if !self.steps {
            return Err(Self::none("steps cannot be read here", step.as_str(), "it is evaluated before any step runs"));
        }
        match self.world.ids.find(self.viewer, step.as_str()) {
            Ok(Place::Top(at)) => Ok(&self.tops[at]),
            Ok(Place::Body(_, at)) => Ok(&self.body[at]),
            Err(why) => {
                let seen = self.world.ids.seen(self.viewer).map(|name| name.as_str());
                let mut unknown = self.unknown(why.why, step.as_str(), seen);
                unknown.help = Some(why.help.to_owned());
                Err(unknown)
            }
        }
    }

    /// The type of an output as it is seen from here.
    pub(super) fn output(&self, step: &Name, output: &Name) -> Result<Type, Unknown> {
        let draft = self.step(step)?;
        let Outputs::Known(outputs) = &draft.outputs else { return Ok(Type::Any) };
        match outputs.get(output) {
            Some(ty) if self.may_miss(draft) => Ok(ty.clone().optional()),
            Some(ty) => Ok(ty.clone()),
            None => {
                let listed: Vec<&str> = outputs.keys().map(|name| name.as_str()).collect();
                let mut unknown = self.unknown(
                    format!("the step `{step}` has no output `{output}`"),
                    output.as_str(),
                    listed.iter().copied(),
                );
                unknown.help = Some(match listed.as_slice() {
                    [] => "it has no outputs".to_owned(),
                    listed => format!("its outputs are {}", listed.join(", ")),
                });
                Err(unknown)
            }
        }
    }

    /// Whether a step's outputs may be missing when the reader reads them.
    pub(super) fn may_miss(&self, read: &Draft) -> bool {
        if read.spec.continue_on_error {
            return true;
        }
        let conditional = read.spec.condition.is_some() && !read.per_item;
        let (reader, guarded) = match self.reader {
            Reader::Outputs => return conditional,
            Reader::Step(reader) => (reader, read.guards.iter().all(|guard| reader.guards.contains(guard))),
            // A condition is evaluated from left to right: what stands before the reference guards it.
            Reader::Condition(reader) => {
                let reference = format!("steps.{}.", read.spec.id.value);
                let before: Vec<_> = reader.guards.iter().take_while(|guard| !guard.contains(&reference)).collect();
                (reader, read.guards.iter().all(|guard| before.contains(&guard)))
            }
        };
        let inside = self.body.iter().any(|step| std::ptr::eq(step, read));
        (conditional && !guarded)
            || reader.handles_failure
            || (reader.around_handles_failure && !inside)
            || read.section != reader.section
    }

    fn run(&self, field: &str) -> Result<Type, Unknown> {
        let in_section = self.viewer.section;
        Ok(match field {
            "id" | "pipeline" | "revision" => Type::String,
            "attempt" => Type::Int,
            "started_at" => Type::Timestamp,
            "interval.start" | "interval.end" => {
                let ty = if self.dates { Type::Date } else { Type::Timestamp };
                if self.scheduled { ty } else { ty.optional() }
            }
            "error.message" | "error.code" | "error.step" => match in_section {
                Section::Main => {
                    let help = "only steps of `on_failure` and `finally` run after a failure";
                    return Err(Self::none("`run.error` is not known here", field, help));
                }
                Section::OnFailure if field == "error.step" => Type::String.optional(),
                Section::OnFailure => Type::String,
                Section::Finally => Type::String.optional(),
            },
            "error" if in_section != Section::Main => Type::map(Type::String.optional()).optional(),
            "interval" => Type::object([("start", Type::Timestamp.optional()), ("end", Type::Timestamp.optional())]),
            _ => {
                let known = [
                    "id",
                    "pipeline",
                    "revision",
                    "attempt",
                    "started_at",
                    "interval.start",
                    "interval.end",
                    "error.message",
                    "error.code",
                    "error.step",
                ];
                return Err(self.unknown(format!("`run` has no field `{field}`"), field, known.into_iter()));
            }
        })
    }
}

impl Scope for PlaceScope<'_> {
    fn type_of(&self, root: &Root) -> Result<Type, Unknown> {
        let spec = self.world.spec;
        match root {
            Root::Input(name) if !self.inputs => {
                Err(Self::none("inputs cannot be read here", name.as_str(), "a default may use `run` and functions"))
            }
            Root::Input(name) => match spec.inputs.get(name) {
                Some(input) => Ok(input.ty.clone()),
                None => {
                    let known = spec.inputs.keys().map(|name| name.as_str());
                    Err(self.unknown(format!("there is no input `{name}`"), name.as_str(), known))
                }
            },
            Root::Step { step, part } => match part {
                Part::Output(output) => self.output(step, output),
                Part::Status => self.step(step).map(|_| Type::String),
                Part::Attempts => self.step(step).map(|_| Type::Int),
                Part::Error => self
                    .step(step)
                    .map(|_| Type::object([("code", Type::String), ("message", Type::String)]).optional()),
                Part::Items if self.step(step)?.spec.for_each.is_none() => Err(Self::none(
                    format!("the step `{step}` has no items"),
                    "items",
                    "only a step with `for_each` has",
                )),
                Part::Items => {
                    Ok(Type::object(["total", "succeeded", "failed", "skipped"].map(|count| (count, Type::Int))))
                }
            },
            Root::Secret(name) if spec.secrets.iter().any(|secret| secret.value == *name) => Ok(Type::String),
            Root::Secret(name) => {
                let known = spec.secrets.iter().map(|secret| secret.value.as_str());
                let mut unknown = self.unknown(format!("there is no secret `{name}`"), name, known);
                unknown.help = Some(format!("declare it: `secrets: [{name}]`"));
                Err(unknown)
            }
            Root::Item | Root::ItemIndex | Root::ItemKey => {
                let Some(item) = self.item else {
                    let help = "`item` is known in a step with `for_each`, and in its body";
                    return Err(Self::none(format!("`{root}` is not known here"), "item", help));
                };
                match root {
                    Root::Item => Ok(item.item.clone()),
                    Root::ItemIndex => Ok(Type::Int),
                    _ => item.key.clone().ok_or_else(|| {
                        Self::none("`item_key` is not known here", "item_key", "name the items with `key:`")
                    }),
                }
            }
            Root::Output(name) => match self.own {
                Some(own) => own.get(name).cloned().ok_or_else(|| {
                    let known = own.keys().map(|name| name.as_str());
                    self.unknown(format!("the step has no output `{name}`"), name.as_str(), known)
                }),
                None => Err(Self::none(
                    "`outputs` is not known here",
                    name.as_str(),
                    "a step sees its own outputs in `repeat.until` and in `state`; others are `steps.ID.outputs.NAME`",
                )),
            },
            Root::State(name) if self.world.states.contains(name.as_str()) => Ok(Type::Any),
            Root::State(name) => {
                let known = self.world.states.iter().copied();
                let mut unknown = self.unknown(format!("no step leaves a state `{name}`"), name.as_str(), known);
                unknown.help = Some(format!("a step leaves one with `state: {{{name}: ..}}`"));
                Err(unknown)
            }
            Root::Run(field) => self.run(field),
            Root::Event => Ok(self.event.cloned().unwrap_or(Type::Any)),
        }
    }

    fn allows_status(&self) -> bool {
        self.status
    }

    fn has_step(&self, step: &str) -> bool {
        self.world.ids.find(self.viewer, step).is_ok()
    }
}
