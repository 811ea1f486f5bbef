use millwork_engine::{
    data::Type,
    diag::Diagnostic,
    model::{Digest, Fault},
    step::{CheckContext, Effect, InputTypes, Ports, Resolved, Services, Step, StepKind},
};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};

use super::{
    config::{Verb, WebhookConfig, resolved_header},
    send::Sending,
    sign::Key,
};
use crate::{
    address,
    hosts::url_not_permitted,
    http::{Call, TIMEOUT},
    masks::{Masks, open},
};

/// Sends a request to a program elsewhere.
#[derive(Debug)]
pub struct Webhook;

impl StepKind for Webhook {
    type Config = WebhookConfig;
    const NAME: &'static str = "notify.webhook";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::External;
    const SUMMARY: &'static str = "Sends JSON or text to an address by HTTP, signed if asked.";
    const EXAMPLE: &'static str = r#"version: 1
name: webhook_example
inputs:
  late: {type: int, default: 0}
secrets: [HOOK_TOKEN, HOOK_KEY]
steps:
  - id: tell
    if: inputs.late > 10
    uses: notify.webhook
    with:
      url: https://example.com/hooks/flights
      headers: {Authorization: "Bearer ${{ secrets.HOOK_TOKEN }}"}
      body: {late: "${{ inputs.late }}", run: "${{ run.id }}"}
      expect: [200, 202]
      sign: ${{ secrets.HOOK_KEY }}
    retry: {max_attempts: 5, delay: 2s}
outputs:
  status: ${{ steps.tell.outputs.status }}
"#;

    fn ports(_: &WebhookConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        Ok(Ports::none().output("status", Type::Int, "the status of the answer").output(
            "body",
            Type::String.optional(),
            "the beginning of the answer, 64 KiB at most; null if it is empty",
        ))
    }

    fn check(config: &WebhookConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        config.problems().into_iter().chain(url_not_permitted(&config.url, cx)).collect()
    }

    fn build(config: Resolved<'_, WebhookConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
        let written = config.config();
        let mut masks = Masks::default();
        let mut parts: Vec<Vec<u8>> = Vec::new();

        let method = match written.method {
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
        };
        parts.push(method.as_str().into());
        let address = open(&config, &written.url)?;
        let url = address::resolved("url", &address.text)?;
        if address.secret {
            masks.add_url(&url);
        }
        parts.push(if address.secret { Vec::new() } else { url.as_str().into() });

        let (mime, body) = payload(&config)?;
        let mut headers: HeaderMap =
            mime.map(|mime| (CONTENT_TYPE, HeaderValue::from_static(mime))).into_iter().collect();
        for (name, value) in &written.headers {
            let value = open(&config, value)?;
            if value.secret {
                masks.add(value.text.expose());
            }
            parts.push(name.to_ascii_lowercase().into());
            parts.push(if value.secret { Vec::new() } else { value.text.expose().into() });
            let (name, value) = resolved_header(name, &value.text)?;
            headers.insert(name, value);
        }
        parts.push(body.clone());
        let sign = match &written.sign {
            Some(sign) => {
                let secret = config.get(sign)?;
                masks.add(secret.expose());
                Some(Key::read(&secret)?)
            }
            None => None,
        };
        Ok(Box::new(Sending {
            call: Call { method, url, headers, body, timeout: written.timeout.map_or(TIMEOUT, |period| period.0) },
            expect: written.expect.iter().map(|status| status.value).collect(),
            sign,
            request: Digest::of_parts(parts.iter().map(Vec::as_slice)),
            masks,
            clock: services.clock.clone(),
        }))
    }
}

/// What is sent, and its media type.
fn payload(config: &Resolved<'_, WebhookConfig>) -> Result<(Option<&'static str>, Vec<u8>), Fault> {
    let written = config.config();
    if let Some(text) = config.get_opt(&written.text)? {
        return Ok((Some("text/plain; charset=utf-8"), text.into()));
    }
    match config.get_opt(&written.body)? {
        Some(value) => Ok((Some("application/json"), crate::http::json_of("body", &value)?.to_string().into())),
        None => Ok((None, Vec::new())),
    }
}
