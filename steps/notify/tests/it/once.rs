//! What was sent is not sent again, whatever happens after it.

use std::{sync::Arc, time::Duration};

use millwork_engine::model::RunStatus;
use millwork_testkit::FaultKind;

use crate::{
    http_server::{Answer, HttpServer},
    lab::{Lab, pipeline, until},
    smtp_server::SmtpServer,
};

fn hook(url: &str, more: &str) -> String {
    pipeline(&["TOKEN"], &format!("uses: notify.webhook\nwith:\n  url: \"{url}\"\n  body: {{a: 1}}\n{more}"))
}

/// The process dies while the answer is awaited: nobody knows whether it arrived, so it is sent under the same id.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_at_a_crash_is_sent_under_the_same_id() {
    let server = HttpServer::start(|n, _| match n {
        0 => Answer::Nothing(Duration::from_secs(20)),
        _ => Answer::Say("200 OK", "", String::new()),
    });
    let lab = Lab::new(&[("TOKEN", "")]);
    let first = lab.engine().await;
    let handle = lab.start(&first, &hook(&server.url("/"), "")).await;
    let run = handle.id();
    until("the request is there", || !server.seen().is_empty()).await;
    handle.abandon().await;
    drop(first);
    let summary = lab.engine().await.resume(run, "a test").await.expect("resumes").ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    let ids: Vec<_> = server.seen().iter().map(|request| request.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, [format!("{run}/tell"), format!("{run}/tell")]);
}

/// The result is recorded, and the attempt fails after it (here, because its output holds a secret): neither a retry
/// nor a resume sends again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_is_not_sent_again() {
    let server = HttpServer::saying("200 OK", "", "hunter22");
    let lab = Lab::new(&[("TOKEN", "hunter22")]);
    let more = "  headers: {X-Part: \"part-of-${{ secrets.TOKEN }}\"}\nretry: {max_attempts: 3, delay: 1ms, on: [secret.leak]}\n";
    let engine = lab.engine().await;
    let handle = lab.start(&engine, &hook(&server.url("/"), more)).await;
    let run = handle.id();
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!(summary.fault.expect("a fault").code.as_str(), "secret.leak");
    drop(engine);
    let again = lab.engine().await.resume(run, "a test").await.expect("resumes").ended(false).await.expect("ends");
    assert_eq!(again.fault.expect("a fault").code.as_str(), "secret.leak");
    assert_eq!(server.seen().len(), 1);
}

/// The store takes the result and does not say so: whoever goes on finds it.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_was_recorded_unseen_is_found() {
    for kind in [FaultKind::DoneButTimeout, FaultKind::Unavailable] {
        let lab = Arc::new(Lab::new(&[("TOKEN", "")]));
        let store = lab.store.clone();
        let server = HttpServer::start(move |n, _| {
            if n == 0 {
                store.fail_next(kind);
            }
            Answer::Say("200 OK", "", String::new())
        });
        let engine = lab.engine().await;
        let handle = lab.start(&engine, &hook(&server.url("/"), "retry: {max_attempts: 3, delay: 1ms}\n")).await;
        let run = handle.id();
        let mut status = handle.ended(false).await.map(|summary| summary.status);
        for _ in 0..3 {
            if status != Ok(RunStatus::Succeeded) {
                status = lab
                    .engine()
                    .await
                    .resume(run, "a test")
                    .await
                    .expect("resumes")
                    .ended(false)
                    .await
                    .map(|s| s.status);
            }
        }
        assert_eq!((status, lab.store.given()), (Ok(RunStatus::Succeeded), vec![kind]));
        let mut ids: Vec<_> = server.seen().iter().map(|request| request.header("webhook-id").to_owned()).collect();
        // Where nothing was recorded, it is sent once more, and the receiver can tell.
        let sent = if kind == FaultKind::DoneButTimeout { 1 } else { 2 };
        assert_eq!(ids.len(), sent, "{kind:?}");
        ids.dedup();
        assert_eq!(ids, [format!("{run}/tell")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_is_sent_once_under_its_own_id() {
    let server = HttpServer::start(|n, _| match n {
        2 => Answer::Say("503 Later", "", String::new()),
        _ => Answer::Say("200 OK", "", String::new()),
    });
    let lab = Lab::new(&[("TOKEN", "")]);
    let text = hook(&server.url("/"), "for_each: \"[1, 2, 3, 4]\"\nretry: {max_attempts: 2, delay: 1ms}\n");
    let summary = lab.run(&text).await;
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    let mut ids: Vec<_> = server.seen().iter().map(|request| request.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 5);
    ids.sort();
    ids.dedup();
    assert_eq!(ids, [0, 1, 2, 3].map(|item| format!("{}/tell/{item}", summary.id)));
}

/// A mail that the server took is not sent again, though the store did not say that it knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_taken_is_not_sent_again() {
    let lab = Arc::new(Lab::new(&[]));
    let store = lab.store.clone();
    let server = SmtpServer::start(move |_, line| {
        if line == "." {
            store.fail_next(FaultKind::DoneButTimeout);
        }
        None
    });
    let step = format!(
        "uses: notify.email\nwith:\n  server: {{host: localhost, port: {}, tls: none}}\n  from: a@b.cc\n  to: d@e.ff\n  \
         subject: s\n  text: t\nretry: {{max_attempts: 3, delay: 1ms}}",
        server.port
    );
    let engine = lab.engine().await;
    let handle = lab.start(&engine, &pipeline(&[], &step)).await;
    let run = handle.id();
    let mut status = handle.ended(false).await.map(|summary| summary.status);
    if status != Ok(RunStatus::Succeeded) {
        status = lab.engine().await.resume(run, "a test").await.expect("resumes").ended(false).await.map(|s| s.status);
    }
    assert_eq!((status, server.mails().len()), (Ok(RunStatus::Succeeded), 1));
}
