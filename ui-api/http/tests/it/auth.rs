//! Who may call what.

use std::{net::SocketAddr, time::Duration};

use millwork_http::{App, AppOptions};
use millwork_service::auth::{NewToken, Role};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};

use crate::{
    openapi::{Operation, operations},
    place::{Answer, ECHO, Place, Setup, service},
};

/// The status, and the code where there is one. Streams are not read.
async fn outcome(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("an answer");
    let (status, refused) = (answer.status(), answer.status().is_client_error() || answer.status().is_server_error());
    if !refused {
        return (status.as_u16(), String::new());
    }
    let body: Json = answer.json().await.expect("a problem");
    (status.as_u16(), body["code"].as_str().expect("a code").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_by_everybody() {
    let place = Place::closed(&[ECHO]).await;
    let ran = place.ran("echo", json!({})).await;
    let run = ran["id"].as_str().expect("an id");
    let revision = ran["revision"].as_str().expect("a revision");
    let soon = NewToken { expires_in: Some(Duration::from_micros(1)), ..NewToken::new("soon", Role::Admin) };
    let expired = place.new_token(soon).await;
    let revoked = place.token_for("gone", Role::Admin, &[]).await;
    place.revoke("gone").await;
    let wrong = format!("mw_{}", "A".repeat(43));
    let mut people: Vec<(&str, Option<String>, Option<Role>)> = vec![
        ("nobody", None, None),
        ("no token at all", Some("no token".to_owned()), None),
        ("a wrong token", Some(wrong), None),
        ("an expired token", Some(expired), None),
        ("a revoked token", Some(revoked), None),
    ];
    for role in Role::ALL {
        people.push((role.as_str(), Some(place.token_for(role.as_str(), role, &[]).await), Some(role)));
    }
    let parameters = [
        ("name", "echo"),
        ("id", run),
        ("run", run),
        ("step", "say"),
        ("output", "value"),
        ("revision", revision),
        ("index", "0"),
    ];
    let mut cells = 0;
    for operation in operations() {
        if operation.path.starts_with("/hooks/") {
            assert_eq!(operation.about["security"], json!([{}, {"token": ["operator"]}]), "hooks prove themselves");
            continue;
        }
        let needs = operation.role().map(|role| role.parse::<Role>().expect("a role"));
        let path = operation.path(&parameters);
        for (who, token, role) in &people {
            let Operation { method, .. } = &operation;
            let request = place.bare(method.clone(), &path).json(&json!({}));
            let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
            let (status, code) = outcome(request).await;
            let what = format!("{who}: {method} {path} -> {status} {code}");
            match (needs, role) {
                (None, _) => assert!(status != 401 && status != 403, "{what}"),
                (Some(needs), Some(role)) if *role >= needs => assert!(status != 401 && status != 403, "{what}"),
                (Some(_), Some(_)) => assert_eq!((status, code.as_str()), (403, "auth.forbidden"), "{what}"),
                (Some(_), None) => {
                    let expected = match *who {
                        "an expired token" => "auth.expired",
                        "a revoked token" => "auth.revoked",
                        _ => "auth.missing",
                    };
                    assert_eq!((status, code.as_str()), (401, expected), "{what}");
                }
            }
            cells += 1;
        }
    }
    assert!(cells > 300, "{cells}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_how_to_come_in() {
    let place = Place::closed(&[]).await;
    let answer = Answer::of(place.bare(Method::GET, "/api/v1/runs")).await;
    answer.refused(401, "auth.missing");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert!(answer.json()["help"].as_str().is_some_and(|help| help.contains("POST /api/v1/tokens")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_open_on_this_machine_until_there_is_a_token() {
    let place = Place::open(&[ECHO]).await;
    let who = place.good("/session").await;
    assert_eq!((&who["actor"], &who["role"], &who["open"]), (&json!("local"), &json!("admin"), &json!(true)));
    let wrong = Answer::of(place.bare(Method::GET, "/api/v1/runs").bearer_auth("mw_wrong")).await;
    wrong.refused(401, "auth.missing");
    place.close().await;
    Answer::of(place.bare(Method::GET, "/api/v1/runs")).await.refused(401, "auth.missing");
    assert_eq!(place.good("/session").await["open"], false);
    // It does not open again when the last one is taken back.
    place.revoke("root").await;
    Answer::of(place.bare(Method::GET, "/api/v1/runs")).await.refused(401, "auth.missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_served_beyond_this_machine_without_a_token() {
    let (home, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (service, _) = service(&Setup::default(), home.path(), folder.path()).await;
    for (bind, open) in [("127.0.0.1:80", true), ("[::1]:80", true), ("0.0.0.0:80", false), ("[::]:80", false)] {
        let binds: Vec<SocketAddr> = vec![bind.parse().expect("an address")];
        let app = App::new(service.clone(), AppOptions { binds, ..AppOptions::default() }).await;
        match app {
            Ok(_) => assert!(open, "{bind}"),
            Err(fault) => assert!(!open && fault.code.as_str() == "serve.open", "{bind}: {fault}"),
        }
    }
    service.tokens().create(NewToken::new("ci", Role::Viewer)).await.expect("a token");
    let binds = vec!["0.0.0.0:80".parse().expect("an address")];
    App::new(service, AppOptions { binds, ..AppOptions::default() }).await.expect("there is a token now");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_strangers_change_nothing() {
    let place = Place::open(&[ECHO]).await;
    let own = format!("http://{}", place.address);
    let table: &[(&[(&str, &str)], Method, u16)] = &[
        (&[("host", "evil.example")], Method::GET, 421),
        (&[("host", "evil.example")], Method::POST, 421),
        (&[("host", "localhost:80")], Method::GET, 200),
        (&[("origin", "http://evil.example")], Method::POST, 403),
        (&[("origin", "null")], Method::POST, 403),
        (&[("origin", "http://127.0.0.1:1")], Method::POST, 403),
        (&[("origin", &own)], Method::POST, 201),
        (&[("origin", "http://evil.example")], Method::GET, 200),
        (&[("sec-fetch-site", "cross-site")], Method::POST, 403),
        (&[("sec-fetch-site", "same-origin")], Method::POST, 201),
        (&[("sec-fetch-site", "cross-site")], Method::GET, 200),
    ];
    for (headers, method, expected) in table {
        let mut request = place.call(method.clone(), "/runs");
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        if *method == Method::POST {
            request = request.json(&json!({"pipeline": "echo"}));
        }
        let answer = Answer::of(request).await;
        assert_eq!(answer.status.as_u16(), *expected, "{headers:?}: {answer}");
        if *expected >= 400 {
            let code = if *expected == 421 { "auth.host" } else { "auth.origin" };
            assert_eq!(answer.code(), code, "{headers:?}");
        }
    }
    // Not even a file of the UI.
    let page = Answer::of(place.bare(Method::GET, "/").header("host", "evil.example")).await;
    page.refused(421, "auth.host");
    // A program with a token is no page.
    place.close().await;
    let request = place.call(Method::POST, "/runs").header("sec-fetch-site", "cross-site");
    let answer = Answer::of(request.json(&json!({"pipeline": "echo"}))).await;
    answer.of_status(StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_browsers_may_do() {
    let place = Place::open(&[ECHO]).await;
    let paths = ["/", "/runs/x", "/api/v1/runs", "/api/v1/nothing", "/livez", "/assets/nothing.js", "/openapi.json"];
    for path in paths {
        let answer = Answer::of(place.bare(Method::GET, path)).await;
        for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'self'") && policy.contains("object-src 'none'"), "{path}: {policy}");
        assert!(answer.header("cache-control").is_some(), "{path}");
        assert!(answer.header("access-control-allow-origin").is_none(), "{path}");
    }
}
