//! What the answers say, and do not say.

use std::{fs, sync::Arc, time::Duration};

use millwork_engine::model::{Clock as _, Fault, ManualClock, SystemClock};
use millwork_testkit::script::{Act, Script};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::place::{ECHO, Place, Setup, each, gated, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_took_the_time_since_its_start() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let setup = Setup { clock: clock.clone(), ..Setup::default() };
    let place = Place::with(setup, &[&gated("waits", "concurrency: {group: g, limit: 1}")]).await;
    let first = place.start("waits", json!({"gate": "one"})).await;
    // Runs of one millisecond have no order.
    clock.advance(Duration::from_millis(1));
    let second = place.start("waits", json!({"gate": "two"})).await;
    let queued = place.good(&format!("/runs/{second}")).await;
    assert_eq!(
        (&queued["started_at"], &queued["queued_s"], &queued["took_s"]),
        (&Json::Null, &Json::Null, &Json::Null)
    );
    place.until(&first, |name, data| name == "step" && data["status"] == "running").await;
    let running = place.good(&format!("/runs/{first}")).await;
    assert!(running["started_at"].is_string() && running["took_s"].is_null(), "{running}");
    assert_eq!(running["owner"], json!({"here": true, "pid": null, "command": null, "since": null}), "{running}");
    clock.advance(Duration::from_secs(7));
    place.gates.open("two");
    place.gates.open("one");
    place.ended(&first).await;
    let second = place.ended(&second).await;
    let seconds = |field: &str| second[field].as_f64().unwrap_or_else(|| panic!("{field}: {second}"));
    assert!(seconds("queued_s") >= 7.0, "{second}");
    assert!(seconds("took_s") < 7.0, "the wait is no part of it: {second}");
    assert!(second["created_at"].as_str() < second["started_at"].as_str(), "{second}");
    let listed = place.good("/runs?limit=1").await["items"][0].clone();
    assert_eq!((&listed["started_at"], &listed["took_s"]), (&second["started_at"], &second["took_s"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_asked_without_its_form() {
    let asks = "version: 1\nname: asks\nsteps:\n  - id: review\n    uses: approval\n    with:\n      prompt: \"Go?\\nOr not?\"\n      \
                form: {note: {type: string, description: why}, many: {type: \"int?\"}, how: {type: string, enum: [fast, well], default: well}}\n";
    let place = Place::open(&[asks]).await;
    let run = place.start("asks", json!({})).await;
    place.is(&run, "waiting").await;
    let question = place.good("/approvals").await["items"][0].clone();
    assert_eq!(question["prompt"], "Go?\nOr not?");
    let how = &question["form"][2];
    assert_eq!(
        (&how["enum"], &how["default"], &how["required"]),
        (&json!(["fast", "well"]), &json!("well"), &json!(false))
    );
    let step = place.steps(&run).await[0].clone();
    assert_eq!((&step["wait"]["prompt"], &step["wait"]["shown"]), (&question["prompt"], &question["shown"]), "{step}");
    let detail = place.good(&format!("/runs/{run}")).await;
    assert_eq!((each(&detail["waits"], "id"), &detail["steps"]["waiting"]), (vec!["review".to_owned()], &json!(1)));
    let why = place.good(&format!("/runs/{run}/why")).await;
    assert_eq!(why["text"], json!(["`review` waits for approval: Go?\nOr not?"]));
    // It waits in its first attempt, and goes on in it.
    let attempts = async || place.good(&format!("/runs/{run}/steps/review")).await["attempts_log"].clone();
    let waiting = attempts().await;
    assert_eq!((waiting.as_array().map(Vec::len), &waiting[0]["ended_at"]), (Some(1), &Json::Null), "{waiting}");
    let answer =
        json!({"shown": question["shown"], "answer": {"approved": true, "values": {"many": "x", "note": "n"}}});
    let wrong = place.post(&format!("/approvals/{run}/review"), answer).await;
    wrong.refused(422, "answer.wrong");
    assert_eq!(wrong.json()["help"], "give the form's values in `answer.values`");
    let answer = json!({"shown": question["shown"], "answer": {"approved": true, "values": {"note": "n"}}});
    place.post(&format!("/approvals/{run}/review"), answer).await.of_status(StatusCode::OK);
    place.ended(&run).await;
    let done = attempts().await;
    assert_eq!(done.as_array().map(Vec::len), Some(1), "{done}");
    assert_eq!((&done[0]["started_at"], done[0]["ended_at"].is_string()), (&waiting[0]["started_at"], true), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_tells_of_whole_runs() {
    let child = ECHO.replace("name: echo", "name: child");
    let parent = "version: 1\nname: parent\nsteps:\n  - {id: call, uses: pipeline, with: {path: p1.yaml}}\n";
    let fails = "version: 1\nname: fails\nsteps:\n  - {id: bad, uses: scripted, with: {value: 1}}\n";
    let script = Script::default().then("bad", [Act::Fail(Fault::user("test.failed", "it failed"))]);
    let place = Place::with(Setup { script, ..Setup::default() }, &[parent, &child, fails]).await;
    let run = place.ran("parent", json!({})).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(place.good("/runs").await["items"].as_array().map(Vec::len), Some(2), "with the child");
    let failed = place.ran("fails", json!({})).await;
    let overview = place.good("/overview").await;
    assert_eq!(each(&overview["recent"], "pipeline"), ["fails", "parent"], "{overview}");
    assert_eq!(each(&overview["failed"], "id"), [text(&failed["id"])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pipeline_says_of_itself() {
    let text_of = |uses: &str| {
        format!(
            "version: 1\nname: told\ndescription: \"It tells: much\"\n\
             inputs:\n  day: {{type: string, default: \"${{{{ 'a' + \\\"b\\\" }}}}\"}}\n  \
             other: {{type: string, default: '${{{{ \"x\" }}}}'}}\n\
             steps:\n  - {{id: s, uses: {uses}, with: {{value: 1}}}}\n"
        )
    };
    let place = Place::open(&[&text_of("scripted")]).await;
    let shown = place.good("/pipelines/told").await;
    assert_eq!(shown["inputs"][0]["default_text"], "${{ 'a' + \"b\" }}", "{shown}");
    assert_eq!(shown["inputs"][1]["default_text"], "${{ \"x\" }}", "{shown}");
    let broken = Place::open(&[&text_of("nothing_such")]).await;
    let path = broken.folder.path().join("p0.yaml");
    for text in [text_of("nothing_such"), text_of("scripted").replace("It tells: much", "It tells: less")] {
        fs::write(&path, &text).expect("a file");
        broken.service.reload("test").await;
        let shown = broken.good("/pipelines/told").await;
        let said = if text.contains("less") { "It tells: less" } else { "It tells: much" };
        assert_eq!(shown["description"], said, "{shown}");
    }
    assert_eq!(broken.good("/pipelines?q=tells").await["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_says_what_to_type_on_a_terminal() {
    let asks = ECHO.replace("default: 1", "description: how many");
    let place = Place::open(&[&asks]).await;
    let missing = place.post("/runs", json!({"pipeline": "echo"})).await;
    missing.refused(422, "input.missing");
    assert_eq!(missing.json()["help"], "give it in `inputs`");
    let run = text(&place.ran("echo", json!({"n": 1})).await["id"]);
    let resumed = place.post(&format!("/runs/{run}/resume"), json!({})).await;
    resumed.refused(409, "run.succeeded");
    assert!(resumed.json()["help"].as_str().is_some_and(|help| help.contains("POST /api/v1/runs/{id}/rerun")));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_are_done_again_are_counted_once() {
    let fan = "version: 1\nname: fan\nsteps:\n  - id: each\n    for_each: \"[1, 2, 3, 4]\"\n    uses: scripted\n    \
               with: {value: \"${{ item }}\"}\n";
    let script = Script::default().then("each.3", [Act::Fail(Fault::user("test.failed", "it failed"))]);
    let place = Place::with(Setup { script, ..Setup::default() }, &[fan]).await;
    let id = text(&place.ran("fan", json!({})).await["id"]);
    let items = async || place.steps(&id).await[0]["items"].clone();
    assert_eq!(items().await["failed"], 1);
    place.post(&format!("/runs/{id}/resume"), json!({})).await.of_status(StatusCode::ACCEPTED);
    while place.ended(&id).await["status"] != "succeeded" {}
    let all = json!({"total": 4, "succeeded": 4, "failed": 0, "skipped": 0, "cancelled": 0, "running": 0});
    assert_eq!(items().await, all);
    let told = place.stream(&format!("/runs/{id}/events"), None).await.rest().await;
    let last = told.iter().rfind(|event| event.name == "items").expect("items");
    assert_eq!((&last.data["succeeded"], &last.data["failed"]), (&json!(4), &json!(0)), "{last:?}");
    assert!(place.steps(&id).await[0].get("fault").is_none());
}
