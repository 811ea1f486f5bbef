//! Streams end with what let their reader in.

use std::time::Duration;

use millwork_service::auth::{NewToken, Role};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    place::{Answer, Place, gated, text},
    sse::Stream,
};

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_their_token() {
    let place = Place::closed(&[&gated("waits", "")]).await;
    let run = place.start("waits", json!({})).await;
    place.until(&run, |name, data| name == "step" && data["status"] == "running").await;
    let token = place.token_for("reader", Role::Operator, &[]).await;
    let short = NewToken { expires_in: Some(Duration::from_secs(3)), ..NewToken::new("short", Role::Viewer) };
    let short = place.new_token(short).await;
    let open = async |token: &str, path: &str| {
        Stream::of(place.bare(Method::GET, &format!("/api/v1{path}")).bearer_auth(token)).await
    };
    let of_run = format!("/runs/{run}/events?logs=1");
    let streams = [open(&token, "/events").await, open(&token, &of_run).await];
    let called = place.bare(Method::POST, "/api/v1/pipelines/waits/call").bearer_auth(&token);
    let called = Stream::of(called.json(&json!({"inputs": {"gate": "h"}}))).await;
    let other = open(&short, &of_run).await;
    let mut stays = place.stream("/events", None).await;
    place.revoke("reader").await;
    for stream in streams.into_iter().chain([called]) {
        let last = stream.rest().await.pop().expect("a last event");
        assert_eq!((last.name.as_str(), &last.data["code"]), ("problem", &json!("auth.revoked")), "{last:?}");
    }
    let last = other.rest().await.pop().expect("a last event");
    assert_eq!((last.name.as_str(), &last.data["code"]), ("problem", &json!("auth.expired")), "{last:?}");
    // Who may go on is told on; the run is not stopped, but that of the call is.
    place.gates.open("g");
    loop {
        let event = stays.next().await.expect("an event");
        if event.name == "run" && event.data["run"] == json!(run) && event.data["status"] == "succeeded" {
            break;
        }
    }
    let runs = place.good("/runs?status=cancelled").await["items"].clone();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_the_scheme_has_no_case() {
    let place = Place::closed(&[]).await;
    let token = place.token.get().expect("a token");
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        let request = place.bare(Method::GET, "/api/v1/tokens").header("authorization", format!("{scheme} {token}"));
        let tokens = Answer::of(request).await.of_status(StatusCode::OK);
        assert_eq!(text(&tokens["items"][0]["role"]), "admin", "{scheme}");
    }
    for odd in [format!("Basic {token}"), token.clone(), format!("Bearer{token}")] {
        let request = place.bare(Method::GET, "/api/v1/tokens").header("authorization", odd);
        Answer::of(request).await.refused(401, "auth.missing");
    }
}
