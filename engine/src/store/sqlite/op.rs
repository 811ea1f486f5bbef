use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    super::{Append, Committed, NewRun, OwnerRecord, Scope, StoreError, When, named},
    codec::{Numbered, amount, or_whole, to_json},
};
use crate::{
    model::{Digest, Event, Fault, OwnerId, Recorded, RunId},
    step::{JournalKey, Reservation, Resource, Settlement},
};

/// What the writer is asked to do. Texts are made by the caller, so that the writer only writes.
pub(super) enum Op {
    Create(Create),
    Append(Prepared),
    Take { run: RunId, owner: OwnerId, after: u64 },
    Forget { run: RunId },
    Sweep { cached_before: Option<RunId> },
    Cache { fingerprint: Digest, outputs: String, row: Option<Digest>, labels: String, rows: Option<u64>, run: RunId },
    Request { run: RunId, kind: String, by: String, at: i64 },
    Intend { key: JournalKey, request: Digest, reserve: Reservation, epoch: u64 },
    Finish { key: JournalKey, request: Digest, result: String, settle: Settlement },
    Release { key: JournalKey },
    Limit { scope: String, resource: Resource, limit: Option<u64> },
    Nest { links: Vec<(String, String)> },
    PutRecord { kind: i64, key: String, value: Option<String>, when: When },
    Audit { text: String },
}

/// What came of it.
pub(super) enum Answer {
    Done,
    Run(RunId),
    Committed(Committed),
    Owner(OwnerRecord),
    Number(i64),
}

/// Why it was not done.
pub(super) enum Refusal {
    Store(StoreError),
    Fault(Fault),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// An operation and who waits for it.
pub(super) struct Job {
    pub(super) op: Op,
    pub(super) reply: oneshot::Sender<Result<Answer, Refusal>>,
}

/// Events as rows.
pub(super) struct Events {
    pub(super) rows: Vec<EventRow>,
    /// Digests of output rows that they name.
    pub(super) uses: Vec<Digest>,
}

pub(super) struct EventRow {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) version: i64,
    pub(super) text: Arc<str>,
}

/// A run to be created.
pub(super) struct Create {
    pub(super) run: RunId,
    pub(super) id: Arc<str>,
    pub(super) pipeline: String,
    pub(super) revision: Digest,
    pub(super) bundle: Arc<str>,
    pub(super) parent: Option<Parent>,
    pub(super) key: Option<String>,
    /// The scopes that the run's budget is nested in.
    pub(super) scopes: Vec<(String, String)>,
    pub(super) owner: String,
    pub(super) events: Events,
    pub(super) status: i64,
    pub(super) created_at: i64,
    pub(super) started_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
}

/// The step that asked for a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Parent {
    pub(super) run: String,
    pub(super) node: i64,
    pub(super) item: i64,
}

/// An append as rows.
pub(super) struct Prepared {
    pub(super) run: RunId,
    pub(super) id: Arc<str>,
    pub(super) epoch: u64,
    pub(super) after: u64,
    pub(super) events: Events,
    pub(super) items: Vec<PreparedItem>,
    pub(super) outputs: Vec<(Digest, Arc<str>)>,
    pub(super) status: i64,
    pub(super) started_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
    pub(super) steps: Vec<(u32, i64)>,
    pub(super) snapshot: Option<Vec<u8>>,
    pub(super) state: Vec<(String, String)>,
}

pub(super) struct PreparedItem {
    pub(super) node: u32,
    pub(super) item: u32,
    pub(super) outcome: i64,
    pub(super) attempts: u32,
    pub(super) outputs: Option<Arc<str>>,
    pub(super) fault: Option<Arc<str>>,
}

impl Events {
    fn new(events: &[Recorded]) -> Result<Self, StoreError> {
        let row = |event: &Recorded| {
            Ok(EventRow {
                seq: amount(event.seq),
                at: event.at.as_micros(),
                version: i64::from(event.version),
                text: to_json(&event.event)?.into(),
            })
        };
        let rows = events.iter().map(row).collect::<Result<_, StoreError>>()?;
        Ok(Self { rows, uses: events.iter().flat_map(|event| named::rows_of(&event.event)).collect() })
    }
}

impl Create {
    pub(super) fn new(new: NewRun, now: i64) -> Result<Self, StoreError> {
        let at = |event: Option<&Recorded>| event.map_or(now, |event| event.at.as_micros());
        Ok(Self {
            run: new.id,
            id: new.id.to_string().into(),
            revision: new.bundle.revision(),
            bundle: to_json(&new.bundle)?.into(),
            parent: new.parent.map(|(run, node, item)| Parent {
                run: run.to_string(),
                node: i64::from(node.0),
                item: or_whole(item),
            }),
            scopes: new
                .parent
                .map_or_else(Vec::new, |(run, node, _)| Scope::Run(new.id).links(&Scope::Step(run, node))),
            key: new.key,
            owner: new.owner.to_string(),
            status: new.status.number(),
            created_at: at(new.events.first()),
            started_at: started(&new.events),
            ended_at: new.status.is_final().then(|| at(new.events.last())),
            events: Events::new(&new.events)?,
            pipeline: new.pipeline,
        })
    }
}

impl Prepared {
    pub(super) fn new(append: Append, now: i64) -> Result<Self, StoreError> {
        let text = |value: Option<String>| value.map(Arc::from);
        let item = |row: &super::super::ItemRow| {
            Ok(PreparedItem {
                node: row.node.0,
                item: row.item,
                outcome: row.outcome.number(),
                attempts: row.attempts,
                outputs: text(row.outputs.as_ref().map(to_json).transpose()?),
                fault: text(row.fault.as_ref().map(to_json).transpose()?),
            })
        };
        let ended = append.events.last().map_or(now, |event| event.at.as_micros());
        Ok(Self {
            run: append.run,
            id: append.run.to_string().into(),
            epoch: append.epoch,
            after: append.after,
            events: Events::new(&append.events)?,
            items: append.items.iter().map(item).collect::<Result<_, StoreError>>()?,
            outputs: append.outputs.into_iter().map(|row| (row.digest, row.json.into())).collect(),
            status: append.status.number(),
            started_at: started(&append.events),
            ended_at: append.status.is_final().then_some(ended),
            steps: append.steps.iter().map(|(node, status)| (node.0, status.number())).collect(),
            snapshot: append.snapshot,
            state: append
                .state
                .iter()
                .map(|(name, value)| Ok((name.to_string(), to_json(value)?)))
                .collect::<Result<_, StoreError>>()?,
        })
    }
}

/// When a run began, if it did so among these events.
fn started(events: &[Recorded]) -> Option<i64> {
    events.iter().find(|recorded| matches!(recorded.event, Event::RunStarted)).map(|recorded| recorded.at.as_micros())
}
