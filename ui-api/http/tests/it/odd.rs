//! What nobody should send.

use std::fs;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::place::{Answer, ECHO, Place, Setup, each, text};

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_read() {
    let place = Place::with(Setup { body_limit: Some(1000), ..Setup::default() }, &[ECHO]).await;
    let large = format!("{{\"pipeline\": \"echo\", \"inputs\": {{\"n\": \"{}\"}}}}", "x".repeat(2000));
    let json_type = Some("application/json");
    let table: &[(&str, Option<&str>, &str, u16)] = &[
        ("/runs", json_type, "", 400),
        ("/runs", json_type, "{", 400),
        ("/runs", json_type, "no json", 400),
        ("/runs", json_type, "[]", 422),
        ("/runs", json_type, "\"echo\"", 422),
        ("/runs", json_type, "{\"pipeline\": 1}", 422),
        ("/runs", json_type, "{\"pipeline\": \"echo\", \"what\": 1}", 422),
        ("/runs", json_type, "{\"pipeline\": \"echo\", \"priority\": -1}", 422),
        ("/runs", json_type, &large, 413),
        ("/runs", None, "{\"pipeline\": \"echo\"}", 415),
        ("/runs", Some("text/plain"), "{\"pipeline\": \"echo\"}", 415),
        ("/pipelines/echo/call", json_type, "{\"what\": 1}", 422),
        ("/session", json_type, "{}", 422),
        ("/session", json_type, "{\"token\": \"a\", \"what\": 1}", 422),
        ("/tokens", json_type, "{\"name\": \"a\", \"role\": \"king\"}", 422),
        ("/tokens", json_type, "{\"name\": \"two words\", \"role\": \"viewer\"}", 422),
        ("/tokens", json_type, "{\"name\": \"a\", \"role\": \"admin\", \"pipelines\": [\"a*\"]}", 422),
        ("/check", json_type, "{}", 422),
        ("/check", json_type, &large, 413),
    ];
    for (path, kind, body, status) in table {
        let mut request = place.call(Method::POST, path).body((*body).to_owned());
        if let Some(kind) = kind {
            request = request.header("content-type", *kind);
        }
        let answer = Answer::of(request).await;
        assert_eq!(answer.status.as_u16(), *status, "{path} {body}: {answer}");
    }
    let hook = place.bare(Method::POST, "/hooks/x").body(large);
    assert_eq!(Answer::of(hook).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(place.good("/runs").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_cannot_be_read() {
    let cron = "version: 1\nname: nightly\non: {schedule: {cron: \"0 3 * * *\", timezone: Europe/Berlin}}\n\
                steps:\n  - id: say\n    uses: scripted\n    with: {value: 1}\n";
    let place = Place::open(&[ECHO, cron]).await;
    let run = text(&place.ran("echo", json!({})).await["id"]);
    let ticks = "/pipelines/nightly/schedules/0/ticks";
    let table = [
        ("/runs?limit=x".to_owned(), 400),
        ("/runs?limit=-1".to_owned(), 400),
        ("/runs?limit=99999999999".to_owned(), 400),
        ("/runs?limit=0".to_owned(), 200),
        ("/runs?limit=4000000000".to_owned(), 200),
        ("/runs?cursor=x".to_owned(), 400),
        ("/runs?cursor=run_".to_owned(), 400),
        ("/runs?cursor=".to_owned(), 400),
        ("/runs?parent=x".to_owned(), 400),
        ("/runs?status=odd".to_owned(), 400),
        ("/runs?since=yesterday".to_owned(), 400),
        ("/runs?since=%2B262000-01-01T00:00:00Z".to_owned(), 200),
        ("/runs?until=-262000-01-01T00:00:00Z".to_owned(), 200),
        ("/runs?since=-262143-01-01T00:00:00Z".to_owned(), 200),
        ("/runs?until=%2B262142-12-31T23:59:59Z".to_owned(), 200),
        ("/runs?since=0001-01-01T00:00:00Z".to_owned(), 200),
        ("/runs?top=maybe".to_owned(), 400),
        ("/runs?unknown=1".to_owned(), 200),
        ("/runs?q=%ff".to_owned(), 200),
        ("/runs/%ff".to_owned(), 404),
        ("/runs/run_x".to_owned(), 404),
        ("/runs/..%2f..%2fetc".to_owned(), 404),
        (format!("/runs/{run}/steps/nothing"), 404),
        (format!("/runs/{run}/steps/%00"), 404),
        (format!("/runs/{run}/logs?limit=0"), 200),
        (format!("/runs/{run}/logs?limit=18446744073709551615"), 200),
        (format!("/runs/{run}/logs?from=18446744073709551615"), 200),
        (format!("/runs/{run}/logs?tail=18446744073709551615"), 200),
        (format!("/runs/{run}/logs?from=-1"), 400),
        (format!("/runs/{run}/logs?item=x"), 400),
        (format!("/runs/{run}/steps/say/items?from=4294967295"), 200),
        (format!("/runs/{run}/steps/say/items?cursor=4294967296"), 400),
        (format!("/runs/{run}/steps/say/table/value?offset=18446744073709551615"), 400),
        ("/pipelines/nobody".to_owned(), 404),
        ("/pipelines?cursor=zzz".to_owned(), 200),
        ("/pipelines?limit=999999".to_owned(), 200),
        ("/pipelines/echo/revisions/nothing".to_owned(), 404),
        ("/pipelines/echo/schedules/0/ticks".to_owned(), 404),
        ("/pipelines/echo/schedules/x/ticks".to_owned(), 404),
        ("/pipelines/echo/schedules/-1/ticks".to_owned(), 404),
        (format!("{ticks}?from=x"), 400),
        (format!("{ticks}?limit=0"), 200),
        (format!("{ticks}?from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z"), 200),
        (format!("{ticks}?from=-262000-01-01T00:00:00Z"), 200),
        (format!("{ticks}?from=-262143-01-01T00:00:00Z"), 200),
        (format!("{ticks}?from=%2B262142-12-31T23:59:59Z"), 200),
        (format!("{ticks}?from=2026-01-01T00:00:00Z&to=%2B262142-12-31T23:59:59Z&limit=5"), 200),
        (format!("{ticks}?from=%2B262000-01-01T00:00:00Z"), 200),
        (format!("{ticks}?from=9999-12-31T00:00:00Z&to=%2B262000-01-01T00:00:00Z&limit=5"), 200),
        ("/artifacts/art_x".to_owned(), 404),
        ("/artifacts/..%2fstate.db".to_owned(), 404),
        (format!("/artifacts/{}", "0".repeat(64)), 404),
        ("/audit?after=18446744073709551615".to_owned(), 200),
        ("/audit?before=18446744073709551615".to_owned(), 200),
        ("/audit?before=1".to_owned(), 200),
        ("/audit?limit=0".to_owned(), 200),
    ];
    for (path, status) in table {
        let answer = place.get(&path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there() {
    let place = Place::open(&[ECHO]).await;
    let table = [
        (Method::GET, "/api", 404),
        (Method::GET, "/api/", 404),
        (Method::GET, "/api/v1", 404),
        (Method::GET, "/api/v1/", 404),
        (Method::GET, "/api/v2/runs", 404),
        (Method::GET, "/api/v1/nothing", 404),
        (Method::GET, "/api/v1/runs/", 404),
        (Method::POST, "/api/v1/nothing", 404),
        (Method::GET, "/assets/nothing.js", 404),
        (Method::GET, "/assets/..%2f..%2fCargo.toml", 404),
        (Method::GET, "/", 200),
        (Method::GET, "/runs/some", 200),
        (Method::DELETE, "/api/v1/runs", 405),
        (Method::PUT, "/api/v1/runs", 405),
        (Method::PATCH, "/api/v1/session", 405),
        (Method::POST, "/api/v1/overview", 405),
        (Method::OPTIONS, "/api/v1/runs", 405),
        (Method::POST, "/livez", 405),
        (Method::POST, "/", 405),
        (Method::POST, "/runs", 405),
        (Method::GET, "/livez", 200),
        (Method::GET, "/readyz", 200),
        (Method::GET, "/metrics", 200),
        (Method::HEAD, "/api/v1/runs", 200),
        (Method::HEAD, "/api/v1/runs/nothing", 404),
        (Method::HEAD, "/", 200),
        (Method::HEAD, "/api/v1/events", 200),
    ];
    for (method, path, status) in table {
        let answer = Answer::of(place.bare(method.clone(), path)).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {answer}");
        match status {
            405 => {
                let allow = answer.header("allow").unwrap_or_default();
                assert!(!allow.is_empty() && !allow.contains(method.as_str()), "{answer}");
            }
            200 if method == Method::HEAD => assert!(answer.body.is_empty(), "{answer}"),
            200 if path == "/" || path == "/runs/some" => {
                assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer}");
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_are_read_again_when_they_change() {
    let place = Place::open(&[ECHO]).await;
    let path = place.folder.path().join("p0.yaml");
    fs::write(&path, ECHO.replace("uses: scripted", "uses: nothing_such")).expect("a file");
    place.service.reload("test").await;
    let shown = place.good("/pipelines/echo").await;
    assert_eq!((&shown["state"], &shown["errors"]), (&json!("broken"), &json!(1)), "{shown}");
    let check = place.good("/pipelines/echo/check").await;
    assert_eq!((&check["ok"], &check["revision"]), (&json!(false), &json!(null)), "{check}");
    place.post("/runs", json!({"pipeline": "echo"})).await.refused(422, "pipeline.problems");
    fs::write(&path, ECHO.replace("name: echo", "name: other")).expect("a file");
    place.service.reload("test").await;
    assert_eq!(each(&place.good("/pipelines").await["items"], "name"), ["other"]);
    place.get("/pipelines/echo").await.refused(404, "api.missing");
    let check = place.post("/check", json!({"text": ECHO})).await.of_status(StatusCode::OK);
    assert_eq!((&check["ok"], &check["diagnostics"]), (&json!(true), &json!([])));
    let check = place.post("/check", json!({"text": "steps: 1"})).await.of_status(StatusCode::OK);
    assert_eq!(check["ok"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_yaml_for_a_while_keeps_its_pipeline() {
    let hooked = ECHO.replace("\ninputs", "\non: {webhook: {path: /echo}}\ninputs");
    let place = Place::open(&[&hooked]).await;
    let path = place.folder.path().join("p0.yaml");
    fs::write(&path, format!("{hooked}\n  : [")).expect("a file");
    place.service.reload("test").await;
    assert_eq!(place.good("/pipelines/echo").await["state"], "broken");
    assert_eq!(each(&place.good("/pipelines").await["items"], "name"), ["echo"]);
    // What starts by itself goes on as it was.
    let started = Answer::of(place.bare(Method::POST, "/hooks/echo").json(&json!({}))).await;
    let run = text(&started.of_status(StatusCode::ACCEPTED)["runs"][0]["run"]);
    assert_eq!(place.ended(&run).await["status"], "succeeded");
    fs::write(&path, ECHO.replace("name: echo", "name: other")).expect("a file");
    place.service.reload("test").await;
    assert_eq!(each(&place.good("/pipelines").await["items"], "name"), ["other"]);
}

/// Also where a pipeline starts another as a step, whose end starts the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_circle_through_a_step_comes_to_an_end() {
    let outer = "version: 1\nname: outer\non: {pipeline: {name: inner}}\nsteps:\n  \
                 - {id: below, uses: pipeline, with: {path: p1.yaml}}\n";
    let inner = ECHO.replace("name: echo", "name: inner");
    let last = ECHO.replace("name: echo", "name: last");
    let then = last.replace("name: last", "name: then").replace("\ninputs", "\non: {pipeline: {name: last}}\ninputs");
    let place = Place::open(&[outer, &inner, &last, &then]).await;
    let mut stream = place.stream("/events", None).await;
    place.start("inner", json!({})).await;
    let mut ended = 0;
    while ended < 50 {
        let event = stream.next().await.expect("a stream without an end");
        let outer = event.data["pipeline"] == "outer" && event.data["status"] == "succeeded";
        ended += usize::from(event.name == "run" && outer);
    }
    place.start("last", json!({})).await;
    while !stream.next().await.is_some_and(|event| event.data["pipeline"] == "then") {}
    let page = place.good("/runs?pipeline=outer&limit=500").await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(50));
}

/// A start reads the file again: what it sees first is news to all others as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_a_start_saw_first_is_told_of() {
    let place = Place::open(&[ECHO]).await;
    let changed = ECHO.replace("\ninputs", "\non: {schedule: {cron: '* * * * *'}}\ninputs");
    fs::write(place.folder.path().join("p0.yaml"), &changed).expect("a file");
    let catalog = place.service.catalog().clone();
    let mut watch = catalog.watch();
    // Nothing is read again that was read a moment ago.
    let revision = place.good("/pipelines/echo").await["revision"].clone();
    while tokio::task::spawn_blocking({
        let catalog = catalog.clone();
        move || catalog.fresh("echo")
    })
    .await
    .expect("no panic")
    .and_then(|entry| entry.startable.as_ref().map(|startable| json!(startable.revision)))
        == Some(revision.clone())
    {
        tokio::task::yield_now().await;
    }
    watch.mark_unchanged();
    assert_eq!(place.service.reload("test").await, ["echo"]);
    assert!(watch.has_changed().expect("a catalog"), "schedules are looked at");
    assert_eq!(place.good("/pipelines/echo/revisions").await["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(place.service.reload("test").await, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_pipelines_start_one_another_is_looked_at() {
    let on = |name: &str, other: &str| {
        let text = ECHO.replace("name: echo", &format!("name: {name}"));
        text.replace("\ninputs", &format!("\non: {{pipeline: {{name: {other}}}}}\ninputs"))
    };
    let last = ECHO.replace("name: echo", "name: last");
    let place = Place::open(&[&on("a", "b"), &on("c", "a"), &last, &on("then", "last")]).await;
    let codes = async |name: &str| {
        let check = place.good(&format!("/pipelines/{name}/check")).await;
        assert_eq!(check["ok"], true, "warnings keep nothing from being started");
        each(&check["diagnostics"], "code")
    };
    assert_eq!((codes("a").await, codes("c").await), (vec!["L0006".to_owned()], vec![]));
    fs::write(place.folder.path().join("b.yaml"), on("b", "c")).expect("a file");
    place.service.reload("test").await;
    for name in ["a", "b", "c"] {
        assert_eq!(codes(name).await, ["L0007"]);
    }
    // They start one another, but not for ever.
    let mut stream = place.stream("/events", None).await;
    place.start("a", json!({})).await;
    let mut ended = 0;
    while ended < 101 {
        let event = stream.next().await.expect("a stream without an end");
        ended += usize::from(event.name == "run" && event.data["status"] == "succeeded");
    }
    // Ends are seen in their order: when this one has led to something, so has the last of the others.
    place.start("last", json!({})).await;
    loop {
        let event = stream.next().await.expect("a stream without an end");
        if event.data["pipeline"] == "then" {
            break;
        }
    }
    let mut runs = 0;
    for name in ["a", "b", "c"] {
        let page = place.good(&format!("/runs?pipeline={name}&limit=500")).await;
        runs += page["items"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(runs, 101);
    // A file away, and the circle is no more.
    fs::remove_file(place.folder.path().join("b.yaml")).expect("removed");
    place.service.reload("test").await;
    assert_eq!((codes("a").await, codes("c").await), (vec!["L0006".to_owned()], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_once() {
    let asks = "version: 1\nname: asks\nsteps:\n  - id: review\n    uses: approval\n    \
                with: {prompt: Go?, form: {note: {type: string, description: why}}}\n\
                outputs: {note: \"${{ steps.review.outputs.values.note }}\", by: \"${{ steps.review.outputs.by }}\"}\n";
    let place = Place::open(&[asks]).await;
    let run = place.start("asks", json!({})).await;
    place.is(&run, "waiting").await;
    let questions = place.good("/approvals").await["items"].clone();
    let question = &questions[0];
    assert_eq!((&question["run"], &question["step"]), (&json!(run), &json!("review")), "{questions}");
    assert_eq!((&question["form"][0]["name"], &question["form"][0]["type"]), (&json!("note"), &json!("string")));
    let shown = text(&question["shown"]);
    let answer = async |step: &str, shown: &str, answer: serde_json::Value| {
        place.post(&format!("/approvals/{run}/{step}"), json!({"shown": shown, "answer": answer})).await
    };
    let yes = json!({"approved": true, "values": {"note": "fine"}});
    answer("review", "another", yes.clone()).await.refused(409, "answer.stale");
    answer("nothing", &shown, yes.clone()).await.refused(409, "answer.none");
    answer("review", &shown, json!("yes")).await.refused(400, "api.request");
    answer("review", &shown, json!({"approved": true})).await.refused(422, "answer.wrong");
    answer("review", &shown, yes.clone()).await.of_status(StatusCode::OK);
    let ended = place.ended(&run).await;
    assert_eq!(ended["outputs"], json!({"note": "fine", "by": "local"}));
    assert_eq!(answer("review", &shown, yes).await.status, StatusCode::CONFLICT);
    assert_eq!(place.good("/approvals").await["items"], json!([]));
}
