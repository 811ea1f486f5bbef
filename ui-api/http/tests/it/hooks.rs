//! Webhooks: who proves themselves, and who does not.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use millwork_service::auth::Role;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};
use sha2::Sha256;

use crate::place::{Answer, Place, each, text};

fn hooked(name: &str, hook: &str) -> String {
    format!(
        "version: 1\nname: {name}\non:\n  webhook:\n    {hook}\n    inputs: {{order: \"${{{{ event.body?.order }}}}\"}}\n\
         inputs: {{order: {{type: any, default: none}}}}\nsteps:\n  - id: say\n    uses: scripted\n    \
         with: {{value: \"${{{{ inputs.order }}}}\"}}\noutputs: {{order: \"${{{{ steps.say.outputs.value }}}}\"}}\n"
    )
}

async fn place() -> Place {
    Place::closed(&[
        &hooked("standard", "path: /orders\n    secret: hook\n    body: \"object{order: string}\""),
        &hooked("github", "path: /github\n    secret: plain\n    scheme: github"),
        &hooked("bare", "path: /bare"),
        &hooked("asked", "path: /asked\n    method: GET"),
    ])
    .await
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs() as i64
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

/// A delivery, signed with a key at a time.
fn standard(place: &Place, id: &str, at: i64, key: &[u8], body: &str) -> RequestBuilder {
    let signature = base64(&mac(key, format!("{id}.{at}.{body}").as_bytes()));
    place
        .bare(Method::POST, "/hooks/orders")
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", format!("v1,{} v1,{signature}", base64(b"of another key")))
        .body(body.to_owned())
}

const KEY: &[u8] = b"a key of hooks";
const BODY: &str = r#"{"order": "o-1"}"#;

fn runs(answer: &Json) -> Vec<String> {
    each(&answer["runs"], "run")
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_webhooks() {
    let place = place().await;
    let first = Answer::of(standard(&place, "msg_1", now(), KEY, BODY)).await.of_status(StatusCode::ACCEPTED);
    assert_eq!((&first["runs"][0]["pipeline"], &first["runs"][0]["again"]), (&json!("standard"), &json!(false)));
    let run = place.ended(&runs(&first)[0]).await;
    assert_eq!((&run["outputs"], &run["cause"]["kind"]), (&json!({"order": "o-1"}), &json!("webhook")));
    // Sent again, also by a sender who signs it anew.
    for at in [now(), now() - 60] {
        let again = Answer::of(standard(&place, "msg_1", at, KEY, BODY)).await.of_status(StatusCode::OK);
        assert_eq!((runs(&again), &again["runs"][0]["again"]), (runs(&first), &json!(true)));
    }
    let second = Answer::of(standard(&place, "msg_2", now(), KEY, BODY)).await.of_status(StatusCode::ACCEPTED);
    assert_ne!(runs(&second), runs(&first));

    let without = |name: &'static str| {
        let (client, request) = standard(&place, "msg_3", now(), KEY, BODY).build_split();
        let mut request = request.expect("a request");
        request.headers_mut().remove(name);
        RequestBuilder::from_parts(client, request)
    };
    let changed = standard(&place, "msg_3", now(), KEY, BODY).body(r#"{"order": "o-2"}"#);
    let table = [
        (standard(&place, "msg_3", now(), b"another key", BODY), 401, "hook.signature"),
        (standard(&place, "msg_3", now(), b"", BODY), 401, "hook.signature"),
        (changed, 401, "hook.signature"),
        (without("webhook-id"), 401, "hook.signature"),
        (without("webhook-timestamp"), 401, "hook.signature"),
        (without("webhook-signature"), 401, "hook.signature"),
        (standard(&place, "msg_3", now() - 301, KEY, BODY), 401, "hook.time"),
        (standard(&place, "msg_3", now() + 330, KEY, BODY), 401, "hook.time"),
        (standard(&place, "msg_3", now(), KEY, r#"{"order": 3"#), 422, "hook.body"),
        (standard(&place, "msg_3", now(), KEY, r#"{"order": {"no": "text"}}"#), 422, "event.type"),
        (standard(&place, "msg_3", now(), KEY, r#"["order"]"#), 422, "event.type"),
        // A token is no signature.
        (
            place.bare(Method::POST, "/hooks/orders").bearer_auth(place.token.get().expect("a token")).body(BODY),
            401,
            "hook.signature",
        ),
    ];
    for (request, status, code) in table {
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{answer}");
    }
    assert_eq!(place.good("/runs").await["items"].as_array().map(Vec::len), Some(2));
    let audit = place.good("/audit?before=0").await.to_string();
    assert!(audit.contains("hook.accepted") && audit.contains("hook.refused"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_github_signs() {
    let place = place().await;
    let send = |delivery: &str, key: &str, body: &str| {
        let sum: String = mac(key.as_bytes(), body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let request = place.bare(Method::POST, "/hooks/github").header("x-github-delivery", delivery);
        request.header("x-hub-signature-256", format!("sha256={sum}")).body(body.to_owned())
    };
    let first = Answer::of(send("d-1", "a plain text", BODY)).await.of_status(StatusCode::ACCEPTED);
    assert_eq!(place.ended(&runs(&first)[0]).await["outputs"], json!({"order": "o-1"}));
    let again = Answer::of(send("d-1", "a plain text", BODY)).await.of_status(StatusCode::OK);
    assert_eq!(runs(&again), runs(&first));
    // The id is not signed: who has seen a delivery cannot have it run again under another.
    let replayed = Answer::of(send("d-9", "a plain text", BODY)).await.of_status(StatusCode::OK);
    assert_eq!(runs(&replayed), runs(&first));
    Answer::of(send("d-2", "another text", BODY)).await.refused(401, "hook.signature");
    Answer::of(place.bare(Method::POST, "/hooks/github").body(BODY)).await.refused(401, "hook.signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_without_a_secret_needs_a_token() {
    let place = place().await;
    let send = |token: Option<&str>| {
        let request = place.bare(Method::POST, "/hooks/bare").body(BODY);
        token.iter().fold(request, |request, token| request.bearer_auth(token))
    };
    Answer::of(send(None)).await.refused(401, "hook.signature");
    Answer::of(send(Some("mw_wrong"))).await.refused(401, "hook.signature");
    let viewer = place.token_for("viewer", Role::Viewer, &[]).await;
    Answer::of(send(Some(&viewer))).await.refused(401, "hook.signature");
    let operator = place.token_for("operator", Role::Operator, &[]).await;
    let one = Answer::of(send(Some(&operator))).await.of_status(StatusCode::ACCEPTED);
    let two = Answer::of(send(Some(&operator))).await.of_status(StatusCode::ACCEPTED);
    assert_ne!(runs(&one), runs(&two), "without an id each request is another");
    let named = || send(Some(&operator)).header("webhook-id", "once");
    let first = Answer::of(named()).await.of_status(StatusCode::ACCEPTED);
    assert_eq!(runs(&Answer::of(named()).await.of_status(StatusCode::OK)), runs(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_there() {
    let place = place().await;
    let token = place.token.get().expect("a token");
    let table = [
        (Method::POST, "/hooks/nothing"),
        (Method::POST, "/hooks/bare/more"),
        (Method::POST, "/hooks/asked"),
        (Method::GET, "/hooks/bare"),
        (Method::DELETE, "/hooks/bare"),
    ];
    for (method, path) in table {
        Answer::of(place.bare(method, path).bearer_auth(token)).await.refused(404, "hook.none");
    }
    let asked = place.bare(Method::GET, "/hooks/asked?x=1").bearer_auth(token);
    let started = Answer::of(asked).await.of_status(StatusCode::ACCEPTED);
    assert_eq!(text(&started["runs"][0]["pipeline"]), "asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_starts_nothing_where_nobody_needs_a_token() {
    let place = Place::open(&[&hooked("asked", "path: /asked\n    method: GET"), &hooked("bare", "path: /bare")]).await;
    for (method, path) in [(Method::GET, "/hooks/asked"), (Method::POST, "/hooks/bare")] {
        let from = |name: &str, value: &str| place.bare(method.clone(), path).header(name, value);
        Answer::of(from("sec-fetch-site", "cross-site")).await.refused(403, "auth.origin");
        Answer::of(from("origin", "http://evil.example")).await.refused(403, "auth.origin");
        Answer::of(from("sec-fetch-site", "none")).await.of_status(StatusCode::ACCEPTED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_two_pipelines_share() {
    let strict = hooked("strict", "path: /shared\n    body: \"object{order: int}\"");
    let place = Place::closed(&[&hooked("loose", "path: /shared"), &strict]).await;
    let token = place.token.get().expect("a token");
    let send = |id: &str, body: &'static str| {
        let request = place.bare(Method::POST, "/hooks/shared").bearer_auth(token).header("webhook-id", id);
        Answer::of(request.body(body))
    };
    let refused = send("d-1", BODY).await;
    refused.refused(422, "event.type");
    let runs = refused.json()["runs"].clone();
    assert_eq!(each(&runs, "pipeline"), ["loose", "strict"], "{runs}");
    assert_eq!((&runs[0]["fault"], &runs[1]["fault"]["code"]), (&json!(null), &json!("event.type")), "{runs}");
    let first = text(&runs[0]["run"]);
    assert_eq!(place.ended(&first).await["status"], "succeeded");
    // The pipeline is mended: the same delivery starts the rest only.
    let mended = strict.replace("object{order: int}", "object{order: string}");
    std::fs::write(place.folder.path().join("p1.yaml"), mended).expect("a file");
    place.service.reload("test").await;
    let runs = send("d-1", BODY).await.of_status(StatusCode::ACCEPTED)["runs"].clone();
    assert_eq!((&runs[0]["run"], &runs[0]["again"], &runs[1]["again"]), (&json!(first), &json!(true), &json!(false)));
    assert!(runs[1]["run"].is_string() && runs[1]["fault"].is_null(), "{runs}");
    let again = send("d-1", BODY).await.of_status(StatusCode::OK)["runs"].clone();
    assert_eq!(each(&again, "run"), each(&runs, "run"));
    // Where nothing was started, the answer is the fault alone.
    send("d-2", "{").await.refused(422, "hook.body");
}
