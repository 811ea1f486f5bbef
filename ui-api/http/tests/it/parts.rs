//! Parts of runs that may be long, and answers that are known already.

use std::{fmt::Write as _, time::Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::place::{Answer, ECHO, Place, each, text};

/// A pipeline of many steps, each of which needs the one twenty before it.
fn many(steps: usize) -> String {
    let mut text = String::from("version: 1\nname: many\nsteps:\n");
    for n in 0..steps {
        let needs = if n < 20 { String::new() } else { format!(", needs: s{}", n - 20) };
        let _ = writeln!(text, "  - {{id: s{n}, uses: scripted, with: {{value: {n}}}{needs}}}");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_many_steps_is_told_in_parts() {
    const STEPS: usize = 10_000;
    let place = Place::open(&[&many(STEPS)]).await;
    let run = place.ran("many", json!({})).await;
    let id = text(&run["id"]);
    assert_eq!((&run["status"], &run["steps"]["succeeded"]), (&json!("succeeded"), &json!(STEPS)));
    let timed = async |path: String| {
        let began = Instant::now();
        let answer = place.get(&path).await;
        println!("{path}: {} bytes in {:?}", answer.body.len(), began.elapsed());
        answer
    };
    let detail = timed(format!("/runs/{id}")).await;
    assert!(detail.body.len() < 2_000, "{detail}");
    timed(format!("/runs/{id}/plan")).await.of_status(StatusCode::OK);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = timed(format!("/runs/{id}/steps?limit=5000{cursor}")).await;
        assert!(page.body.len() < 1_200_000, "{}", page.body.len());
        let page = page.json();
        assert_eq!(page["seq"], run["seq"]);
        seen.extend(each(&page["items"], "id"));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, (0..STEPS).map(|n| format!("s{n}")).collect::<Vec<_>>());
    for _ in 0..3 {
        let step = timed(format!("/runs/{id}/steps/s9000")).await.json();
        assert_eq!((&step["outputs"][0]["value"], &step["attempts_log"][0]["attempt"]), (&json!(9000), &json!(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_listed_by_their_state() {
    let place = Place::open(&[&many(7)]).await;
    let id = text(&place.ran("many", json!({})).await["id"]);
    let path = format!("/runs/{id}/steps");
    let ids = |page: &Json| each(&page["items"], "id");
    let page = place.good(&format!("{path}?limit=3&status=succeeded")).await;
    assert_eq!((ids(&page), &page["next"]), (vec!["s0".into(), "s1".into(), "s2".into()], &json!("3")), "{page}");
    let page = place.good(&format!("{path}?limit=9&cursor=3")).await;
    assert_eq!((ids(&page).len(), &page["next"]), (4, &Json::Null));
    assert_eq!(ids(&place.good(&format!("{path}?status=failed")).await), Vec::<String>::new());
    assert_eq!(place.good(&format!("{path}?cursor=99")).await["items"], json!([]));
    place.get(&format!("{path}?cursor=x")).await.refused(400, "api.request");
    place.get("/runs/run_none/steps").await.refused(404, "api.missing");
    place.get("/runs/run_none/plan").await.refused(404, "api.missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_not_sent_again() {
    let place = Place::open(&[ECHO]).await;
    let id = text(&place.ran("echo", json!({})).await["id"]);
    let paths = [
        format!("/runs/{id}"),
        format!("/runs/{id}/plan"),
        format!("/runs/{id}/steps"),
        "/pipelines/echo".to_owned(),
        "/pipelines/echo/plan".to_owned(),
    ];
    for path in paths {
        let tag = place.get(&path).await.header("etag").expect("a tag").to_owned();
        let ask = async |given: &str| {
            Answer::of(place.call(Method::GET, &path).header("if-none-match", given)).await.status.as_u16()
        };
        for given in [&tag, &format!("W/{tag}"), &format!("\"other\", {tag}"), "*", &format!("W/\"a\",W/{tag}")] {
            assert_eq!(ask(given).await, 304, "{path} {given}");
        }
        for given in ["\"other\"", "other", ""] {
            assert_eq!(ask(given).await, 200, "{path} {given}");
        }
    }
    // Another run of the same revision has the same graph.
    let other = text(&place.ran("echo", json!({})).await["id"]);
    let tag = async |id: &str| place.get(&format!("/runs/{id}/plan")).await.header("etag").map(str::to_owned);
    assert_eq!(tag(&id).await, tag(&other).await);
}
