//! What happens, live.

use std::{future::Future, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use millwork_engine::{Engine, LogPlace, LogQuery, model::RunId};
use millwork_service::{Service, events::Teller};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::{logs::LineView, reader::Reader, run};
use crate::{
    app::App,
    guard::{Caller, Read},
    lapse::{Shown, Watch, lapsed},
    problem::{Answer, Path, Problem, Query, Refusals},
    sse::{Known, Sink, event, named, stream, written},
    views::word,
};

/// How often new log lines are looked for.
const LOGS: Duration = Duration::from_millis(500);
/// Log lines in one event at most.
const LINES: u64 = 500;

/// From where, and what.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Follow {
    /// The id of the last event that is known; in place of the header `Last-Event-ID`.
    after: Option<String>,
    /// Only runs of this pipeline.
    pipeline: Option<String>,
}

/// From where, and what.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowRun {
    /// The id of the last event that is known; in place of the header `Last-Event-ID`. Without either the stream
    /// begins with the run's first event.
    after: Option<String>,
    /// Whether log lines are told as well: 1.
    logs: Option<u8>,
}

fn last_id(headers: &HeaderMap, after: Option<&str>) -> Option<String> {
    let header = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    header.or(after).filter(|id| !id.is_empty()).map(str::to_owned)
}

/// Changes of all runs, as server-sent events `run`, `step`, `items` and `gap`. Ids are places in the order of all
/// commits (`p:123`, or `p:123.2` inside of one); a stream without one begins now. After `gap` something between is
/// gone: read the lists again. When the token or session is not good any more, the stream ends with `problem`.
#[utoipa::path(get, path = "/events", tag = "events", params(Follow, ("Last-Event-ID" = Option<String>, Header, description = "the id of the last event that is known")), responses((status = 200, body = String, content_type = "text/event-stream"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn all(
    State(app): State<App>,
    caller: Caller<Read>,
    headers: HeaderMap,
    Query(follow): Query<Follow>,
) -> Answer<Response> {
    let service = app.service().clone();
    let bad = |id: &str| Problem::bad(format!("`{id}` is no id of this stream: they look like `p:123`"));
    let known = last_id(&headers, follow.after.as_deref());
    let begins_now = known.is_none();
    let after =
        known.map(|id| id.strip_prefix("p:").and_then(|known| known.parse::<Known>().ok()).ok_or_else(|| bad(&id)));
    let after = match after.transpose()? {
        Some(after) => after,
        None => Known::upto(service.engine().reader().feed_head().await?),
    };
    let watch = Watch::new(&app, caller.shown());
    let reader = Reader::new(service, caller, follow.pipeline, after, begins_now, watch);
    Ok(written(futures::stream::unfold(reader, async |mut reader| Some((reader.next().await?, reader)))))
}

/// Tells as long as what the reader showed is good; then the stream ends with `problem`.
pub(crate) async fn while_good(app: &App, shown: &Shown, sink: &Sink, telling: impl Future<Output = ()>) {
    tokio::select! {
        () = telling => {}
        // Who reads nothing is not waited for.
        problem = lapsed(app, shown) => drop(sink.try_send(Ok(problem.event()))),
    }
}

/// Changes of one run, as server-sent events `run`, `step`, `items`, `log` and `end`. Ids are places in the run's log
/// (`s:12`, or `s:12.1` inside of an event; with logs `s:12;l:340`). The stream ends with the run, or with
/// `problem` when the token or session is not good any more.
#[utoipa::path(get, path = "/runs/{id}/events", tag = "events", params(("id" = String, Path, description = "the run"), FollowRun, ("Last-Event-ID" = Option<String>, Header, description = "the id of the last event that is known")), responses((status = 200, body = String, content_type = "text/event-stream"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn of_run(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(follow): Query<FollowRun>,
) -> Answer<Response> {
    let stored = run(&app, &caller, &id).await?;
    let service = app.service().clone();
    let known = last_id(&headers, follow.after.as_deref());
    let (told, line) = match &known {
        None => (Known::default(), 0),
        Some(id) => {
            place(id).ok_or_else(|| Problem::bad(format!("`{id}` is no id of this stream: they look like `s:12`")))?
        }
    };
    let plan = service.engine().plan_of_revision(stored.revision).await?;
    let teller = Teller::new(stored.id, &plan);
    let logs = (follow.logs == Some(1)).then_some(line);
    let (sink, response) = stream();
    let shown = caller.shown();
    tokio::spawn(async move {
        let mut telling = Telling { run: stored.id, pipeline: stored.pipeline, teller, told, logs, sink: sink.clone() };
        while_good(&app, &shown, &sink, telling.all(&service)).await;
    });
    Ok(response.into_response())
}

/// `s:SEQ`, or `s:SEQ;l:NEXT`.
fn place(id: &str) -> Option<(Known, u64)> {
    let rest = id.strip_prefix("s:")?;
    match rest.split_once(";l:") {
        Some((seq, line)) => Some((seq.parse().ok()?, line.parse().ok()?)),
        None => Some((rest.parse().ok()?, 0)),
    }
}

/// The telling of one run to one reader.
pub(crate) struct Telling {
    pub(crate) run: RunId,
    pub(crate) pipeline: String,
    pub(crate) teller: Teller,
    /// What the reader knows of the run's log.
    pub(crate) told: Known,
    /// The next log line, if lines are told.
    pub(crate) logs: Option<u64>,
    pub(crate) sink: Sink,
}

impl Telling {
    /// Tells until the run is over, the reader is gone, or the service stops.
    pub(crate) async fn all(&mut self, service: &Service) {
        'again: loop {
            let mut following = service.hub().follow();
            if !self.catch_up(service.engine()).await {
                return;
            }
            let mut look = tokio::time::interval(LOGS);
            loop {
                if self.teller.status().is_final() {
                    self.lines(service.engine()).await;
                    let end = json!({"run": self.run.to_string(), "status": word(self.teller.status())});
                    let _ = self.sink.send(Ok(named("end", &end).id(self.id()))).await;
                    return;
                }
                tokio::select! {
                    () = service.stopping().cancelled() => return,
                    () = self.sink.closed() => return,
                    _ = look.tick(), if self.logs.is_some() => if !self.lines(service.engine()).await { return },
                    message = following.next() => match message {
                        None => continue 'again,
                        Some(message) if message.run == self.run => if !self.catch_up(service.engine()).await { return },
                        Some(_) => {}
                    },
                }
            }
        }
    }

    fn id(&self) -> String {
        match self.logs {
            Some(line) => format!("s:{};l:{line}", self.told),
            None => format!("s:{}", self.told),
        }
    }

    /// Tells what the store has and the reader does not.
    async fn catch_up(&mut self, engine: &Engine) -> bool {
        loop {
            let Ok(page) = engine.reader().events(self.run, self.teller.seq(), 500).await else { return false };
            if page.is_empty() {
                return true;
            }
            for recorded in &page {
                let changes = self.teller.tell(recorded);
                if recorded.seq <= self.told.upto {
                    continue;
                }
                for (n, told) in changes.iter().enumerate().skip(self.told.of(recorded.seq)) {
                    self.told = Known::after(recorded.seq, n + 1, changes.len());
                    let event = event(told, &self.pipeline).id(self.id());
                    if self.sink.send(Ok(event)).await.is_err() {
                        return false;
                    }
                }
                self.told = Known::upto(recorded.seq);
            }
        }
    }

    /// Tells log lines that are new.
    async fn lines(&mut self, engine: &Engine) -> bool {
        while let Some(next) = self.logs {
            // The last lines are all there when the run is over.
            let over = self.teller.status().is_final();
            let place = if over { LogPlace::From(next) } else { LogPlace::Follow(next) };
            let page = engine.log_page(self.run, LogQuery::default(), place, LINES).await;
            let Some(page) = page.ok().filter(|page| !page.lines.is_empty()) else { break };
            let views: Vec<LineView> =
                (page.first..).zip(&page.lines).map(|(n, line)| LineView::new(n, line)).collect();
            self.logs = Some(page.first + views.len() as u64);
            let event = named("log", &json!({"lines": views})).id(self.id());
            if self.sink.send(Ok(event)).await.is_err() {
                return false;
            }
        }
        true
    }
}
