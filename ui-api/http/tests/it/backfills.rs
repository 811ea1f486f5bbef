//! Ranges of times that are run afterwards.

use std::{fs, sync::Arc, time::Duration};

use millwork_engine::model::{Clock as _, ManualClock, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::place::{Answer, Place, Setup, text, within};

/// Runs of times for which `divisor` is nought cannot be started.
fn nightly(name: &str, divisor: &str) -> String {
    format!(
        "version: 1\nname: {name}\non:\n  schedule:\n    cron: '0 2 * * *'\n    timezone: UTC\n    \
         inputs: {{n: \"${{{{ 12 / ({divisor}) }}}}\"}}\ninputs: {{n: {{type: any}}}}\nsteps:\n  \
         - id: say\n    uses: scripted\n    with: {{value: \"${{{{ inputs.n }}}}\"}}\n"
    )
}

async fn begin(place: &Place, name: &str) -> String {
    let range = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-04T00:00:00Z"});
    let begun = place.post(&format!("/pipelines/{name}/schedules/0/backfill"), range).await;
    let begun = begun.of_status(StatusCode::ACCEPTED);
    assert_eq!(begun["times"].as_array().map(Vec::len), Some(3), "{begun}");
    text(&begun["id"])
}

async fn shown(place: &Place, id: &str) -> Json {
    let all = place.good("/backfills").await;
    let found = all["items"].as_array().expect("a list").iter().find(|one| one["id"] == id);
    found.expect("it is there").clone()
}

async fn over(place: &Place, id: &str) -> Json {
    within("a backfill is over", async {
        loop {
            let one = shown(place, id).await;
            if one["state"] != "running" {
                return one;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_is_told_and_the_rest_is_run() {
    let place = Place::open(&[&nightly("odd", "0"), &nightly("good", "2")]).await;
    let one = over(&place, &begin(&place, "odd").await).await;
    assert_eq!((&one["done"], &one["failed"], &one["state"]), (&json!(0), &json!(3), &json!("done")), "{one}");
    assert!(one["fault"].is_string(), "{one}");
    let id = begin(&place, "good").await;
    let one = over(&place, &id).await;
    assert_eq!((&one["done"], &one["failed"], &one["fault"]), (&json!(3), &json!(0), &Json::Null), "{one}");
    // What it was about stays what it was about.
    let other = nightly("good", "2").replace("0 2 * * *", "0 3 * * *");
    fs::write(place.folder.path().join("p1.yaml"), other).expect("a file");
    place.service.reload("test").await;
    let one = shown(&place, &id).await;
    assert_eq!((&one["done"], &one["total"], &one["state"]), (&json!(3), &json!(3), &json!("done")), "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_pages() {
    let place = Place::open(&[&nightly("good", "2")]).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let range = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"});
        let begun = place.post("/pipelines/good/schedules/0/backfill", range).await;
        ids.push(text(&begun.of_status(StatusCode::ACCEPTED)["id"]));
    }
    let first = place.good("/backfills?limit=2").await;
    let next = text(&first["next"]);
    let rest = place.good(&format!("/backfills?limit=2&cursor={next}")).await;
    let listed = |page: &Json| page["items"].as_array().expect("a list").iter().map(|one| text(&one["id"])).collect();
    let (mut all, more): (Vec<String>, Vec<String>) = (listed(&first), listed(&rest));
    all.extend(more);
    ids.reverse();
    assert_eq!((all, &rest["next"]), (ids.clone(), &Json::Null));
    // What is over is not called off any more.
    over(&place, &ids[0]).await;
    let gone = Answer::of(place.call(Method::DELETE, &format!("/backfills/{}", ids[0]))).await;
    assert_eq!(gone.of_status(StatusCode::OK)["state"], "done");
}

/// Where runs of the pipeline do not wait in their own group, the backfill does.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_group_loses_no_time() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let skips = nightly("good", "2")
        .replace("inputs: {n: {", "concurrency: {group: g, limit: 1, on_conflict: skip}\ninputs: {n: {");
    let place = Place::with(Setup { clock: clock.clone(), ..Setup::default() }, &[&skips]).await;
    let range = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-04T00:00:00Z", "concurrency": 3});
    let begun = place.post("/pipelines/good/schedules/0/backfill", range).await;
    let id = text(&begun.of_status(StatusCode::ACCEPTED)["id"]);
    let one = within("a backfill is over", async {
        loop {
            let one = shown(&place, &id).await;
            if one["state"] != "running" {
                return one;
            }
            clock.advance(Duration::from_secs(1));
        }
    })
    .await;
    assert_eq!((&one["done"], &one["failed"]), (&json!(3), &json!(0)), "{one}");
}
