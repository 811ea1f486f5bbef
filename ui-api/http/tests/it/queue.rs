//! Runs that wait for their turn.

use std::collections::BTreeMap;

use millwork_engine::model::Name;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::place::{Answer, Place, Setup, each, gated, text, within};

async fn stands(place: &Place, pipeline: &str, gate: &str) -> String {
    let run = place.start(pipeline, json!({"gate": gate})).await;
    place.until(&run, |name, data| name == "step" && data["status"] == "running").await;
    run
}

async fn queue_of(place: &Place, run: &str) -> (u64, String, Vec<String>) {
    let run = place.good(&format!("/runs/{run}")).await;
    assert_eq!(run["status"], "queued", "{run}");
    let queue = &run["queue"];
    let holders = queue["holders"].as_array().expect("holders").iter().map(text).collect();
    (queue["position"].as_u64().expect("a number"), text(&queue["reason"]), holders)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_group_lets_wait() {
    let place = Place::open(&[&gated("waits", "concurrency: {group: one, limit: 2}")]).await;
    let (a, b) = (stands(&place, "waits", "a").await, stands(&place, "waits", "b").await);
    let c = place.start("waits", json!({"gate": "c"})).await;
    let d = place.start("waits", json!({"gate": "d"})).await;
    let mut both = vec![a.clone(), b.clone()];
    both.sort();
    assert_eq!(queue_of(&place, &c).await, (1, "group".to_owned(), both.clone()));
    assert_eq!(queue_of(&place, &d).await, (2, "group".to_owned(), both));
    let why = place.good(&format!("/runs/{d}/why")).await["text"].to_string();
    assert!(
        why.contains("it waits at place 2 because its concurrency group `one` is full") && why.contains(&a),
        "{why}"
    );
    let overview = place.good("/overview").await;
    assert_eq!((&overview["running"], &overview["queued"]), (&json!(2), &json!(2)));
    assert_eq!(each(&place.good("/runs?status=queued").await["items"], "id"), [d.clone(), c.clone()]);
    place.gates.open("a");
    place.ended(&a).await;
    place.until(&c, |name, data| name == "step" && data["status"] == "running").await;
    let (position, _, holders) = queue_of(&place, &d).await;
    assert_eq!((position, holders.contains(&b), holders.contains(&c)), (1, true, true));
    assert!(place.good(&format!("/runs/{d}")).await["queue"]["estimate_s"].is_number());
    for gate in ["b", "c", "d"] {
        place.gates.open(gate);
    }
    for run in [&b, &c, &d] {
        let ended = place.ended(run).await;
        assert_eq!((&ended["status"], &ended["queue"]), (&json!("succeeded"), &json!(null)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_group_skips_or_cancels() {
    let skips = gated("skips", "concurrency: {group: skips, limit: 1, on_conflict: skip}");
    let cancels = gated("cancels", "concurrency: {group: cancels, limit: 1, on_conflict: cancel}");
    let place = Place::open(&[&skips, &cancels]).await;
    let held = stands(&place, "skips", "a").await;
    let refused = place.post("/runs", json!({"pipeline": "skips"})).await;
    refused.refused(409, "run.skipped");
    assert!(text(&refused.json()["detail"]).contains(&held), "{refused}");
    assert_eq!(place.good("/runs?pipeline=skips").await["items"].as_array().map(Vec::len), Some(1));

    let old = stands(&place, "cancels", "a").await;
    let new = place.start("cancels", json!({"gate": "b"})).await;
    assert_eq!(place.ended(&old).await["status"], "cancelled");
    place.until(&new, |name, data| name == "step" && data["status"] == "running").await;
    for gate in ["a", "b"] {
        place.gates.open(gate);
    }
    assert_eq!(place.ended(&new).await["status"], "succeeded");
    assert_eq!(place.ended(&held).await["status"], "succeeded");
    place.post("/runs", json!({"pipeline": "skips"})).await.of_status(StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_are_shared_by_pipelines() {
    let name = |text: &str| Name::new(text).expect("a name");
    let pools = BTreeMap::from([(name("gpu"), 2)]);
    let (one, two) = (gated("one", "pools: {gpu: 1}"), gated("two", "pools: {gpu: 2}"));
    let place = Place::with(Setup { pools, ..Setup::default() }, &[&one, &two, &gated("free", "")]).await;
    let held = stands(&place, "one", "a").await;
    let big = place.start("two", json!({"gate": "b"})).await;
    assert_eq!(queue_of(&place, &big).await, (1, "pool".to_owned(), vec![held.clone()]));
    // Who needs less comes later all the same, and who needs none at once.
    let small = place.start("one", json!({"gate": "c"})).await;
    assert_eq!(queue_of(&place, &small).await.1, "pool");
    let free = stands(&place, "free", "d").await;
    let metrics = String::from_utf8(Answer::of(place.bare(Method::GET, "/metrics")).await.body).expect("text");
    for line in [
        "millwork_pool_slots_used{pool=\"gpu\"} 1",
        "millwork_pool_slots{pool=\"gpu\"} 2",
        "millwork_runs_queued 2",
        "millwork_runs_under_way 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    place.gates.open("a");
    place.until(&big, |name, data| name == "step" && data["status"] == "running").await;
    assert_eq!(queue_of(&place, &small).await.2, vec![big.clone()]);
    for gate in ["b", "c", "d"] {
        place.gates.open(gate);
    }
    for run in [&held, &big, &small, &free] {
        assert_eq!(place.ended(run).await["status"], "succeeded");
    }
    let counted = "millwork_runs_ended_total{pipeline=\"one\",status=\"succeeded\"} 2";
    within("ends are counted", async {
        loop {
            let answer = Answer::of(place.bare(Method::GET, "/metrics")).await;
            let metrics = String::from_utf8(answer.body).expect("text");
            if metrics.lines().any(|line| line == counted) {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_takes_so_many_runs_at_once() {
    let urgent = gated("urgent", "priority: 9");
    let place = Place::with(Setup { runs: 1, ..Setup::default() }, &[&gated("waits", ""), &urgent]).await;
    let held = stands(&place, "waits", "a").await;
    let plain = place.start("waits", json!({"gate": "b"})).await;
    let first = place.start("urgent", json!({"gate": "c"})).await;
    assert_eq!(queue_of(&place, &first).await, (1, "slots".to_owned(), vec![held.clone()]));
    assert_eq!(queue_of(&place, &plain).await.0, 2);
    let body = json!({"pipeline": "waits", "inputs": {"gate": "d"}, "priority": 20});
    let most = text(&place.post("/runs", body).await.of_status(StatusCode::CREATED)["id"]);
    assert_eq!(queue_of(&place, &most).await.0, 1);
    for gate in ["a", "b", "c", "d"] {
        place.gates.open(gate);
    }
    let mut began = Vec::new();
    for run in [&held, &most, &first, &plain] {
        place.ended(run).await;
        let step = place.steps(run).await[0].clone();
        began.push((text(&step["started_at"]), text(&step["ended_at"])));
    }
    assert!(began.windows(2).all(|pair| pair[0].1 <= pair[1].0), "one after the other: {began:?}");
}

/// What is repeated or goes on has its place in groups as what is new has.
#[tokio::test(flavor = "multi_thread")]
async fn groups_hold_for_what_is_repeated() {
    let one = "concurrency: {group: one, limit: 1}";
    let place = Place::open(&[&gated("waits", one)]).await;
    place.gates.open("a");
    let old = place.ran("waits", json!({"gate": "a"})).await;
    let old = text(&old["id"]);
    let stopped = stands(&place, "waits", "b").await;
    place.post(&format!("/runs/{stopped}/cancel"), json!({})).await.of_status(StatusCode::ACCEPTED);
    assert_eq!(place.ended(&stopped).await["status"], "cancelled");
    let held = stands(&place, "waits", "c").await;
    let again = place.post(&format!("/runs/{old}/rerun"), json!({"from": "stand"})).await;
    let again = text(&again.of_status(StatusCode::CREATED)["id"]);
    assert_eq!(queue_of(&place, &again).await, (1, "group".to_owned(), vec![held.clone()]));
    let refused = place.post(&format!("/runs/{stopped}/resume"), json!({})).await;
    refused.refused(409, "run.skipped");
    place.gates.open("c");
    assert_eq!(place.ended(&again).await["status"], "succeeded");
    // Of many who resume it at once, one does, and its place is its own.
    let path = format!("/runs/{stopped}/resume");
    let all = futures::future::join_all((0..8).map(|_| place.post(&path, json!({})))).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 202).count(), 1, "{all:?}");
    place.is(&stopped, "running").await;
    let new = place.start("waits", json!({"gate": "b"})).await;
    assert_eq!(queue_of(&place, &new).await, (1, "group".to_owned(), vec![stopped.clone()]));
    place.gates.open("b");
    assert_eq!(place.ended(&stopped).await["status"], "succeeded");
    assert_eq!(place.ended(&new).await["status"], "succeeded");
    place.post(&path, json!({})).await.refused(409, "run.succeeded");
}
