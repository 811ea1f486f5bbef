//! What Slack says of a message, as faults.

use millwork_engine::model::{Fault, Retry, Timestamp};
use serde_json::Value as Json;

use crate::http::{Reply, asked, of_status};

/// Slack's words, what they mean, and what helps. The first kind is of the hook, the second of the message.
const HOOK: &[(&str, &str, &str)] = &[
    ("invalid_token", "it does not know the hook", "copy the address again from the app's page"),
    ("no_service", "the hook was removed or switched off", "make a new one and change the secret"),
    ("no_service_id", "the address of the hook is not whole", "copy the address again from the app's page"),
    ("no_active_hooks", "the hook was switched off", "switch it on, or make a new one and change the secret"),
    ("no_team", "there is no such workspace", "copy the address again from the app's page"),
    ("team_disabled", "the workspace was switched off", "make a hook in a workspace that is in use"),
    ("user_not_found", "the person that the hook writes to is not there", "make a hook for somebody else"),
    ("channel_not_found", "the channel of the hook is not there", "make a hook for another channel"),
    ("channel_is_archived", "the channel of the hook is archived", "make a hook for another channel"),
    ("action_prohibited", "an administrator of the workspace forbids it", "ask the administrator"),
    ("posting_to_general_channel_denied", "not everybody may write to the general channel", "choose another channel"),
];
const MESSAGE: &[(&str, &str, &str)] = &[
    ("no_text", "the message has no text", "give `text`"),
    ("msg_too_long", "the message is too long", "40,000 characters are allowed"),
    ("invalid_payload", "it cannot read the message", "try the `blocks` in Slack's Block Kit Builder"),
    ("invalid_blocks_format", "the blocks are not what Block Kit knows", "try them in Slack's Block Kit Builder"),
    ("invalid_blocks", "the blocks are not what Block Kit knows", "try them in Slack's Block Kit Builder"),
    ("too_many_attachments", "the message has more than 100 attachments", "send fewer"),
];

/// The fault of an answer other than 2xx.
pub(super) fn fault(reply: &Reply, host: &str, now: Timestamp) -> Fault {
    let said = reply.body.trim();
    let first = said.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
    let known = |table: &'static [(&str, &str, &str)]| table.iter().find(|(word, ..)| first == Some(word));
    if let (Some((word, means, help)), 400..500) = (known(HOOK), reply.status) {
        return Fault::user("notify.slack_hook", format!("Slack refuses: {means} ({word})")).help(*help);
    }
    if let (Some((word, means, help)), 400..500) = (known(MESSAGE), reply.status) {
        return Fault::user("notify.slack_message", format!("Slack refuses: {means} ({word})")).help(*help);
    }
    let fault = of_status(reply, host, now);
    match (fault.retry, waits(said)) {
        // The header counts for more than the body.
        (Retry::Backoff, Some(seconds)) => fault.retry(asked(seconds)),
        _ => fault,
    }
}

/// `{"retry_after": 3}`, as servers that speak like Slack have it.
fn waits(said: &str) -> Option<f64> {
    serde_json::from_str::<Json>(said).ok()?.get("retry_after")?.as_f64()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, RETRY_AFTER};

    use super::*;

    #[test]
    fn slacks_words_become_faults() {
        for (status, body, code, retry) in [
            (404, "no_service_id", "notify.slack_hook", Retry::Never),
            (404, "no_service", "notify.slack_hook", Retry::Never),
            (410, "channel_is_archived\n", "notify.slack_hook", Retry::Never),
            (400, "invalid_blocks_format", "notify.slack_message", Retry::Never),
            (400, "something new", "notify.refused", Retry::Never),
            (500, "rollup_error", "notify.unavailable", Retry::Backoff),
            (429, r#"{"retry_after": 2.5}"#, "notify.busy", Retry::AfterMillis(2_500)),
            (500, "no_service", "notify.unavailable", Retry::Backoff),
        ] {
            let reply = Reply { status, headers: HeaderMap::new(), body: body.to_owned() };
            let fault = fault(&reply, "hooks.slack.com", Timestamp::default());
            assert_eq!((fault.code.as_str(), fault.retry), (code, retry), "{body}");
        }
        let headers = [(RETRY_AFTER, "9".parse().expect("a header"))].into_iter().collect();
        let reply = Reply { status: 429, headers, body: r#"{"retry_after": 1}"#.to_owned() };
        assert_eq!(fault(&reply, "h", Timestamp::default()).retry, Retry::AfterMillis(9_000));
    }
}
