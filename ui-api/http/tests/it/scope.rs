//! Tokens that are good for some pipelines only.

use millwork_service::auth::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::{
    openapi::operations,
    place::{Answer, ECHO, Place, each, text},
    sse::Stream,
};

fn asks(name: &str) -> String {
    format!(
        "version: 1\nname: {name}\non:\n  schedule: {{cron: \"0 3 * * *\"}}\n  webhook: {{path: /{name}}}\nsteps:\n  \
         - id: say\n    uses: approval\n    with: {{prompt: \"Go on with {name}?\"}}\n"
    )
}

struct Two {
    place: Place,
    /// Operator for `a*`.
    token: String,
    a: String,
    b: String,
}

impl Two {
    async fn new() -> Self {
        let parent =
            "version: 1\nname: a_parent\nsteps:\n  - id: below\n    uses: pipeline\n    with: {path: p3.yaml}\n";
        let child = ECHO.replace("name: echo", "name: b_child");
        let broken = "version: 1\nname: b_broken\nsteps:\n  - {id: x, uses: nothing}\n";
        let place = Place::closed(&[&asks("a_one"), &asks("b_one"), parent, &child, broken]).await;
        let token = place.token_for("limited", Role::Operator, &["a*"]).await;
        let (a, b) = (place.start("a_one", json!({})).await, place.start("b_one", json!({})).await);
        place.is(&a, "waiting").await;
        place.is(&b, "waiting").await;
        Self { place, token, a, b }
    }

    async fn get(&self, path: &str) -> Json {
        let request = self.place.bare(Method::GET, &format!("/api/v1{path}")).bearer_auth(&self.token);
        Answer::of(request).await.of_status(StatusCode::OK)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hold_only_what_may_be_seen() {
    let two = Two::new().await;
    let lists = [
        ("/runs", 1, "pipeline"),
        ("/pipelines", 2, "name"),
        ("/schedules", 1, "pipeline"),
        ("/approvals", 1, "pipeline"),
    ];
    for (path, count, field) in lists {
        let all = text_of(&two.place.good(path).await);
        assert!(all.contains("b_one"), "{path}: {all}");
        let seen = two.get(path).await;
        let names = each(&seen["items"], field);
        assert_eq!(names.len(), count, "{path}: {seen}");
        assert!(names.iter().all(|name| name.starts_with('a')), "{path}: {names:?}");
        assert!(!text_of(&seen).contains("b_"), "{path}: {seen}");
    }
    for query in ["pipeline=b_one", "status=waiting&pipeline=b_one"] {
        assert_eq!(two.get(&format!("/runs?{query}")).await["items"], json!([]), "{query}");
    }
    assert_eq!(two.get("/pipelines?q=b_").await["items"], json!([]));
    let overview = two.get("/overview").await;
    assert!(!text_of(&overview).contains("b_"), "{overview}");
    assert_eq!((&overview["waiting"], &overview["approvals"]), (&json!(1), &json!(1)));
    assert_eq!(two.place.good("/overview").await["broken"], json!(["b_broken"]));
}

fn text_of(json: &Json) -> String {
    json.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_seen_is_not_there() {
    let two = Two::new().await;
    let revision = text(&two.place.good("/pipelines/b_one").await["revision"]);
    let mut hidden = 0;
    for operation in operations() {
        if !["{name}", "{id}", "{run}"].iter().any(|part| operation.path.contains(part))
            || operation.path.contains("/tokens/")
            || operation.path.contains("/artifacts/")
        {
            continue;
        }
        let path = operation.path(&[
            ("name", "b_one"),
            ("id", &two.b),
            ("run", &two.b),
            ("step", "say"),
            ("output", "approved"),
            ("revision", &revision),
            ("index", "0"),
        ]);
        let body = match operation.path.rsplit('/').next() {
            Some("rerun") => json!({"from": "say"}),
            Some("backfill") => json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"}),
            Some("{step}") if operation.method == Method::POST => json!({"shown": "x", "answer": {}}),
            _ => json!({}),
        };
        let path = if path.ends_with("/rerun") { format!("{path}?from=say") } else { path };
        let request = |token: &str| place_request(&two.place, &operation.method, &path, token, &body);
        let refused = Answer::of(request(&two.token)).await;
        assert_eq!(refused.status, 404, "{refused}");
        let about_pipeline = operation.path.contains("{name}");
        assert_eq!(refused.code(), if about_pipeline { "pipeline.unknown" } else { "api.missing" }, "{refused}");
        // It is the token that hides it.
        if operation.method == Method::GET && !path.contains("/table/") && !path.contains("/file/") {
            let all = request(two.place.token.get().expect("a token")).send().await.expect("an answer");
            assert!(all.status().is_success(), "{path}: {}", all.status());
        }
        hidden += 1;
    }
    assert!(hidden > 20, "{hidden}");
    for (path, body) in [("/runs", json!({"pipeline": "b_one"})), ("/pipelines/b_one/call", json!({}))] {
        let request = place_request(&two.place, &Method::POST, &format!("/api/v1{path}"), &two.token, &body);
        Answer::of(request).await.refused(404, "pipeline.unknown");
    }
    // Nothing happened to it.
    assert_eq!(two.place.good(&format!("/runs/{}", two.b)).await["status"], "waiting");
    assert_eq!(two.place.good("/runs?pipeline=b_one").await["items"].as_array().map(Vec::len), Some(1));
    // A run that is hidden is told of as one that is not there.
    let never = format!("run_{}", "0".repeat(26));
    let no = |id: &str| format!("/api/v1/runs/{id}");
    for path in [no(&two.b), no(&never), no("nonsense")] {
        let request = two.place.bare(Method::GET, &path).bearer_auth(&two.token);
        Answer::of(request).await.refused(404, "api.missing");
    }
    assert_eq!(two.get(&format!("/runs/{}", two.a)).await["status"], "waiting");
}

fn place_request(place: &Place, method: &Method, path: &str, token: &str, body: &Json) -> reqwest::RequestBuilder {
    place.bare(method.clone(), path).bearer_auth(token).json(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_only_what_may_be_seen() {
    let two = Two::new().await;
    let request = two.place.bare(Method::GET, "/api/v1/events?after=p:0").bearer_auth(&two.token);
    let mut stream = Stream::of(request).await;
    let mut seen = Vec::new();
    let mut second = None;
    loop {
        let event = stream.next().await.expect("a stream without an end");
        let run = text(&event.data["run"]);
        let waits = event.name == "run" && event.data["status"] == "waiting";
        seen.push(run.clone());
        if waits && second.is_none() {
            let hidden = two.place.start("b_one", json!({})).await;
            two.place.is(&hidden, "waiting").await;
            second = Some(two.place.start("a_one", json!({})).await);
        } else if waits && second.as_ref() == Some(&run) {
            break;
        }
    }
    assert!(seen.iter().all(|run| *run == two.a || Some(run) == second.as_ref()), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_other_pipelines_are_left_out() {
    let two = Two::new().await;
    let parent = two.place.ran("a_parent", json!({})).await;
    assert_eq!(parent["status"], "succeeded", "{parent}");
    assert_eq!(each(&parent["children"], "pipeline"), ["b_child"]);
    let seen = two.get(&format!("/runs/{}", text(&parent["id"]))).await;
    assert_eq!(seen["children"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn backfills_of_other_pipelines_are_left_out() {
    let two = Two::new().await;
    let range = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"});
    let path = |pipeline: &str| format!("/pipelines/{pipeline}/schedules/0/backfill");
    let mut ids = Vec::new();
    for pipeline in ["a_one", "b_one"] {
        let begun = two.place.post(&path(pipeline), range.clone()).await.of_status(StatusCode::ACCEPTED);
        assert_eq!(begun["times"].as_array().map(Vec::len), Some(2), "{begun}");
        ids.push(text(&begun["id"]));
    }
    assert_eq!(each(&two.get("/backfills").await["items"], "id"), ids[..1]);
    assert_eq!(two.place.good("/backfills").await["items"].as_array().map(Vec::len), Some(2));
    let cancel = |id: &str| two.place.bare(Method::DELETE, &format!("/api/v1/backfills/{id}")).bearer_auth(&two.token);
    Answer::of(cancel(&ids[1])).await.refused(404, "api.missing");
    assert_eq!(Answer::of(cancel(&ids[0])).await.of_status(StatusCode::OK)["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_of_others_push_none_out() {
    let two = Two::new().await;
    for _ in 0..25 {
        two.place.start("b_child", json!({})).await;
    }
    let overview = two.get("/overview").await;
    assert_eq!(each(&overview["recent"], "id"), std::slice::from_ref(&two.a));
    let page = two.get("/runs?limit=1").await;
    assert_eq!((each(&page["items"], "id"), &page["next"]), (vec![two.a.clone()], &Json::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_without_a_secret_is_no_way_around() {
    let two = Two::new().await;
    let hook = |path: &str| two.place.bare(Method::POST, path).bearer_auth(&two.token).json(&json!({}));
    Answer::of(hook("/hooks/b_one")).await.refused(401, "hook.signature");
    let started = Answer::of(hook("/hooks/a_one")).await.of_status(StatusCode::ACCEPTED);
    assert_eq!(each(&started["runs"], "pipeline"), ["a_one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_and_administration_are_for_those_without_a_limit() {
    let two = Two::new().await;
    let table = [("/artifacts/art_00", 404), ("/tokens", 403), ("/audit", 403), ("/audit/verify", 403)];
    for (path, status) in table {
        let request = two.place.bare(Method::GET, &format!("/api/v1{path}")).bearer_auth(&two.token);
        assert_eq!(Answer::of(request).await.status.as_u16(), status, "{path}");
    }
}
