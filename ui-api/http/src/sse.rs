//! Changes as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use millwork_service::events::{Change, Told};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::views::{FaultView, ItemsView, WaitView, time, word};

/// How often a stream without news shows that it lives.
const BEAT: Duration = Duration::from_secs(15);
/// Events that wait for a reader at most; who reads slower holds nobody up, and is read to from the store.
const AHEAD: usize = 64;

/// `event: run`
#[derive(Serialize)]
struct RunEvent<'a> {
    run: String,
    pipeline: &'a str,
    status: String,
    seq: u64,
    at: String,
}

/// `event: step`
#[derive(Serialize)]
struct StepEvent<'a> {
    run: String,
    step: &'a str,
    ix: u32,
    status: String,
    attempt: u32,
    seq: u64,
    at: String,
    fault: Option<FaultView>,
    rows: Option<u64>,
    wait: Option<WaitView>,
    reused: bool,
}

/// `event: items`
#[derive(Serialize)]
struct ItemsEvent<'a> {
    run: String,
    step: &'a str,
    seq: u64,
    at: String,
    #[serde(flatten)]
    counts: ItemsView,
    cancelled: u32,
}

/// A change as an event without its id.
pub(crate) fn event(told: &Told, pipeline: &str) -> Event {
    let (run, seq, at) = (told.run.to_string(), told.seq, time(told.at));
    match &told.change {
        Change::Run { status } => named("run", &RunEvent { run, pipeline, status: word(status), seq, at }),
        Change::Step { step, node, status, attempt, fault, rows, wait, reused } => named(
            "step",
            &StepEvent {
                run,
                step,
                ix: node.0,
                status: word(status),
                attempt: *attempt,
                seq,
                at,
                fault: fault.as_ref().map(Into::into),
                rows: *rows,
                wait: wait.as_ref().map(Into::into),
                reused: *reused,
            },
        ),
        Change::Items(items) => {
            let (counts, cancelled) = (items.counts.into(), items.cancelled);
            named("items", &ItemsEvent { run, step: &items.step, seq, at, counts, cancelled })
        }
    }
}

/// An event of a name with JSON.
pub(crate) fn named(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}

/// Where events go.
pub(crate) type Sink = mpsc::Sender<Result<Event, Infallible>>;

/// A stream, and where its events go. The stream ends when the sink is dropped.
pub(crate) fn stream() -> (Sink, Sse<impl Stream<Item = Result<Event, Infallible>>>) {
    let (sink, source) = mpsc::channel(AHEAD);
    (sink, Sse::new(ReceiverStream::new(source)).keep_alive(KeepAlive::new().interval(BEAT)))
}
