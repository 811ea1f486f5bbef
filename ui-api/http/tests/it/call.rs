//! Request and response: a run whose caller waits.

use millwork_engine::model::Fault;
use millwork_testkit::script::{Act, Script};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::{
    place::{Answer, ECHO, PATIENCE, Place, Setup, each, gated, text, within},
    sse::Stream,
};

/// Waits for the newest run of a pipeline, whose id nobody was told.
async fn newest(place: &Place, pipeline: &str) -> String {
    let mut stream = place.stream(&format!("/events?pipeline={pipeline}"), Some("p:0")).await;
    text(&stream.next().await.expect("an event").data["run"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_gives_the_outputs() {
    let place = Place::open(&[ECHO]).await;
    let answer = place.post("/pipelines/echo/call", json!({"inputs": {"n": 7}})).await.of_status(StatusCode::OK);
    assert_eq!((&answer["status"], &answer["outputs"]), (&json!("succeeded"), &json!({"n": 7})));
    let run = place.good(&format!("/runs/{}", text(&answer["run"]))).await;
    assert_eq!((&run["status"], &run["cause"]["kind"]), (&json!("succeeded"), &json!("call")));
    let table = [
        ("/pipelines/nobody/call", json!({}), 404, "api.missing"),
        ("/pipelines/echo/call", json!({"inputs": {"n": "x"}}), 422, "input.type"),
        ("/pipelines/echo/call", json!({"input": 1}), 422, "api.request"),
        ("/pipelines/echo/call?timeout_s=x", json!({}), 400, "api.request"),
    ];
    for (path, body, status, code) in table {
        let answer = place.post(path, body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_names_its_run() {
    let failed = Act::Fail(Fault::user("test.failed", "it failed").help("mend it"));
    let script = Script::default().then("say", [failed]);
    let place = Place::with(Setup { script, ..Setup::default() }, &[ECHO]).await;
    let answer = place.post("/pipelines/echo/call", json!({})).await;
    answer.refused(422, "test.failed");
    let body = answer.json();
    assert_eq!((&body["detail"], &body["help"]), (&json!("it failed"), &json!("mend it")));
    assert_eq!(place.good(&format!("/runs/{}", text(&body["run"]))).await["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_cancels_the_run() {
    for accept in ["application/json", "text/event-stream"] {
        let place = Place::open(&[&gated("waits", "")]).await;
        let request = place.call(Method::POST, "/pipelines/waits/call").json(&json!({})).header("accept", accept);
        let caller = tokio::spawn(async move {
            let mut answer = request.send().await.expect("an answer");
            while answer.chunk().await.is_ok_and(|chunk| chunk.is_some()) {}
        });
        let run = newest(&place, "waits").await;
        place.until(&run, |name, data| name == "step" && data["status"] == "running").await;
        caller.abort();
        assert_eq!(place.ended(&run).await["status"], "cancelled", "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_is_cancelled() {
    let place = Place::open(&[&gated("waits", "")]).await;
    let answer = place.post("/pipelines/waits/call?timeout_s=1", json!({})).await;
    answer.refused(504, "call.timeout");
    assert_eq!(place.ended(&text(&answer.json()["run"])).await["status"], "cancelled");
    let mut stream = told(&place, "/pipelines/waits/call?timeout_s=1").await;
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    let last = last.expect("events");
    assert_eq!((last.name.as_str(), &last.data["code"]), ("problem", &json!("call.timeout")));
}

async fn told(place: &Place, path: &str) -> Stream {
    Stream::of(place.call(Method::POST, path).json(&json!({}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_can_be_followed() {
    let says = "version: 1\nname: says\nsteps:\n  - id: say\n    uses: says\n    with: {value: 3}\n\
                outputs: {n: \"${{ steps.say.outputs.value }}\"}\n";
    let place = Place::open(&[says]).await;
    let events = told(&place, "/pipelines/says/call").await.rest().await;
    let (result, before) = events.split_last().expect("events");
    assert_eq!((result.name.as_str(), &result.data["outputs"]), ("result", &json!({"n": 3})));
    assert_eq!(before.last().map(|event| event.name.as_str()), Some("end"));
    let lines = before.iter().filter(|event| event.name == "log").flat_map(|event| each(&event.data["lines"], "text"));
    assert_eq!(lines.collect::<Vec<_>>(), ["line 0", "line 1", "line 2"]);
    let run = text(&result.data["run"]);
    let changes: Vec<_> = before.iter().filter(|event| event.name != "log").map(|event| event.what()).collect();
    let own = place.stream(&format!("/runs/{run}/events"), None).await.rest().await;
    assert_eq!(changes, own.iter().map(|event| event.what()).collect::<Vec<_>>());
}

const ONE: &str = "concurrency: {group: one, limit: 1}";

/// Holds the group until its gate is opened.
async fn holder(place: &Place) -> String {
    let run = place.start("waits", json!({})).await;
    place.until(&run, |name, data| name == "step" && data["status"] == "running").await;
    run
}

/// The run of a call that waits in the queue.
async fn queued(place: &Place, holder: &str) -> String {
    let mut stream = place.stream("/events", Some("p:0")).await;
    loop {
        let event = stream.next().await.expect("an event");
        if event.data["status"] == "queued" && event.data["run"] != holder {
            return text(&event.data["run"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_for_its_turn() {
    let short = ECHO.replace("name: echo", &format!("name: echo\n{ONE}"));
    for (pipeline, accept) in
        [("echo", "application/json"), ("echo", "text/event-stream"), ("waits", "application/json")]
    {
        let place = Place::open(&[&gated("waits", ONE), &short]).await;
        let first = holder(&place).await;
        let path = format!("/pipelines/{pipeline}/call");
        let request = place.call(Method::POST, &path).json(&json!({})).header("accept", accept);
        let caller = tokio::spawn(async move { request.send().await.expect("an answer").text().await.expect("text") });
        let waits = queued(&place, &first).await;
        assert_eq!(place.good(&format!("/runs/{waits}")).await["status"], "queued");
        place.gates.open("g");
        let said = within("the call", caller).await.expect("an answer");
        assert!(said.contains("\"succeeded\"") && said.contains(&waits), "{accept}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_while_queued_is_taken_out() {
    for accept in ["application/json", "text/event-stream"] {
        let place = Place::open(&[&gated("waits", ONE)]).await;
        let first = holder(&place).await;
        let request = place.call(Method::POST, "/pipelines/waits/call").json(&json!({})).header("accept", accept);
        let caller = tokio::spawn(async move { request.send().await.expect("an answer").text().await });
        let waits = queued(&place, &first).await;
        caller.abort();
        let run = place.ended(&waits).await;
        let attempts = &place.steps(&text(&run["id"])).await[0]["attempts"];
        assert_eq!((&run["status"], attempts), (&json!("cancelled"), &json!(0)), "{accept}");
        // Nobody waits any more.
        let next = place.start("waits", json!({})).await;
        assert_eq!(place.good(&format!("/runs/{next}")).await["queue"]["position"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cancelled_while_queued_ends() {
    let place = Place::open(&[&gated("waits", ONE)]).await;
    let first = holder(&place).await;
    let request = place.call(Method::POST, "/pipelines/waits/call").json(&json!({}));
    let caller = tokio::spawn(Answer::of(request));
    let waits = queued(&place, &first).await;
    place.post(&format!("/runs/{waits}/cancel"), json!({})).await.of_status(StatusCode::ACCEPTED);
    let answer = tokio::time::timeout(PATIENCE / 2, caller).await.expect("an end").expect("an answer");
    assert_eq!((answer.status.as_u16(), &answer.json()["run"]), (422, &json!(waits)), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_call_counts_in_the_queue_as_well() {
    let place = Place::open(&[&gated("waits", ONE)]).await;
    let first = holder(&place).await;
    let answer = place.post("/pipelines/waits/call?timeout_s=1", json!({})).await;
    answer.refused(504, "call.timeout");
    assert_eq!(place.ended(&text(&answer.json()["run"])).await["status"], "cancelled");
    let skip = place.good(&format!("/runs/{first}")).await;
    assert_eq!(skip["status"], "running");
    let _: Json = place.good("/overview").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_group_that_skips_refuses_a_call() {
    let place = Place::open(&[&gated("waits", "concurrency: {group: one, limit: 1, on_conflict: skip}")]).await;
    holder(&place).await;
    place.post("/pipelines/waits/call", json!({})).await.refused(409, "run.skipped");
}
