use std::sync::Arc;

use async_trait::async_trait;
use millwork_engine::{
    data::Type,
    diag::Diagnostic,
    model::{Clock, Digest, Fault},
    step::{
        CheckContext, Effect, InputTypes, Ports, Resolved, Services, Step, StepContext, StepEnd, StepKind, StepOutput,
    },
};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::json;

use super::{answer, config::SlackConfig};
use crate::{
    address,
    hosts::{permit_url, url_not_permitted},
    http::{Call, TIMEOUT, call, json_of},
    masks::Masks,
    once::sent,
};

/// Posts a message to a channel of Slack.
#[derive(Debug)]
pub struct Slack;

impl StepKind for Slack {
    type Config = SlackConfig;
    const NAME: &'static str = "notify.slack";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::External;
    const SUMMARY: &'static str = "Posts a message to a channel of Slack by an incoming webhook.";
    const EXAMPLE: &'static str = r#"version: 1
name: slack_example
inputs:
  late: {type: int, default: 0}
secrets: [SLACK_HOOK]
steps:
  - id: tell
    if: inputs.late > 10
    uses: notify.slack
    with:
      webhook: ${{ secrets.SLACK_HOOK }}
      text: "${{ inputs.late }} flights are late"
      blocks:
        - type: section
          text: {type: mrkdwn, text: "*${{ inputs.late }}* flights are late"}
    retry: {max_attempts: 5, delay: 2s}
outputs:
  told: ${{ steps.tell.outputs.ok ?? false }}
"#;

    fn ports(_: &SlackConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        Ok(Ports::none().output("ok", Type::Bool, "true; a message that is refused fails the step"))
    }

    fn check(config: &SlackConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        config.problems().into_iter().chain(url_not_permitted(&config.webhook, cx)).collect()
    }

    fn build(config: Resolved<'_, SlackConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
        let written = config.config();
        let url = address::resolved("webhook", &config.get(&written.webhook)?)?;
        let mut masks = Masks::default();
        masks.add_url(&url);
        let mut message = json!({"text": config.get(&written.text)?});
        if let Some(blocks) = config.get_opt(&written.blocks)? {
            if let Some(wrong) = blocks.wrong() {
                return Err(Fault::user("notify.slack_message", wrong));
            }
            message["blocks"] = json_of("blocks", &blocks.0)?;
        }
        let body = message.to_string().into_bytes();
        let request = Digest::of(&body);
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
        let timeout = written.timeout.map_or(TIMEOUT, |period| period.0);
        let call = Call { method: Method::POST, url, headers, body, timeout };
        Ok(Box::new(Posting { call, request, masks, clock: services.clock.clone() }))
    }
}

/// A message that is ready.
struct Posting {
    call: Call,
    /// Digest of the message; the hook is a secret and no part of it.
    request: Digest,
    masks: Masks,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Step for Posting {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let Self { call: ready, request, masks, clock } = *self;
        permit_url(&ready.url, &cx)?;
        let host = address::shown(&ready.url);
        let send = async {
            let reply = call(ready, &masks).await?;
            if !(200..300).contains(&reply.status) {
                return Err(answer::fault(&reply, &host, clock.now()));
            }
            Ok(true)
        };
        let ok: bool = sent(&cx, request, send).await?;
        Ok(StepOutput::none().value("ok", ok).note(format!("posted by {host}")).into())
    }
}
