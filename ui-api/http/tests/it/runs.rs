//! Runs: starting, looking, stopping, repeating.

use std::fs;

use arrow::{
    array::{Array as _, Int64Array, StringArray},
    ipc::reader::StreamReader,
};
use millwork_engine::model::Fault;
use millwork_testkit::script::{Act, Script};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::place::{Answer, ECHO, Place, Setup, each, gated, text};

const BROKEN: &str = "version: 1\nname: broken\nsteps:\n  - id: x\n    uses: nothing_such\n    with: {a: 1}\n";

const CHAIN: &str = r#"
version: 1
name: chain
steps:
  - id: first
    uses: scripted
    with: {value: 1}
  - id: second
    uses: scripted
    retry: {max_attempts: 3, delay: 1ms}
    with: {value: "${{ steps.first.outputs.value }}"}
  - id: third
    uses: scripted
    with: {value: "${{ steps.second.outputs.value }}"}
outputs: {value: "${{ steps.third.outputs.value }}"}
"#;

fn failed() -> Act {
    Act::Fail(Fault::external("test.failed", "it failed").help("try again"))
}

async fn scripted(script: Script, pipelines: &[&str]) -> Place {
    Place::with(Setup { script, ..Setup::default() }, pipelines).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_started_and_looked_at() {
    let place = Place::open(&[ECHO]).await;
    let answer = place.post("/runs", json!({"pipeline": "echo", "inputs": {"n": 7}})).await;
    let started = answer.json();
    let id = text(&started["id"]);
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("location"), Some(format!("/api/v1/runs/{id}").as_str()));
    let run = place.ended(&id).await;
    assert_eq!((&run["status"], &run["inputs"]), (&json!("succeeded"), &json!({"n": 7})), "{run}");
    assert_eq!((&run["outputs"], &run["cause"]["kind"]), (&json!({"n": 7}), &json!("api")));
    assert_eq!((&run["steps"]["total"], &run["steps"]["succeeded"]), (&json!(1), &json!(1)));
    assert_eq!(each(&place.steps(&id).await, "id"), ["say"]);
    let plan = place.good(&format!("/runs/{id}/plan")).await;
    assert_eq!((each(&plan["nodes"], "id"), &run["fault"]), (vec!["say".to_owned()], &Json::Null));
    let step = place.good(&format!("/runs/{id}/steps/say")).await;
    assert_eq!((&step["outputs"][0]["name"], &step["outputs"][0]["value"]), (&json!("value"), &json!(7)));
    let defaults = place.ran("echo", json!({})).await;
    assert_eq!(defaults["outputs"], json!({"n": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started() {
    let place = Place::open(&[ECHO, BROKEN]).await;
    let table = [
        (json!({"pipeline": "echo", "inputs": {"n": "seven"}}), 422, "input.type"),
        (json!({"pipeline": "echo", "inputs": {"m": 1}}), 422, "input.unknown"),
        (json!({"pipeline": "nobody"}), 404, "api.missing"),
        (json!({"pipeline": "echo", "only": ["nothing"]}), 404, "step.unknown"),
        (json!({"pipeline": "echo", "only": ["No Name"]}), 404, "api.missing"),
        (json!({"pipeline": "broken"}), 422, "pipeline.problems"),
        (json!({"pipeline": "echo", "input": {}}), 422, "api.request"),
        (json!({}), 422, "api.request"),
    ];
    for (body, status, code) in table {
        let answer = place.post("/runs", body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{body}: {answer}");
        if code == "pipeline.problems" {
            let problems = answer.json()["diagnostics"].clone();
            assert!(problems[0]["message"].as_str().is_some_and(|text| text.contains("nothing_such")), "{problems}");
        }
    }
    assert_eq!(place.good("/runs").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_names_one_run() {
    let place = Place::open(&[ECHO]).await;
    let ask = async |key: &str, n: u32| {
        let request = place.call(Method::POST, "/runs").header("idempotency-key", key);
        Answer::of(request.json(&json!({"pipeline": "echo", "inputs": {"n": n}}))).await
    };
    let first = ask("one", 1).await.of_status(StatusCode::CREATED);
    let again = ask("one", 1).await.of_status(StatusCode::OK);
    assert_eq!(first["id"], again["id"]);
    let other = ask("one", 2).await;
    other.refused(409, "idempotency.conflict");
    assert_eq!(other.json()["run"], first["id"]);
    assert_ne!(ask("two", 1).await.of_status(StatusCode::CREATED)["id"], first["id"]);
    // What was started is told of, whatever became of its pipeline.
    fs::write(place.folder.path().join("p0.yaml"), ECHO.replace("uses: scripted", "uses: nothing_such"))
        .expect("a file");
    place.service.reload("test").await;
    assert_eq!(ask("one", 1).await.of_status(StatusCode::OK)["id"], first["id"]);
    ask("one", 2).await.refused(409, "idempotency.conflict");
    ask("three", 1).await.refused(422, "pipeline.problems");
    fs::write(place.folder.path().join("p0.yaml"), ECHO).expect("a file");
    place.service.reload("test").await;
    ask("", 1).await.refused(400, "api.request");
    ask(&"x".repeat(201), 1).await.refused(400, "api.request");
    // Many at once are one.
    let many = futures::future::join_all((0..20).map(|_| ask("many", 3))).await;
    let mut ids: Vec<String> = many.iter().map(|answer| text(&answer.json()["id"])).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(many.iter().filter(|answer| answer.status == StatusCode::CREATED).count(), 1);
    assert_eq!(place.good("/runs").await["items"].as_array().map(Vec::len), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_gives_each_run_once_newest_first() {
    let place = Place::open(&[ECHO, &gated("waits", "")]).await;
    let mut all = Vec::new();
    for n in 0..120 {
        all.push(place.start("echo", json!({"n": n})).await);
    }
    for run in &all {
        place.until(run, |name, _| name == "end").await;
    }
    let stands = place.start("waits", json!({})).await;
    all.push(stands.clone());
    all.sort_unstable_by(|a, b| b.cmp(a));
    for limit in [1, 7, 60, 121, 500] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = place.good(&format!("/runs?limit={limit}{cursor}")).await;
            let ids = each(&page["items"], "id");
            assert!(ids.len() <= limit, "{}", ids.len());
            seen.extend(ids);
            // What is new does not move what comes.
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, all, "{limit}");
    }
    let count = async |query: &str| {
        let page = place.good(&format!("/runs?limit=500&{query}")).await;
        page["items"].as_array().map_or(0, Vec::len)
    };
    let created = text(&place.good(&format!("/runs/{}", all[20])).await["created_at"]);
    let table = [
        ("pipeline=echo", 120),
        ("pipeline=waits", 1),
        ("pipeline=nobody", 0),
        ("status=succeeded", 120),
        ("status=running", 1),
        ("status=running,succeeded", 121),
        ("status=failed,", 0),
        ("status=", 121),
        ("top=true", 121),
        ("since=2020-01-01T00:00:00Z", 121),
        ("until=2020-01-01T00:00:00Z", 0),
        ("since=2100-01-01T00:00:00Z", 0),
    ];
    for (query, expected) in table {
        assert_eq!(count(query).await, expected, "{query}");
    }
    assert_eq!(count(&format!("parent={stands}")).await, 0);
    let (since, until) = (count(&format!("since={created}")).await, count(&format!("until={created}")).await);
    assert_eq!(since + until, 121, "every run is before a moment or not");
    place.gates.open("g");
    place.ended(&stands).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_not_sent_again() {
    let place = Place::open(&[ECHO]).await;
    let run = text(&place.ran("echo", json!({})).await["id"]);
    for path in [
        format!("/runs/{run}"),
        "/pipelines/echo".to_owned(),
        "/pipelines/echo/source".to_owned(),
        "/pipelines/echo/plan".to_owned(),
    ] {
        let first = place.get(&path).await;
        let tag = first.header("etag").expect("a tag").to_owned();
        let again = |tag: &str| Answer::of(place.call(Method::GET, &path).header("if-none-match", tag));
        let same = again(&tag).await;
        assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
        assert_eq!(same.header("etag"), Some(tag.as_str()), "{path}");
        assert_eq!(again("\"another\"").await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_stopped_wherever_they_stand() {
    let one = "concurrency: {group: one, limit: 1}";
    let place = Place::open(&[&gated("waits", one)]).await;
    let running = place.start("waits", json!({})).await;
    place.until(&running, |name, data| name == "step" && data["status"] == "running").await;
    let queued = place.start("waits", json!({})).await;
    assert_eq!(place.good(&format!("/runs/{queued}")).await["status"], "queued");
    let stop = async |run: &str| place.post(&format!("/runs/{run}/cancel"), json!({})).await;
    assert_eq!(stop(&queued).await.of_status(StatusCode::ACCEPTED)["status"], "cancelled");
    place.ended(&queued).await;
    assert_eq!(place.steps(&queued).await[0]["attempts"], 0);
    stop(&running).await.of_status(StatusCode::ACCEPTED);
    assert_eq!(place.ended(&running).await["status"], "cancelled");
    for run in [&running, &queued] {
        stop(run).await.refused(409, "run.ended");
    }
    let events = place.stream(&format!("/runs/{queued}/events"), None).await.rest().await;
    assert!(events.iter().all(|event| event.data["status"] != "running" || event.name != "step"), "{events:?}");
    // The group is free.
    place.gates.open("g");
    assert_eq!(place.ran("waits", json!({})).await["status"], "succeeded");
    let audit = place.good("/audit?before=0").await.to_string();
    assert!(audit.contains("run.cancel") && audit.contains(&queued), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_goes_on_where_it_failed() {
    let script = Script::default().then("second", [failed(), failed(), failed()]);
    let place = scripted(script.clone(), &[CHAIN]).await;
    let run = place.ran("chain", json!({})).await;
    let id = text(&run["id"]);
    assert_eq!((&run["status"], &run["failed_step"]), (&json!("failed"), &json!("second")), "{run}");
    assert_eq!((&run["fault"]["code"], &run["outputs"]), (&json!("test.failed"), &Json::Null));
    assert_eq!((&run["fault"]["help"], &run["fault"]["blame"]), (&json!("try again"), &json!("external")));
    let why = place.good(&format!("/runs/{id}/why")).await;
    assert_eq!((&why["text"], &why["step"]), (&json!(["step `second` failed"]), &json!("second")), "{why}");
    assert_eq!((&why["fault"]["code"], &why["fault"]["help"]), (&json!("test.failed"), &json!("try again")), "{why}");
    let second = place.good(&format!("/runs/{id}/why?step=second")).await;
    assert_eq!((&second["text"], &second["fault"]["message"]), (&json!(["failed in attempt 3"]), &json!("it failed")));
    let of_step = place.good(&format!("/runs/{id}/why?step=third")).await;
    assert!(of_step["text"].to_string().contains("a step it needs did not succeed"), "{of_step}");
    place.get(&format!("/runs/{id}/why?step=nothing")).await.refused(404, "api.missing");

    let step = place.good(&format!("/runs/{id}/steps/second")).await;
    let tries = step["attempts_log"].as_array().expect("attempts");
    assert_eq!(tries.len(), 3, "{step}");
    for (n, attempt) in (1..).zip(tries) {
        assert_eq!((&attempt["attempt"], &attempt["fault"]["code"]), (&json!(n), &json!("test.failed")), "{step}");
        assert!(attempt["started_at"].as_str() <= attempt["ended_at"].as_str(), "{step}");
    }

    let resumed = place.post(&format!("/runs/{id}/resume"), json!({})).await;
    resumed.of_status(StatusCode::ACCEPTED);
    // The stream ends where the run does: it is asked for until that is the end of all.
    loop {
        if place.ended(&id).await["status"] == "succeeded" {
            break;
        }
    }
    assert_eq!(script.ran()["first"], 1, "what was done is not done again");
    assert_eq!(place.good(&format!("/runs/{id}")).await["outputs"], json!({"value": 1}));
    place.post(&format!("/runs/{id}/resume"), json!({})).await.refused(409, "run.succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_repeated_from_a_step_on() {
    let script = Script::default();
    let place = scripted(script.clone(), &[CHAIN]).await;
    let id = text(&place.ran("chain", json!({})).await["id"]);
    let plan = place.good(&format!("/runs/{id}/rerun?from=second")).await;
    assert_eq!(plan["reused"], json!(["first"]));
    assert_eq!(each(&plan["again"], "step"), ["second", "third"]);
    assert!(plan["again"].as_array().is_some_and(|again| again.iter().all(|step| step["reason"].is_string())));
    place.get(&format!("/runs/{id}/rerun?from=nothing")).await.refused(404, "step.unknown");
    place.get(&format!("/runs/{id}/rerun")).await.refused(400, "api.request");

    let answer = place.post(&format!("/runs/{id}/rerun"), json!({"from": "second"})).await;
    let new = text(&answer.of_status(StatusCode::CREATED)["id"]);
    assert_eq!(answer.header("location"), Some(format!("/api/v1/runs/{new}").as_str()));
    let run = place.ended(&new).await;
    assert_eq!((&run["status"], &run["outputs"]), (&json!("succeeded"), &json!({"value": 1})));
    assert_eq!((&run["cause"]["kind"], &run["cause"]["run"]), (&json!("rerun"), &json!(id)));
    let reused: Vec<bool> =
        place.steps(&new).await.as_array().expect("steps").iter().map(|s| s["reused"] == true).collect();
    assert_eq!(reused, [true, false, false]);
    assert_eq!((script.ran()["first"], script.ran()["second"]), (1, 2));

    // As the file is now.
    let edited = CHAIN.replace("value: 1}", "value: 2}");
    fs::write(place.folder.path().join("p0.yaml"), edited).expect("a file");
    place.service.reload("test").await;
    let plan = place.good(&format!("/runs/{id}/rerun?from=third&edited=true")).await;
    assert_eq!(each(&plan["again"], "step"), ["first", "second", "third"]);
    let answer = place.post(&format!("/runs/{id}/rerun"), json!({"from": "third", "edited": true})).await;
    let new = text(&answer.of_status(StatusCode::CREATED)["id"]);
    assert_eq!(place.ended(&new).await["outputs"], json!({"value": 2}));
    let revisions = place.good("/pipelines/chain/revisions").await;
    assert_eq!(revisions["items"].as_array().map(Vec::len), Some(2), "{revisions}");
    let newest = text(&revisions["items"][0]["revision"]);
    let diff = text(&place.good(&format!("/pipelines/chain/revisions/{newest}/diff")).await["unified"]);
    assert!(diff.contains("-    with: {value: 1}\n+    with: {value: 2}"), "{diff}");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_listed_by_their_end() {
    let fan = "version: 1\nname: fan\nsteps:\n  - id: each\n    for_each: \"[1, 2, 3, 4, 5, 6, 7]\"\n    \
               min_success: 0.5\n    uses: scripted\n    with: {value: \"${{ item }}\"}\n";
    let place = scripted(Script::default().then("each.3", [failed()]), &[fan]).await;
    let run = place.ran("fan", json!({})).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    let id = text(&run["id"]);
    let items = &place.steps(&id).await[0]["items"];
    let expected = json!({"total": 7, "succeeded": 6, "failed": 1, "skipped": 0, "cancelled": 0, "running": 0});
    assert_eq!(*items, expected);
    let path = format!("/runs/{id}/steps/each/items");
    let numbers = |page: &Json| -> Vec<u64> {
        page["items"].as_array().expect("items").iter().filter_map(|item| item["item"].as_u64()).collect()
    };
    let table: [(&str, &[u64]); 6] = [
        ("", &[0, 1, 2, 3, 4, 5, 6]),
        ("?status=failed", &[3]),
        ("?status=succeeded", &[0, 1, 2, 4, 5, 6]),
        ("?status=skipped", &[]),
        ("?from=5", &[5, 6]),
        ("?from=9", &[]),
    ];
    for (query, expected) in table {
        assert_eq!(numbers(&place.good(&format!("{path}{query}")).await), expected, "{query}");
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = place.good(&format!("{path}{query}")).await;
        seen.extend(numbers(&page));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    let failed = &place.good(&format!("{path}?status=failed")).await["items"][0];
    assert_eq!((&failed["fault"]["code"], &failed["outputs"]), (&json!("test.failed"), &Json::Null));
    place.get(&format!("{path}?status=odd")).await.refused(400, "api.request");
    place.get(&format!("{path}?cursor=odd")).await.refused(400, "api.request");
    place.get(&format!("/runs/{id}/steps/nothing/items")).await.refused(404, "api.missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_shown_in_pages() {
    let rows = "version: 1\nname: rows\nsteps:\n  - id: make\n    uses: rows\n    with: {value: 50}\n  \
                - id: say\n    uses: scripted\n    with: {value: 1}\n";
    let place = Place::open(&[rows]).await;
    let run = place.ran("rows", json!({})).await;
    let id = text(&run["id"]);
    let step = place.good(&format!("/runs/{id}/steps/make")).await;
    assert_eq!(step["outputs"][0]["table"]["rows"], 50, "{step}");
    let path = format!("/runs/{id}/steps/make/table/table");
    // From, limit, and how many come.
    let table =
        [("", 0, 50), ("?limit=3", 0, 3), ("?offset=5&limit=9", 5, 9), ("?offset=48", 48, 2), ("?offset=60", 60, 0)];
    for (query, offset, count) in table {
        let page = place.good(&format!("{path}{query}")).await;
        assert_eq!((&page["total"], &page["offset"]), (&json!(50), &json!(offset)), "{query}");
        let expected: Vec<Json> = (offset..offset + count)
            .map(|n| json!([n, if n % 3 == 0 { Json::Null } else { json!(format!("row {n}")) }]))
            .collect();
        assert_eq!(page["rows"], json!(expected), "{query}");
        assert_eq!(page["columns"][0], json!({"name": "n", "type": "int64"}));

        let request = place.call(Method::GET, &format!("{path}{query}"));
        let answer = Answer::of(request.header("accept", "application/vnd.apache.arrow.stream")).await;
        assert_eq!(answer.header("content-type"), Some("application/vnd.apache.arrow.stream"), "{query}");
        let reader = StreamReader::try_new(answer.body.as_slice(), None).expect("an Arrow stream");
        let mut read = Vec::new();
        for batch in reader {
            let batch = batch.expect("a batch");
            let numbers = batch.column(0).as_any().downcast_ref::<Int64Array>().expect("numbers");
            let names = batch.column(1).as_any().downcast_ref::<StringArray>().expect("names");
            for row in 0..batch.num_rows() {
                read.push(json!([numbers.value(row), names.is_valid(row).then(|| names.value(row))]));
            }
        }
        assert_eq!(read, expected, "{query}");
    }
    place.get(&format!("{path}?offset=1000001")).await.refused(400, "api.request");
    place.get(&format!("{path}?limit=-1")).await.refused(400, "api.request");
    place.get(&format!("/runs/{id}/steps/make/table/nothing")).await.refused(404, "api.missing");
    place.get(&format!("/runs/{id}/steps/say/table/value")).await.refused(400, "api.request");
    place.get(&format!("/runs/{id}/steps/nothing/table/value")).await.refused(404, "step.unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_given_by_ranges() {
    let says = "version: 1\nname: says\nsteps:\n  - id: one\n    uses: says\n    with: {value: 25}\n  \
                - id: two\n    needs: one\n    uses: says\n    with: {value: 10}\n";
    let place = Place::open(&[says]).await;
    let run = place.ran("says", json!({})).await;
    let path = format!("/runs/{}/logs", text(&run["id"]));
    // First, next, total.
    let table = [
        ("", 0, 35, 35),
        ("?limit=10", 0, 10, 35),
        ("?from=5&limit=10", 5, 15, 35),
        ("?from=30&limit=10", 30, 35, 35),
        ("?from=99", 35, 35, 35),
        ("?tail=3", 32, 35, 35),
        ("?tail=99", 0, 35, 35),
        ("?tail=30&limit=5", 30, 35, 35),
        ("?step=two", 0, 10, 10),
        ("?step=one&tail=2", 23, 25, 25),
        ("?q=needle", 0, 3, 3),
        ("?q=NEEDLE&step=one", 0, 2, 2),
        ("?q=nothing", 0, 0, 0),
        ("?q=", 0, 35, 35),
    ];
    for (query, first, next, total) in table {
        let page = place.good(&format!("{path}{query}")).await;
        let shown = (&page["first"], &page["next"], &page["total"]);
        assert_eq!(shown, (&json!(first), &json!(next), &json!(total)), "{query}");
        let lines = page["lines"].as_array().expect("lines");
        let numbers: Vec<u64> = lines.iter().filter_map(|line| line["n"].as_u64()).collect();
        assert_eq!(numbers, (first..next).collect::<Vec<u64>>(), "{query}");
    }
    let lines = place.good(&format!("{path}?step=one&limit=8")).await["lines"].clone();
    assert_eq!(each(&lines, "text")[6..], ["line 6", "line 7 has a Needle"]);
    assert_eq!((each(&lines, "step")[0].as_str(), each(&lines, "stream")[0].as_str()), ("one", "log"));
    // Told live as well, each line once, wherever the stream is cut.
    let events = format!("/runs/{}/events?logs=1", text(&run["id"]));
    let all = place.stream(&events, None).await.rest().await;
    let told = |events: &[crate::sse::Event]| -> Vec<String> {
        let logs = events.iter().filter(|event| event.name == "log");
        logs.flat_map(|event| each(&event.data["lines"], "text")).collect()
    };
    assert_eq!(told(&all).len(), 35);
    for cut in 1..all.len() {
        let rest = place.stream(&events, all[cut - 1].id.as_deref()).await.rest().await;
        assert_eq!([told(&all[..cut]), told(&rest)].concat(), told(&all), "{cut}");
    }
}
