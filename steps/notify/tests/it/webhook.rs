use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use millwork_engine::model::{Blame, Retry, RunStatus};
use serde_json::json;

use crate::{
    http_server::{Answer, HttpServer},
    lab::{Lab, pipeline, until},
};

/// A pipeline with one webhook, and what more its `with:` has.
fn hook(url: &str, more: &str) -> String {
    let step = format!("uses: notify.webhook\nwith:\n  url: \"{url}\"\n{more}");
    pipeline(&["HOOK", "TOKEN", "KEY"], &step)
        + "outputs:\n  status: ${{ steps.tell.outputs.status }}\n  body: ${{ steps.tell.outputs.body }}\n"
}

fn lab() -> Lab {
    Lab::new(&[("TOKEN", "tok-1234567890"), ("KEY", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), ("HOOK", "")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_sent_once_and_its_signature_holds() {
    let server = HttpServer::saying("200 OK", "", "{\"got\": true}");
    let more = "  method: PUT\n  headers: {Authorization: \"Bearer ${{ secrets.TOKEN }}\", X-Kind: test}\n  \
                body: {n: 3, text: \"ü\", list: [1, 2.5, null]}\n  sign: ${{ secrets.KEY }}\n";
    let summary = lab().run(&hook(&server.url("/in?x=1"), more)).await;
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["status"], 200);
    assert_eq!(summary.outputs["body"], "{\"got\": true}");
    let seen = server.seen();
    let [request] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("PUT", "/in?x=1"));
    assert_eq!(request.body, r#"{"n":3,"text":"ü","list":[1,2.5,null]}"#);
    assert_eq!(request.header("authorization"), "Bearer tok-1234567890");
    assert_eq!((request.header("x-kind"), request.header("content-type")), ("test", "application/json"));
    let (id, time) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    assert_eq!(id, format!("{}/tell", summary.id));
    let key = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("a key");
    mac.update(format!("{id}.{time}.{}", request.body).as_bytes());
    let signature = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(request.header("webhook-signature"), signature);
    let age = chrono::Utc::now().timestamp() - time.parse::<i64>().expect("seconds");
    assert!((0..60).contains(&age), "{time}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_nothing_can_be_sent_too() {
    let server = HttpServer::saying("204 No Content", "", "");
    let summary = lab().run(&hook(&server.url("/"), "  text: \"run ${{ run.id }}\"\n")).await;
    assert_eq!((&summary.outputs["status"], &summary.outputs["body"]), (&json!(204), &json!(null)));
    lab().run(&hook(&server.url("/"), "  expect: [200, 204]\n  headers: {content-type: text/x}\n")).await;
    let seen = server.seen();
    assert_eq!(
        (seen[0].body.as_str(), seen[0].header("content-type")),
        (&*format!("run {}", summary.id), "text/plain; charset=utf-8")
    );
    assert_eq!((seen[1].body.as_str(), seen[1].header("content-type")), ("", "text/x"));
    assert_eq!(seen[0].header("webhook-signature"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_become_faults_that_say_whether_to_try_again() {
    let after = "Retry-After: 7\r\n";
    let moved = "Location: https://elsewhere.example.com/secret/path\r\n";
    for (status, headers, code, blame, retry, words) in [
        ("500 Oops", "", "notify.unavailable", Blame::External, Retry::Backoff, "500 Internal Server Error: said so"),
        ("503 Later", after, "notify.unavailable", Blame::External, Retry::AfterMillis(7_000), "503"),
        ("429 Slow", after, "notify.busy", Blame::External, Retry::AfterMillis(7_000), "429 Too Many Requests"),
        ("429 Slow", "", "notify.busy", Blame::External, Retry::Backoff, "429"),
        ("404 Gone", "", "notify.refused", Blame::User, Retry::Never, "404 Not Found: said so"),
        (
            "302 Found",
            moved,
            "notify.redirect",
            Blame::User,
            Retry::Never,
            "points to `elsewhere.example.com`: redirects",
        ),
        ("302 Found", "Location: /x\r\n", "notify.redirect", Blame::User, Retry::Never, "points elsewhere"),
        ("202 Fine", "", "notify.status", Blame::User, Retry::Never, "202 Accepted"),
    ] {
        let server = HttpServer::saying(status, headers, "said\n so");
        let fault = lab().fault(&hook(&server.url("/deep/path"), "  body: 1\n  expect: 200\n")).await;
        assert_eq!((fault.code.as_str(), fault.blame, fault.retry), (code, blame, retry), "{status}: {fault}");
        let named = format!("`127.0.0.1:{}` answered", server.port);
        assert!(fault.message.contains(&named) && fault.message.contains(words), "{fault}");
        assert!(!fault.message.contains("path"), "only hosts are shown: {fault}");
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_waits_as_long_as_asked_and_keeps_the_id() {
    let server = HttpServer::start(|n, _| match n {
        0 => Answer::Say("429 Slow down", "Retry-After: 1\r\n", String::new()),
        _ => Answer::Say("200 OK", "", "fine".to_owned()),
    });
    let text =
        hook(&server.url("/"), "  body: {a: 1}\n  sign: ${{ secrets.KEY }}\nretry: {max_attempts: 2, delay: 1ms}\n");
    let begun = Instant::now();
    let summary = lab().run(&text).await;
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
    assert_ne!(seen[0].header("webhook-signature"), seen[1].header("webhook-signature"), "each is signed for its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_is_left() {
    let server = HttpServer::start(|_, _| Answer::Nothing(Duration::from_secs(20)));
    let begun = Instant::now();
    let fault = lab().fault(&hook(&server.url("/"), "  timeout: 200ms\n")).await;
    assert_eq!((fault.code.as_str(), fault.retry), ("notify.timeout", Retry::Backoff), "{fault}");
    let fault = lab().fault(&hook(&server.url("/"), "timeout: 200ms\n")).await;
    assert_eq!(fault.code.as_str(), "timeout", "the step's own: {fault}");
    // One that hangs up without an answer.
    let rude = HttpServer::start(|_, _| Answer::Nothing(Duration::ZERO));
    let fault = lab().fault(&hook(&rude.url("/"), "")).await;
    assert_eq!((fault.code.as_str(), fault.retry), ("notify.lost", Retry::Backoff), "{fault}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_does_not_wait_for_the_answer() {
    let server = HttpServer::start(|_, _| Answer::Nothing(Duration::from_secs(20)));
    let lab = lab();
    let engine = lab.engine().await;
    let handle = lab.start(&engine, &hook(&server.url("/"), "")).await;
    until("the request is there", || !server.seen().is_empty()).await;
    let begun = Instant::now();
    handle.cancel("a test");
    assert_eq!(handle.ended(false).await.expect("ends").status, RunStatus::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_huge_answer_the_beginning_is_kept() {
    let server = HttpServer::saying("200 OK", "", &"x".repeat(8 << 20));
    let summary = lab().run(&hook(&server.url("/"), "")).await;
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["body"].as_str().map(str::len), Some(64 << 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_address_stands_in_no_fault() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let secret = "/services/T0/B0/XXXXsecretXXXX?key=othersecret";
    let echo = HttpServer::start(|_, request| Answer::Say("404 No", "", format!("no hook at {}", request.path)));
    for (url, code) in [
        (format!("http://127.0.0.1:{closed}{secret}"), "notify.connect"),
        (format!("http://nothing.invalid{secret}"), "notify.dns"),
        (echo.url(secret), "notify.refused"),
        (format!("ftp://127.0.0.1{secret}"), "notify.url"),
        (secret.to_owned(), "notify.url"),
    ] {
        let lab = Lab::new(&[("HOOK", &url), ("TOKEN", ""), ("KEY", "")]);
        let fault = lab.fault(&hook("${{ secrets.HOOK }}", "")).await;
        assert_eq!(fault.code.as_str(), code, "{fault}");
        let said = format!("{} {}", fault.message, fault.help.unwrap_or_default());
        assert!(!said.contains("secretX") && !said.contains("othersecret"), "{said}");
        // The run masks secrets as well; here there was nothing to mask, but for what the server echoed.
        assert_eq!(said.contains("***"), code == "notify.refused", "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_of_a_token_is_masked_in_the_output() {
    let echo = HttpServer::start(|_, request| Answer::Say("200 OK", "", request.header("authorization").to_owned()));
    let more = "  headers: {Authorization: \"Bearer ${{ secrets.TOKEN }}\"}\n";
    let summary = lab().run(&hook(&echo.url("/"), more)).await;
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["body"], "***");
    assert_eq!(echo.seen()[0].header("authorization"), "Bearer tok-1234567890");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_address_of_a_host_that_is_not_granted_is_refused_in_the_run() {
    let server = HttpServer::saying("200 OK", "", "");
    let lab = Lab::new(&[("HOOK", &server.url("/x")), ("TOKEN", ""), ("KEY", "")]);
    let granted =
        |hosts: &str| hook("${{ secrets.HOOK }}", "").replacen("steps:", &format!("permissions: {hosts}\nsteps:"), 1);
    let fault = lab.fault(&granted("{http: [hooks.example.com]}")).await;
    assert_eq!((fault.code.as_str(), fault.retry), ("permissions.http", Retry::Never), "{fault}");
    let fault = lab.fault(&granted(&format!("{{http: [\"127.0.0.1:{}\"]}}", server.port ^ 1))).await;
    assert_eq!(fault.code.as_str(), "permissions.http", "another port: {fault}");
    assert_eq!(server.seen().len(), 0);
    let summary = lab.run(&granted(&format!("{{http: [\"127.0.0.1:{}\"]}}", server.port))).await;
    assert_eq!((summary.fault, server.seen().len()), (None, 1));
}
