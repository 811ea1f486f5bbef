//! Changes as server-sent events.

use std::{
    convert::Infallible,
    fmt::{self, Write},
    str::FromStr,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt};
use millwork_service::events::{Change, Message, Told};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::views::{FaultView, ItemsView, WaitView, time, word};

/// How often a stream without news shows that it lives.
pub(crate) const BEAT: Duration = Duration::from_secs(15);
/// Events that wait for a reader at most; who reads slower holds nobody up, and is read to from the store.
const AHEAD: usize = 64;

/// How far a reader knows a stream: all up to a place, and the first changes of the place after it. Written as the place
/// (`12`), or as the next place and how many of its changes are known (`13.2`), so that who resumes after any event is
/// told each change once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The last place of which all is known.
    pub upto: u64,
    /// How many changes of the next place are known.
    pub part: usize,
}

impl Known {
    /// All up to a place.
    pub(crate) fn upto(place: u64) -> Self {
        Self { upto: place, part: 0 }
    }

    /// After so many of the changes of a place.
    pub(crate) fn after(place: u64, changes: usize, of: usize) -> Self {
        if changes == of { Self::upto(place) } else { Self { upto: place.saturating_sub(1), part: changes } }
    }

    /// How many changes of a place are known, of which not all are.
    pub(crate) fn of(self, place: u64) -> usize {
        if place.checked_sub(1) == Some(self.upto) { self.part } else { 0 }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            0 => self.upto.fmt(f),
            part => write!(f, "{}.{part}", self.upto.saturating_add(1)),
        }
    }
}

impl FromStr for Known {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| text.parse::<u64>().map_err(drop);
        Ok(match text.split_once('.') {
            None => Self::upto(number(text)?),
            Some((next, part)) => {
                Self { upto: number(next)?.checked_sub(1).ok_or(())?, part: part.parse().map_err(drop)? }
            }
        })
    }
}

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
}

/// The name of a change's event, and its JSON.
fn parts(told: &Told, pipeline: &str) -> (&'static str, String) {
    let (run, seq, at) = (told.run.to_string(), told.seq, time(told.at));
    match &told.change {
        Change::Run { status } => ("run", text(&RunEvent { run, pipeline, status: word(status), seq, at })),
        Change::Step { step, node, status, attempt, fault, rows, wait, reused } => (
            "step",
            text(&StepEvent {
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
            }),
        ),
        Change::Items(items) => {
            let counts = ItemsView::new(items.counts, items.running);
            ("items", text(&ItemsEvent { run, step: &items.step, seq, at, counts }))
        }
    }
}

fn text(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

/// A change as an event without its id.
pub(crate) fn event(told: &Told, pipeline: &str) -> Event {
    let (name, data) = parts(told, pipeline);
    Event::default().event(name).data(data)
}

/// The changes of a commit as they are sent, but for the first ones; each with its id in the stream of all runs.
pub(crate) fn changes(message: &Message, skip: usize) -> String {
    let mut lines = String::new();
    for (n, told) in message.told.iter().enumerate().skip(skip) {
        let (name, data) = parts(told, &message.pipeline);
        let id = Known::after(message.pos, n + 1, message.told.len());
        let _ = write!(lines, "event: {name}\ndata: {data}\nid: p:{id}\n\n");
    }
    lines
}

/// The same for all who have seen none of them, made once.
pub(crate) fn all_changes(message: &Message) -> Bytes {
    let shown = message.shown.get_or_init(|| changes(message, 0).into_bytes().into());
    Bytes::from_owner(shown.clone())
}

/// A stream of events that are written already.
pub(crate) fn written(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response()
}

/// An event of a name with JSON.
pub(crate) fn named(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).data(text(data))
}

/// Where events go.
pub(crate) type Sink = mpsc::Sender<Result<Event, Infallible>>;

/// A stream, and where its events go. The stream ends when the sink is dropped.
pub(crate) fn stream() -> (Sink, Sse<impl Stream<Item = Result<Event, Infallible>>>) {
    let (sink, source) = mpsc::channel(AHEAD);
    (sink, Sse::new(ReceiverStream::new(source)).keep_alive(KeepAlive::new().interval(BEAT)))
}
