//! The service from outside: the real program, real sockets, SIGKILL.

use std::fs;

use serde_json::json;

use crate::{
    cli::{folder, millwork, text},
    program::until,
    serving::Serving,
};

/// Two steps that each write a line into a file; the first waits for another file before it ends.
const SLOW: &str = "version: 1
name: slow
steps:
  - id: first
    uses: shell
    with: {command: [sh, -c, 'echo first >> ledger; while [ ! -e go ]; do sleep 0.05; done']}
  - id: second
    needs: first
    uses: shell
    with: {command: [sh, -c, 'echo second >> ledger']}
";

const QUICK: &str = "version: 1
name: quick
inputs: {n: {type: int, default: 1}}
steps:
  - id: one
    uses: shell
    with: {command: [echo, '${{ string(inputs.n) }}']}
outputs: {n: '${{ steps.one.outputs.stdout }}'}
";

#[test]
fn runs_go_on_after_sigkill_and_after_a_stop() {
    let here = folder(&[("slow.yaml", SLOW), ("quick.yaml", QUICK)]);
    let serving = Serving::begin(here.path());
    let (code, started) = serving.ask("POST", "/api/v1/runs", Some(&json!({"pipeline": "slow"})), "");
    assert_eq!(code, 201, "{started}");
    let run = started["id"].as_str().expect("an id").to_owned();
    let ledger = || fs::read_to_string(here.path().join("ledger")).unwrap_or_default();
    until("the first step has begun", || ledger().contains("first"));
    let second = millwork(here.path(), &["serve", ".", "--listen", "127.0.0.1:0"]);
    assert!(text(&second.stderr).contains("serve.running"), "{}", text(&second.stderr));
    serving.kill();
    // The next process goes on with it, and lets go of it when it is stopped in good order.
    let serving = Serving::begin(here.path());
    until("it is driven again", || ledger().matches("first").count() == 2);
    assert_eq!(serving.status(&run), "running");
    assert_eq!(serving.stop(), Some(0));
    let serving = Serving::begin(here.path());
    fs::write(here.path().join("go"), "").expect("a file");
    until("it has ended", || serving.status(&run) == "succeeded");
    assert_eq!(ledger().matches("second").count(), 1, "{}", ledger());
    let call = json!({"inputs": {"n": 7}});
    let (code, called) = serving.ask("POST", "/api/v1/pipelines/quick/call", Some(&call), "");
    assert_eq!((code, &called["outputs"]["n"]), (200, &json!("7")), "{called}");
    // The tools of the command line, beside it.
    let verified = millwork(here.path(), &["audit", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
    let copied = millwork(here.path(), &["db", "backup", "copy.db"]);
    assert!(copied.status.success(), "{}", text(&copied.stderr));
    assert!(!millwork(here.path(), &["db", "backup", "copy.db"]).status.success(), "nothing is written over");
    let checked = millwork(here.path(), &["db", "check"]);
    assert!(text(&checked.stdout).starts_with("in order: 2 runs"), "{}", text(&checked.stdout));
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_token_closes_what_was_open() {
    let here = folder(&[("quick.yaml", QUICK)]);
    let refused = millwork(here.path(), &["serve", ".", "--listen", "0.0.0.0:0"]);
    assert!(text(&refused.stderr).contains("serve.open"), "{}", text(&refused.stderr));
    let serving = Serving::begin(here.path());
    assert_eq!(serving.get("/api/v1/runs").0, 200);
    let made = millwork(here.path(), &["token", "create", "ada", "--role", "operator"]);
    let token = text(&made.stdout).trim().to_owned();
    assert!(token.starts_with("mw_"), "{token} {}", text(&made.stderr));
    until("the service has taken notice", || serving.get("/api/v1/runs").0 == 401);
    let bearer = format!("authorization: Bearer {token}\r\n");
    assert_eq!(serving.ask("GET", "/api/v1/runs", None, &bearer).0, 200);
    assert_eq!(serving.ask("GET", "/api/v1/tokens", None, &bearer).0, 403);
    let listed = millwork(here.path(), &["token", "list"]);
    assert!(text(&listed.stdout).contains("ada") && !text(&listed.stdout).contains(&token));
    assert!(millwork(here.path(), &["token", "revoke", "ada"]).status.success());
    until("it is taken back", || serving.ask("GET", "/api/v1/runs", None, &bearer).0 == 401);
    assert_eq!(serving.get("/api/v1/runs").0, 401, "it does not open again");
    assert_eq!(serving.stop(), Some(0));
}
