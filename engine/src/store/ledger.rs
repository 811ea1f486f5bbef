use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::{
    model::{Digest, Fault, NodeIx, RunId},
    step::{JournalKey, Reservation, Resource, Settlement},
};

/// Where something is reserved and spent. What is spent in a step is spent in its run, and in
/// everything that the run is nested in (see [`Ledger::nest`]); a child run is nested in the step
/// that started it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// One step of a run, all items together.
    Step(RunId, NodeIx),
    /// A run.
    Run(RunId),
    /// Anything wider, such as a schedule, or a workspace on one day.
    Named(String),
}

impl Scope {
    /// How the stores spell it.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Step(run, node) => format!("{run}/{}", node.0),
            Self::Run(run) => run.to_string(),
            Self::Named(name) => format!("={name}"),
        }
    }

    /// What nesting a scope in another one records: (scope, parent). A step is in its run.
    pub(super) fn links(&self, within: &Self) -> Vec<(String, String)> {
        let step = |scope: &Self| match scope {
            Self::Step(run, _) => Some((scope.key(), Self::Run(*run).key())),
            Self::Run(_) | Self::Named(_) => None,
        };
        [Some((self.key(), within.key())), step(within)].into_iter().flatten().collect()
    }

    /// The scopes that a journal key belongs to by itself: its step's and its run's.
    pub(super) fn of(key: &JournalKey) -> Vec<String> {
        let step = key.node.map(|node| Self::Step(key.run, node).key());
        step.into_iter().chain([Self::Run(key.run).key()]).collect()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(run, node) => write!(f, "step {} of {run}", node.0),
            Self::Run(run) => write!(f, "{run}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// How one resource stands in one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// What.
    pub resource: Resource,
    /// The most that may be reserved and settled together; `None` if nothing limits it here.
    pub limit: Option<u64>,
    /// Set aside for calls whose end is not recorded.
    pub reserved: u64,
    /// Spent.
    pub settled: u64,
}

/// A call that was begun and whose end is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Its journal key.
    pub key: JournalKey,
    /// Digest of the request.
    pub request: Digest,
    /// What is set aside for it.
    pub reserved: Reservation,
}

/// What is reserved and spent. Reserving and settling happen through
/// [`JournalStore`](crate::step::JournalStore), in the journal's transaction.
#[async_trait]
pub trait Ledger: Send + Sync + fmt::Debug {
    /// Limits a resource in a scope; `None` lifts the limit. What is spent already stays spent.
    async fn set_limit(&self, scope: &Scope, resource: Resource, limit: Option<u64>) -> Result<(), StoreError>;

    /// From now on, what is reserved in `scope` is reserved in `within` too. A scope has one such
    /// parent; a second call replaces it.
    async fn nest(&self, scope: &Scope, within: &Scope) -> Result<(), StoreError>;

    /// Every resource that has a limit or was used in a scope.
    async fn balance(&self, scope: &Scope) -> Result<Vec<Balance>, StoreError>;

    /// Takes an intent back whose call certainly did not happen, and what was reserved for it.
    async fn release(&self, key: &JournalKey) -> Result<(), StoreError>;

    /// Calls of a run that were in flight when a process died, or are now.
    async fn unsettled(&self, run: RunId) -> Result<Vec<Unsettled>, StoreError>;
}

/// One line of a ledger, as the stores hold it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) limit: Option<u64>,
    pub(super) reserved: u64,
    pub(super) settled: u64,
}

impl Line {
    /// Whether `amount` more fits under the limit.
    pub(super) fn fits(self, amount: u64) -> bool {
        self.limit.is_none_or(|limit| self.reserved.saturating_add(self.settled).saturating_add(amount) <= limit)
    }
}

/// Amounts by resource, each once: what a list says in several places is added up.
pub(super) fn totals(amounts: &[(Resource, u64)]) -> Vec<(Resource, u64)> {
    let mut totals: Vec<(Resource, u64)> = Vec::new();
    for (resource, amount) in amounts.iter().copied().filter(|(_, amount)| *amount > 0) {
        match totals.iter_mut().find(|(other, _)| *other == resource) {
            Some((_, sum)) => *sum = sum.saturating_add(amount),
            None => totals.push((resource, amount)),
        }
    }
    totals
}

/// What a finished call changes: (resource, no longer reserved, settled).
pub(super) fn settled(reserved: &Reservation, settle: &Settlement) -> Vec<(Resource, u64, u64)> {
    let (reserved, settle) = (totals(&reserved.0), totals(&settle.0));
    [Resource::NanoUsd, Resource::Tokens]
        .into_iter()
        .map(|resource| {
            let of = |list: &[(Resource, u64)]| list.iter().find(|(r, _)| *r == resource).map_or(0, |(_, n)| *n);
            (resource, of(&reserved), of(&settle))
        })
        .filter(|(_, reserved, settled)| *reserved > 0 || *settled > 0)
        .collect()
}

/// The fault of a reservation that does not fit. `scope` is spelt as in the stores.
pub(super) fn exceeded(scope: &str, resource: Resource, amount: u64, line: Line) -> Fault {
    let scope = scope.trim_start_matches('=');
    let left = line.limit.unwrap_or(u64::MAX).saturating_sub(line.reserved).saturating_sub(line.settled);
    let message = format!(
        "{} would be reserved, and {} of the budget of `{scope}` is left ({} spent, {} reserved)",
        spell(resource, amount),
        spell(resource, left),
        spell(resource, line.settled),
        spell(resource, line.reserved),
    );
    Fault { retry: crate::model::Retry::Never, ..Fault::external("budget.exceeded", message) }
        .help("raise the budget, or ask for less in one call")
}

/// The fault of a key that is used for another request.
pub(super) fn changed(key: &JournalKey) -> Fault {
    Fault::user("journal.changed", format!("the request behind the journal key `{}` is not what it was", key.key))
        .help("the step did other work under the same key in an earlier attempt; rerun it from the start")
}

fn spell(resource: Resource, amount: u64) -> String {
    match resource {
        Resource::NanoUsd => format!("{}.{:09} USD", amount / 1_000_000_000, amount % 1_000_000_000),
        Resource::Tokens => format!("{amount} tokens"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_up_to_its_limit() {
        let line = Line { limit: Some(10), reserved: 3, settled: 3 };
        for (amount, expected) in [(0, true), (4, true), (5, false), (u64::MAX, false)] {
            assert_eq!(line.fits(amount), expected, "{amount}");
        }
        assert!(Line::default().fits(u64::MAX));
    }

    #[test]
    fn amounts_are_added_up() {
        let twice = [(Resource::Tokens, 2), (Resource::NanoUsd, 0), (Resource::Tokens, 3)];
        assert_eq!(totals(&twice), [(Resource::Tokens, 5)]);
        let done = settled(&Reservation(twice.to_vec()), &Settlement(vec![(Resource::NanoUsd, 7)]));
        assert_eq!(done, [(Resource::NanoUsd, 0, 7), (Resource::Tokens, 5, 0)]);
    }
}
