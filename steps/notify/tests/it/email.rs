use std::fs;

use millwork_engine::model::{Blame, Retry, RunStatus};

use crate::{
    lab::{Lab, pipeline},
    smtp_server::SmtpServer,
};

fn mail(server: &SmtpServer, login: &str, more: &str) -> String {
    let port = server.port;
    let step = format!(
        "uses: notify.email\nwith:\n  server: {{host: 127.0.0.1, port: {port}, tls: none{login}}}\n  \
         from: Flights <flights@example.com>\n  to: [ann@example.com, \"Bob Ross <bob@example.com>\"]\n  \
         subject: \"Late: ${{{{ 1 + 1 }}}}\"\n{more}"
    );
    pipeline(&["PASSWORD"], &step)
        + "outputs: {id: \"${{ steps.tell.outputs.message_id }}\", accepted: \"${{ steps.tell.outputs.accepted }}\"}\n"
}

fn lab() -> Lab {
    Lab::new(&[("PASSWORD", "correct-horse\n")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_whole() {
    let server = SmtpServer::start(|_, _| None);
    let lab = lab();
    fs::write(lab.home.path().join("late.csv"), "carrier,late\nUA,2\n").expect("a file");
    let more = "  cc: carl@example.com, ann@example.com\n  reply_to: desk@example.com\n  text: plain words\n  \
                html: <p>rich words</p>\n  attach: late.csv\n";
    let login = ", user: flights, password: \"${{ secrets.PASSWORD }}\"";
    let summary = lab.run(&mail(&server, login, more)).await;
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    let mails = server.mails();
    let [taken] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(taken.from, "flights@example.com");
    assert_eq!(taken.to[..2], ["ann@example.com", "bob@example.com"]);
    assert_eq!(summary.outputs["accepted"], taken.to.len());
    assert_eq!(taken.header("Message-ID"), summary.outputs["id"].as_str().expect("an id"));
    assert!(taken.header("Message-ID").ends_with("@example.com>"), "{}", taken.text);
    assert_eq!((taken.header("Subject"), taken.header("Reply-To")), ("Late: 2", "desk@example.com"));
    assert_eq!(taken.header("From"), "Flights <flights@example.com>");
    for part in ["plain words", "<p>rich words</p>", "text/csv", "filename=\"late.csv\"", "UA,2"] {
        assert!(taken.text.contains(part), "{part} in\n{}", taken.text);
    }
    // base64 of \0flights\0correct-horse, without the line break of the secret's file.
    assert!(server.said().contains(&"AUTH PLAIN AGZsaWdodHMAY29ycmVjdC1ob3JzZQ==".to_owned()), "{:?}", server.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_is_tried_again_with_the_same_id() {
    let server =
        SmtpServer::start(|n, line| (n == 0 && line.starts_with("RCPT")).then_some("450 4.2.1 come back later"));
    let fault = lab().fault(&mail(&server, "", "  text: x\n")).await;
    assert_eq!((fault.code.as_str(), fault.blame, fault.retry), ("notify.smtp_busy", Blame::External, Retry::Backoff));
    assert!(fault.message.contains("answered 450: 4.2.1 come back later"), "{fault}");

    let server = SmtpServer::start(|n, line| (n == 0 && line == ".").then_some("451 try again"));
    let summary = lab().run(&mail(&server, "", "  text: x\nretry: {max_attempts: 2, delay: 1ms}\n")).await;
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0].header("Message-ID")), (1, summary.outputs["id"].as_str().expect("an id")));
    assert_eq!(server.said().iter().filter(|line| *line == "DATA").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_not_tried_again() {
    let server = SmtpServer::start(|_, line| line.contains("bob@").then_some("550 5.1.1 no such mailbox"));
    let fault = lab().fault(&mail(&server, "", "  text: x\nretry: {max_attempts: 3, delay: 1ms}\n")).await;
    assert_eq!((fault.code.as_str(), fault.blame, fault.retry), ("notify.smtp_refused", Blame::User, Retry::Never));
    assert!(fault.message.contains("550: 5.1.1 no such mailbox"), "{fault}");
    assert_eq!(server.mails().len(), 0, "all or none");
    assert_eq!(server.said().iter().filter(|line| line.starts_with("EHLO")).count(), 1);

    let server = SmtpServer::start(|_, line| line.starts_with("AUTH").then_some("535 not correct-horse"));
    let login = ", user: flights, password: \"${{ secrets.PASSWORD }}\"";
    let fault = lab().fault(&mail(&server, login, "  text: x\n")).await;
    assert_eq!((fault.code.as_str(), fault.retry), ("notify.login", Retry::Never), "{fault}");
    assert!(fault.message.contains("not ***"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_a_server_that_does_not_encrypt() {
    let server = SmtpServer::start(|_, _| None);
    let text = mail(&server, "", "  text: x\n").replace("tls: none", "tls: starttls");
    let fault = lab().fault(&text).await;
    assert_eq!((fault.code.as_str(), fault.retry), ("notify.smtp_refused", Retry::Never), "{fault}");
    assert!(server.said().iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{:?}", server.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_and_no_file_are_faults() {
    let server = SmtpServer::start(|_, _| None);
    for (text, code) in [
        (mail(&server, "", "  text: x\n").replace(&format!("port: {}", server.port), "port: 1"), "notify.connect"),
        (mail(&server, "", "  text: x\n").replace("127.0.0.1", "nothing.invalid"), "notify.dns"),
        (mail(&server, "", "  text: x\n  attach: nothing.csv\n"), "notify.attachment"),
        (mail(&server, "", "  text: x\n  attach: .\n"), "notify.attachment"),
        (mail(&server, "", "  text: x\n  cc: \"${{ 'no' + 'body' }}\"\n"), "notify.address"),
    ] {
        let fault = lab().fault(&text).await;
        assert_eq!(fault.code.as_str(), code, "{fault}");
    }
    assert_eq!(server.mails().len(), 0);
}
