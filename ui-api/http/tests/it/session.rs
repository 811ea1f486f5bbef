//! Browsers: logging in and out, cookies, and how often one may try.

use std::{sync::Arc, time::Duration};

use millwork_engine::model::{Clock as _, ManualClock, SystemClock};
use millwork_service::auth::{NewToken, Role};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};

use crate::place::{Answer, ECHO, Place, Setup, gated, text};

/// A place whose time stands still.
async fn still() -> (Place, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let place = Place::with(Setup { clock: clock.clone(), ..Setup::default() }, &[]).await;
    place.close().await;
    (place, clock)
}

async fn log_in(place: &Place, token: &str) -> Answer {
    Answer::of(place.bare(Method::POST, "/api/v1/session").json(&json!({"token": token}))).await
}

fn start(place: &Place, cookie: &str) -> RequestBuilder {
    let request = place.bare(Method::POST, "/api/v1/runs").header("cookie", cookie);
    request.json(&json!({"pipeline": "echo"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn in_and_out() {
    let place = Place::closed(&[ECHO]).await;
    let token = place.token_for("ana", Role::Operator, &[]).await;
    let answer = log_in(&place, &format!(" {token}\n")).await;
    let set = answer.header("set-cookie").expect("a cookie").to_owned();
    let (cookie, flags) = set.split_once(';').expect("flags");
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(flags.split(';').any(|given| given.trim() == flag), "{set}");
    }
    assert!(!set.contains(&token[3..]), "the token stays out of the browser");
    let session = answer.of_status(StatusCode::OK);
    assert_eq!((&session["actor"], &session["role"]), (&json!("ana"), &json!("operator")));
    let csrf = text(&session["csrf"]);

    let shown = Answer::of(place.bare(Method::GET, "/api/v1/session").header("cookie", cookie)).await;
    assert_eq!(shown.of_status(StatusCode::OK)["csrf"], csrf.as_str());
    let runs = place.bare(Method::GET, "/api/v1/runs").header("cookie", format!("other=1; {cookie}"));
    Answer::of(runs).await.of_status(StatusCode::OK);
    let admin = place.bare(Method::GET, "/api/v1/tokens").header("cookie", cookie);
    Answer::of(admin).await.refused(403, "auth.forbidden");

    Answer::of(start(&place, cookie)).await.refused(403, "auth.csrf");
    for wrong in ["", "x", &csrf.to_lowercase(), &format!("{csrf}x")] {
        Answer::of(start(&place, cookie).header("x-millwork-csrf", wrong)).await.refused(403, "auth.csrf");
    }
    let right = Answer::of(start(&place, cookie).header("x-millwork-csrf", &csrf)).await;
    right.of_status(StatusCode::CREATED);
    // Another session's is none of this one.
    let other = log_in(&place, &token).await.of_status(StatusCode::OK);
    Answer::of(start(&place, cookie).header("x-millwork-csrf", text(&other["csrf"]))).await.refused(403, "auth.csrf");

    let out = |csrf: &str| {
        let request = place.bare(Method::DELETE, "/api/v1/session").header("cookie", cookie);
        request.header("x-millwork-csrf", csrf)
    };
    Answer::of(out("")).await.refused(403, "auth.csrf");
    let gone = Answer::of(out(&csrf)).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert!(gone.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")), "{gone}");
    let after = Answer::of(start(&place, cookie).header("x-millwork-csrf", &csrf)).await;
    after.refused(401, "auth.missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_token_and_with_time() {
    let (place, clock) = still().await;
    let token = place.token_for("ana", Role::Viewer, &[]).await;
    let cookie = |answer: &Answer| {
        let set = answer.header("set-cookie").expect("a cookie");
        set.split(';').next().expect("a pair").to_owned()
    };
    let ask = |cookie: String| Answer::of(place.bare(Method::GET, "/api/v1/runs").header("cookie", cookie));
    // The service may have cleared it away meanwhile.
    let over = |answer: &Answer, code: &str| {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer}");
        assert!([code, "auth.missing"].contains(&answer.code().as_str()), "{answer}");
    };
    let first = cookie(&log_in(&place, &token).await);
    ask(first.clone()).await.of_status(StatusCode::OK);
    clock.advance(Duration::from_hours(9));
    over(&ask(first).await, "auth.expired");
    let second = cookie(&log_in(&place, &token).await);
    ask(second.clone()).await.of_status(StatusCode::OK);
    place.revoke("ana").await;
    over(&ask(second).await, "auth.revoked");
    log_in(&place, &token).await.refused(401, "auth.revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_logins_are_slowed_down() {
    let (place, clock) = still().await;
    let right = place.token_for("ana", Role::Viewer, &[]).await;
    for _ in 0..5 {
        log_in(&place, "mw_wrong").await.refused(401, "auth.missing");
    }
    for wait in ["1", "2", "4"] {
        // A right one waits as well: nothing can be learned from the answer.
        for token in ["mw_wrong", &right] {
            let answer = log_in(&place, token).await;
            answer.refused(429, "auth.throttled");
            assert_eq!(answer.header("retry-after"), Some(wait), "{answer}");
            assert_eq!(answer.json()["retry"], "later");
        }
        clock.advance(Duration::from_secs(wait.parse().expect("a number")));
        log_in(&place, "mw_wrong").await.refused(401, "auth.missing");
    }
    clock.advance(Duration::from_mins(15));
    log_in(&place, &right).await.of_status(StatusCode::OK);
    log_in(&place, "mw_wrong").await.refused(401, "auth.missing");
    let audit = place.good("/audit?before=0").await;
    let actions: Vec<_> =
        audit["items"].as_array().expect("a list").iter().map(|entry| text(&entry["action"])).collect();
    assert_eq!(actions.iter().filter(|action| *action == "session.refused").count(), 9, "{actions:?}");
    assert!(!audit.to_string().contains(&right[3..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_so_many_requests_a_minute() {
    let (place, clock) = still().await;
    let token = place.new_token(NewToken { per_minute: Some(8), ..NewToken::new("ci", Role::Viewer) }).await;
    let ask = async || Answer::of(place.bare(Method::GET, "/api/v1/runs").bearer_auth(&token)).await;
    for _ in 0..2 {
        ask().await.of_status(StatusCode::OK);
    }
    let answer = ask().await;
    answer.refused(429, "auth.throttled");
    assert_eq!(answer.header("retry-after"), Some("8"), "{answer}");
    clock.advance(Duration::from_millis(7_500));
    ask().await.of_status(StatusCode::OK);
    ask().await.refused(429, "auth.throttled");
    place.good("/runs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_of_a_day() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let place = Place::with(Setup { clock: clock.clone(), ..Setup::default() }, &[crate::place::ECHO]).await;
    let new = NewToken { runs_per_day: Some(2), ..NewToken::new("ci", Role::Operator) };
    place.token.set(place.new_token(new).await).expect("closed once");
    let start = async |path: &str, body: Json| place.post(path, body).await;
    let run = json!({"pipeline": "echo"});
    assert_eq!(start("/runs", run.clone()).await.status, 201);
    // What is refused does not count, nor does looking.
    start("/runs", json!({"pipeline": "echo", "inputs": {"n": "x"}})).await.refused(422, "input.type");
    place.good("/runs").await;
    assert_eq!(start("/pipelines/echo/call", json!({})).await.status, 200);
    for (path, body) in [("/runs", run.clone()), ("/pipelines/echo/call", json!({}))] {
        let refused = start(path, body).await;
        refused.refused(429, "auth.quota");
        let wait: u64 = refused.header("retry-after").expect("a time").parse().expect("a number");
        assert!((1..=86_400).contains(&wait), "{wait}");
    }
    clock.advance(Duration::from_hours(24));
    assert_eq!(start("/runs", run).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_counts_whatever_starts_runs() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let texts = [
        gated("skips", "concurrency: {group: skips, limit: 1, on_conflict: skip}\non: {webhook: {path: /skips}}"),
        gated("nightly", "on: {schedule: {cron: '0 2 * * *', timezone: UTC}}"),
        ECHO.replace("\ninputs", "\non: {webhook: {path: /echo}}\ninputs"),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let place = Place::with(Setup { clock: clock.clone(), ..Setup::default() }, &texts).await;
    let new = NewToken { runs_per_day: Some(6), ..NewToken::new("ci", Role::Operator) };
    let token = place.new_token(new).await;
    place.token.set(token.clone()).expect("closed once");
    let hook = async |path: &str, id: &str| {
        let request = place.bare(Method::POST, &format!("/hooks/{path}")).bearer_auth(&token);
        Answer::of(request.header("webhook-id", id)).await
    };
    // A new delivery counts, one that comes again does not.
    hook("echo", "1").await.of_status(StatusCode::ACCEPTED);
    hook("echo", "1").await.of_status(StatusCode::OK);
    // What a full group skips does not count, whoever asks.
    let held = place.start("skips", json!({})).await;
    place.is(&held, "running").await;
    for n in 0..5 {
        assert_eq!(hook("skips", &n.to_string()).await.of_status(StatusCode::ACCEPTED)["runs"][0]["run"], Json::Null);
        place.post("/pipelines/skips/call", json!({})).await.refused(409, "run.skipped");
    }
    // A backfill counts whole, and does not begin where there is no room for all of it.
    let backfill = async |days: u32, dry: bool| {
        let to = format!("2026-01-{:02}T00:00:00Z", 1 + days);
        let range = json!({"from": "2026-01-01T00:00:00Z", "to": to, "dry_run": dry});
        place.post("/pipelines/nightly/schedules/0/backfill", range).await
    };
    let refused = backfill(5, false).await;
    refused.refused(429, "auth.quota");
    assert!(text(&refused.json()["detail"]).contains("6 runs a day, of which 4 are left"), "{refused}");
    backfill(5, true).await.of_status(StatusCode::OK);
    backfill(3, false).await.of_status(StatusCode::ACCEPTED);
    place.gates.open("g");
    let again = place.ended(&held).await;
    let rerun = place.post(&format!("/runs/{}/rerun", text(&again["id"])), json!({"from": "stand"})).await;
    rerun.of_status(StatusCode::CREATED);
    let refused = hook("echo", "2").await;
    refused.refused(429, "auth.quota");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    clock.advance(Duration::from_hours(24));
    hook("echo", "2").await.of_status(StatusCode::ACCEPTED);
}
