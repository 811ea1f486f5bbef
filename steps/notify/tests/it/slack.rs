use millwork_engine::model::{Retry, RunStatus};
use serde_json::{Value as Json, json};

use crate::{
    http_server::HttpServer,
    lab::{Lab, pipeline},
};

fn post(more: &str) -> String {
    let step = format!("uses: notify.slack\nwith:\n  webhook: ${{{{ secrets.HOOK }}}}\n{more}");
    pipeline(&["HOOK"], &step) + "outputs: {ok: \"${{ steps.tell.outputs.ok }}\"}\n"
}

fn lab(server: &HttpServer) -> Lab {
    Lab::new(&[("HOOK", &server.url("/services/T0000/B0000/veryverysecret"))])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_posted_with_its_blocks() {
    let server = HttpServer::saying("200 OK", "", "ok");
    let blocks = "  blocks:\n    - {type: header, text: {type: plain_text, text: \"${{ 1 + 1 }} late\"}}\n    - {type: divider}\n";
    let summary = lab(&server).run(&post(&format!("  text: \"two *late*\"\n{blocks}"))).await;
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    assert_eq!(summary.outputs["ok"], true);
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].path.as_str()), (1, "/services/T0000/B0000/veryverysecret"));
    let sent: Json = serde_json::from_str(&seen[0].body).expect("JSON");
    let header = json!({"type": "header", "text": {"type": "plain_text", "text": "2 late"}});
    assert_eq!(sent, json!({"text": "two *late*", "blocks": [header, {"type": "divider"}]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_says_becomes_a_fault_without_the_address() {
    for (status, headers, body, code, retry, words) in [
        ("404 Not Found", "", "no_service", "notify.slack_hook", Retry::Never, "removed or switched off"),
        ("400 Bad", "", "invalid_blocks", "notify.slack_message", Retry::Never, "Block Kit"),
        ("400 Bad", "", "veryverysecret?", "notify.refused", Retry::Never, "***?"),
        ("429 Slow", "Retry-After: 30\r\n", "", "notify.busy", Retry::AfterMillis(30_000), "429"),
        ("500 Oops", "", "rollup_error", "notify.unavailable", Retry::Backoff, "rollup_error"),
        ("301 Moved", "Location: https://x.example.com\r\n", "", "notify.redirect", Retry::Never, "x.example.com"),
    ] {
        let server = HttpServer::saying(status, headers, body);
        let fault = lab(&server).fault(&post("  text: hello\n")).await;
        assert_eq!((fault.code.as_str(), fault.retry), (code, retry), "{fault}");
        let said = format!("{} {}", fault.message, fault.help.unwrap_or_default());
        assert!(said.contains(words) && !said.contains("verysecret"), "{said}");
    }
}
