//! What is told live: everything once and in order, wherever a stream is cut.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use millwork_engine::model::{Fault, RunId};
use millwork_service::events::{Change, Teller};
use millwork_testkit::script::{Act, Script};
use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

use crate::{
    place::{Answer, ECHO, Place, Setup, text, within},
    sse::Event,
};

/// Retries, items, steps side by side, a wait, a skipped step, a failure that is allowed.
const BUSY: &str = r#"
version: 1
name: busy
steps:
  - id: tried
    uses: scripted
    retry: {max_attempts: 3, delay: 1ms}
    with: {value: 1}
  - id: each
    for_each: "[1, 2, 3, 4, 5]"
    uses: scripted
    with: {value: "${{ item }}"}
  - id: pause
    uses: wait
    with: {for: 5ms}
  - id: never
    if: ${{ false }}
    uses: scripted
    with: {value: 0}
  - id: breaks
    needs: [tried, pause]
    uses: scripted
    continue_on_error: true
    with: {value: "${{ steps.tried.outputs.value }}"}
  - id: last
    needs: [breaks, each]
    uses: scripted
    with: {value: 2}
"#;

fn script(runs: usize) -> Script {
    let failed = || Act::Fail(Fault::external("test.failed", "it failed"));
    let some = |n: usize| std::iter::repeat_with(failed).take(n).collect::<Vec<_>>();
    Script::default().then("tried", some(2)).then("breaks", some(runs))
}

/// What a run's log says, told by its whole log.
async fn expected(place: &Place, run: &str) -> Vec<(u64, String, String)> {
    let id: RunId = run.parse().expect("an id");
    let engine = place.service.engine();
    let mut teller = Teller::new(id, &engine.plan_of(id).await.expect("a plan"));
    let log = engine.reader().events(id, 0, 10_000).await.expect("a log");
    let told = log.iter().flat_map(|event| teller.tell(event));
    told.map(|told| match told.change {
        Change::Run { status } => (told.seq, "run".to_owned(), word(status)),
        Change::Step { step, status, .. } => (told.seq, format!("step {step}"), word(status)),
        Change::Items(items) => (told.seq, format!("items {}", items.step), items.counts.succeeded.to_string()),
    })
    .collect()
}

/// A status as its word.
fn word(status: impl serde::Serialize) -> String {
    serde_json::to_value(status).ok().and_then(|json| json.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The same of what was told.
fn shown(event: &Event) -> (u64, String, String) {
    let data = &event.data;
    let name = if event.name == "run" { "run".to_owned() } else { format!("{} {}", event.name, text(&data["step"])) };
    let what = if event.name == "items" { data["succeeded"].to_string() } else { text(&data["status"]) };
    (data["seq"].as_u64().expect("a number"), name, what)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_once_and_in_order_wherever_it_is_cut() {
    let place = Place::with(Setup { script: script(1), ..Setup::default() }, &[BUSY]).await;
    let run = place.start("busy", json!({})).await;
    let path = format!("/runs/{run}/events");
    let live = place.stream(&path, None).await.rest().await;
    let whole = place.stream(&path, None).await.rest().await;
    assert_eq!(live, whole, "live and afterwards");
    let (end, changes) = whole.split_last().expect("events");
    assert_eq!((end.name.as_str(), &end.data["status"]), ("end", &json!("succeeded")));
    let told: Vec<_> = changes.iter().map(shown).collect();
    assert_eq!(told, expected(&place, &run).await);
    for must in [("run", "running"), ("step breaks", "failed"), ("step pause", "waiting"), ("step never", "skipped")] {
        assert!(told.iter().any(|(_, name, what)| (name.as_str(), what.as_str()) == must), "{must:?}: {told:?}");
    }
    let faults = changes.iter().filter(|event| event.data["fault"]["code"] == "test.failed");
    assert!(faults.count() >= 3, "every attempt that failed is told: {told:?}");
    assert!(whole.iter().all(|event| event.id.is_some()), "one can go on after any event");

    let cuts = (0..whole.len()).map(|cut| {
        let (place, path, whole) = (&place, &path, &whole);
        async move {
            let rest = place.stream(path, whole[cut].id.as_deref()).await.rest().await;
            let expected = if cut + 1 == whole.len() { &whole[cut..] } else { &whole[cut + 1..] };
            assert_eq!(rest, expected, "cut after {cut}");
        }
    });
    join_all(cuts).await;
    // With the parameter in place of the header.
    let after = whole[3].id.clone().expect("an id");
    assert_eq!(place.stream(&format!("{path}?after={after}"), None).await.rest().await, whole[4..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_stream_that_is_cut_after_every_event() {
    let place = Place::with(Setup { script: script(1), ..Setup::default() }, &[BUSY]).await;
    let run = place.start("busy", json!({})).await;
    let path = format!("/runs/{run}/events");
    let (mut told, mut last) = (Vec::new(), None::<String>);
    loop {
        let event = place.stream(&path, last.as_deref()).await.next().await.expect("an event");
        last.clone_from(&event.id);
        told.push(event);
        if told.last().is_some_and(|event| event.name == "end") {
            break;
        }
    }
    assert_eq!(told, place.stream(&path, None).await.rest().await);
}

/// The place of an id of the stream of all: commit, and change inside it (the last one stands for all).
fn place_of(event: &Event) -> (u64, u64) {
    let id = event.id.as_deref().and_then(|id| id.strip_prefix("p:")).expect("an id");
    match id.split_once('.') {
        Some((commit, part)) => (commit.parse().expect("a number"), part.parse().expect("a number")),
        None => (id.parse().expect("a number"), u64::MAX),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_runs_are_told_once_and_in_order_wherever_it_is_cut() {
    const RUNS: usize = 12;
    let place = Place::with(Setup { script: script(RUNS), ..Setup::default() }, &[BUSY]).await;
    // Readers that hold out for so many events, and one that is never cut.
    let readers = [1, 2, 3, 7, usize::MAX].map(|hold| {
        let place = &place;
        async move {
            let (mut told, mut last, mut ended) = (Vec::<Event>::new(), "p:0".to_owned(), 0);
            while ended < RUNS {
                let mut stream = place.stream("/events", Some(&last)).await;
                for _ in 0..hold {
                    let event = stream.next().await.expect("a stream without an end");
                    last = event.id.clone().expect("an id");
                    let is_end = event.name == "run" && event.data["status"] == "succeeded";
                    ended += usize::from(is_end);
                    told.push(event);
                    if ended == RUNS {
                        break;
                    }
                }
            }
            told
        }
    });
    let starts = join_all((0..RUNS).map(|_| place.start("busy", json!({}))));
    let (runs, all) = tokio::join!(starts, join_all(readers));
    let (whole, cut) = all.split_last().expect("readers");
    for told in cut {
        assert_eq!(told, whole, "cut or not, the same is told");
    }
    let places: Vec<_> = whole.iter().map(place_of).collect();
    assert!(places.is_sorted() && places.windows(2).all(|pair| pair[0] != pair[1]), "each once: {places:?}");
    for run in runs {
        let own = place.stream(&format!("/runs/{run}/events"), None).await.rest().await;
        let own: Vec<_> = own.iter().filter(|event| event.name != "end").map(Event::what).collect();
        let of_run = whole.iter().filter(|event| event.data["run"] == run.as_str());
        assert_eq!(of_run.map(Event::what).collect::<Vec<_>>(), own, "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_alone_is_followed_from_now_on() {
    let other = ECHO.replace("name: echo", "name: other");
    let place = Place::open(&[ECHO, &other]).await;
    place.ran("echo", json!({})).await;
    let mut stream = place.stream("/events?pipeline=other", None).await;
    place.ran("echo", json!({})).await;
    let run = place.start("other", json!({})).await;
    loop {
        let event = stream.next().await.expect("an event");
        assert_eq!(event.data["run"], run.as_str(), "{event:?}");
        if event.data["status"] == "succeeded" && event.name == "run" {
            break;
        }
    }
}

/// Reads a stream by hand: with little room for what was not read.
struct Slow {
    socket: tokio::net::TcpStream,
    raw: Vec<u8>,
}

impl Slow {
    async fn open(place: &Place, path: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let mut socket = socket.connect(place.address).await.expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n\r\n", place.address);
        socket.write_all(request.as_bytes()).await.expect("a request");
        Self { socket, raw: Vec::new() }
    }

    /// Reads until so many runs have ended; what was told, as text.
    async fn until_ended(&mut self, runs: usize) -> String {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let text = self.text();
            if text.matches("\"status\":\"succeeded\",\"seq\"").count() >= runs && text.ends_with("\n\n") {
                return text;
            }
            let n = within("the slow reader", self.socket.read(&mut bytes)).await.expect("bytes");
            assert_ne!(n, 0, "the stream ended");
            self.raw.extend_from_slice(&bytes[..n]);
        }
    }

    /// The body so far, its chunks put together.
    fn text(&self) -> String {
        let Some(head) = self.raw.windows(4).position(|four| four == b"\r\n\r\n") else { return String::new() };
        let (mut rest, mut body) = (&self.raw[head + 4..], Vec::new());
        while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&rest[..line]).expect("text");
            let size = usize::from_str_radix(size, 16).expect("a length");
            let Some(chunk) = rest.get(line + 2..line + 2 + size) else { break };
            body.extend_from_slice(chunk);
            rest = rest.get(line + 4 + size..).unwrap_or_default();
        }
        String::from_utf8(body).expect("text")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_stalls_holds_nobody_up_and_loses_nothing() {
    // More commits than are kept for those who are slow.
    const RUNS: usize = 24;
    let steps = (0..200).map(|n| {
        let needs = if n == 0 { String::new() } else { format!("    needs: s{}\n", n - 1) };
        format!("  - id: s{n}\n{needs}    uses: scripted\n    with: {{value: {n}}}\n")
    });
    let long = format!("version: 1\nname: long\nsteps:\n{}", steps.collect::<String>());
    let place = Place::open(&[&long]).await;
    let mut slow = Slow::open(&place, "/api/v1/events?after=p:0").await;
    let mut quick = place.stream("/events", Some("p:0")).await;
    let runs = join_all((0..RUNS).map(|_| place.start("long", json!({})))).await;
    let (mut told, mut ended) = (Vec::new(), 0);
    while ended < RUNS {
        let event = quick.next().await.expect("an event");
        ended += usize::from(event.name == "run" && event.data["status"] == "succeeded");
        told.push(event);
    }
    let commits: BTreeSet<_> = told.iter().map(|event| place_of(event).0).collect();
    assert!(commits.len() > 4500, "{}", commits.len());
    for run in &runs {
        assert_eq!(place.ended(run).await["status"], "succeeded");
    }
    // Only now it reads on.
    let text = slow.until_ended(RUNS).await;
    let blocks: Vec<&str> = text.split("\n\n").filter(|block| block.contains("event:")).collect();
    let ids = |block: &&str| block.lines().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned);
    let slow: Vec<_> = blocks.iter().filter_map(ids).collect();
    let quick: Vec<_> = told.iter().filter_map(|event| event.id.clone()).collect();
    assert_eq!(slow.len(), quick.len());
    assert!(slow == quick, "the slow reader was told something else");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_is_a_gap() {
    let place = Place::open(&[ECHO]).await;
    let mut runs = Vec::new();
    for n in 0..3 {
        runs.push(text(&place.ran("echo", json!({"n": n})).await["id"]));
    }
    let id = |run: &str| run.parse::<RunId>().expect("an id");
    for run in &runs[..2] {
        place.service.engine().reader().forget(id(run)).await.expect("forgotten");
    }
    let mut stream = place.stream("/events", Some("p:0")).await;
    let gap = stream.next().await.expect("an event");
    assert_eq!((gap.name.as_str(), &gap.data["from"]), ("gap", &json!(0)), "{gap:?}");
    assert_eq!(gap.id, Some(format!("p:{}", gap.data["to"])));
    let next = stream.next().await.expect("an event");
    assert_eq!(next.data["run"], runs[2].as_str());
    // Told of once.
    let mut again = place.stream("/events", gap.id.as_deref()).await;
    assert_eq!(again.next().await, Some(next));
    place.get(&format!("/runs/{}/events", runs[0])).await.refused(404, "api.missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_other_streams_are_refused() {
    let place = Place::open(&[ECHO]).await;
    let run = text(&place.ran("echo", json!({})).await["id"]);
    let own = format!("/runs/{run}/events");
    let table: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (
            "/events",
            &["x", "7", "s:1", "p:", "p:-1", "p:x", "p:1.", "p:.1", "p:1.x", "p:0.1", "p:99999999999999999999"][..],
        ),
        (own.as_str(), &["x", "7", "p:1", "s:", "s:x", "s:1;l:x", "s:1;l:", "s:0.1"][..]),
    ]);
    for (path, ids) in table {
        for bad in ids {
            let answer = Answer::of(place.call(Method::GET, path).header("last-event-id", *bad)).await;
            answer.refused(400, "api.request");
            place.get(&format!("{path}?after={bad}")).await.refused(400, "api.request");
        }
    }
    // A place that never was is one after all that is known.
    let rest = place.stream(&own, Some("s:9999")).await.rest().await;
    assert_eq!(rest.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["end"]);
    let _: Json = place.good("/runs").await;
}
