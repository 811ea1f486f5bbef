use std::collections::HashMap;

use super::{Section, draft::Draft};
use crate::{model::Name, step::Names};

/// Where the steps of a pipeline are, by their ids.
pub(super) struct Ids {
    places: HashMap<Name, Place>,
    sections: Vec<Section>,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the top of a section: its index among all drafts.
    Top(usize),
    /// In the body of a step: the step's index, and its own in the body.
    Body(usize, usize),
}

/// From where a name is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer {
    /// The section.
    pub(super) section: Section,
    /// The step whose body it is in.
    pub(super) within: Option<usize>,
}

/// Why a step is not seen from somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unseen {
    /// One sentence.
    pub(super) why: String,
    /// What to do, where a near name is no answer.
    pub(super) help: &'static str,
}

impl Unseen {
    fn new(why: String, help: &'static str) -> Self {
        Self { why, help }
    }
}

impl Ids {
    /// Ids of all drafts. The layer below made sure that each is used once.
    pub(super) fn of(drafts: &[Draft]) -> Self {
        let mut ids = Self { places: HashMap::new(), sections: drafts.iter().map(|d| d.section).collect() };
        for (at, draft) in drafts.iter().enumerate() {
            ids.places.entry(draft.spec.id.value.clone()).or_insert(Place::Top(at));
            for (i, step) in draft.body.iter().enumerate() {
                ids.places.entry(step.spec.id.value.clone()).or_insert(Place::Body(at, i));
            }
        }
        ids
    }

    /// The step of an id, as seen from somewhere; the error says why it is not seen.
    pub(super) fn find(&self, viewer: Viewer, id: &str) -> Result<Place, Unseen> {
        match self.places.get(id).copied() {
            None => Err(Unseen::new(format!("there is no step `{id}`"), "steps are named by their `id`")),
            Some(Place::Body(parent, i)) if viewer.within == Some(parent) => Ok(Place::Body(parent, i)),
            Some(Place::Body(..)) => {
                let why = format!("the step `{id}` is inside the body of a fan-out and seen only there");
                Err(Unseen::new(why, "name the fan-out itself: what its body gives is read from its outputs"))
            }
            Some(Place::Top(at)) if viewer.within == Some(at) => {
                let why = format!("the step `{id}` is the fan-out around this one and has no outputs yet");
                Err(Unseen::new(why, "read `item`, or another step of the same body"))
            }
            Some(Place::Top(at)) => match self.sections[at] {
                Section::Main => Ok(Place::Top(at)),
                section if section == viewer.section => Ok(Place::Top(at)),
                Section::OnFailure => Err(Unseen::new(
                    format!("the step `{id}` is in `on_failure` and seen only there"),
                    "steps of `on_failure` run after the others: move there what needs it",
                )),
                Section::Finally => Err(Unseen::new(
                    format!("the step `{id}` is in `finally` and seen only there"),
                    "steps of `finally` run after the others: move there what needs it",
                )),
            },
        }
    }

    /// The ids seen from somewhere.
    pub(super) fn seen(&self, viewer: Viewer) -> impl Iterator<Item = &Name> {
        self.places.iter().filter(move |(id, _)| self.find(viewer, id.as_str()).is_ok()).map(|(id, _)| id)
    }

    /// The same, sorted, for kinds and suggestions.
    pub(super) fn names(&self, viewer: Viewer) -> Names {
        let mut names: Vec<Name> = self.seen(viewer).cloned().collect();
        names.sort();
        Names::new(names)
    }
}
