use std::sync::Arc;

use async_trait::async_trait;
use millwork_engine::{
    data::Value,
    model::{AttemptKey, Clock, Digest, Fault},
    step::{Step, StepContext, StepEnd, StepOutput},
};
use reqwest::header::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use super::sign::Key;
use crate::{
    address::shown,
    hosts::permit_url,
    http::{Call, of_status},
    masks::Masks,
    once::{excerpt, sent},
};

/// Characters of an answer that the log shows.
const LOGGED: usize = 500;

/// A request that is ready but for its id, time and signature.
pub(super) struct Sending {
    pub call: Call,
    /// Statuses that are good; every 2xx if empty.
    pub expect: Vec<u16>,
    pub sign: Option<Key>,
    /// Digest of what is sent, without secrets.
    pub request: Digest,
    pub masks: Masks,
    pub clock: Arc<dyn Clock>,
}

/// What the journal keeps.
#[derive(Serialize, Deserialize)]
struct Received {
    status: u16,
    body: Option<String>,
}

#[async_trait]
impl Step for Sending {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let Self { mut call, expect, sign, request, masks, clock } = *self;
        permit_url(&call.url, &cx)?;
        let host = shown(&call.url);
        let send = async {
            mark(&mut call, sign.as_ref(), &cx.key, clock.now().as_micros() / 1_000_000)?;
            let reply = crate::http::call(call, &masks).await?;
            let good =
                if expect.is_empty() { (200..300).contains(&reply.status) } else { expect.contains(&reply.status) };
            cx.log.line(format!("`{host}` answered {}: {}", reply.status, excerpt(&reply.body, LOGGED)));
            if !good {
                return Err(of_status(&reply, &host, clock.now()));
            }
            Ok(Received { status: reply.status, body: Some(reply.body).filter(|body| !body.is_empty()) })
        };
        let received: Received = sent(&cx, request, send).await?;
        let output = StepOutput::none()
            .value("status", i64::from(received.status))
            .value("body", received.body.map_or(Value::Null, Value::from));
        Ok(output.note(format!("{host} answered {}", received.status)).into())
    }
}

/// Adds the headers by which a receiver knows a repeat, and the sender.
fn mark(call: &mut Call, key: Option<&Key>, id: &AttemptKey, seconds: i64) -> Result<(), Fault> {
    let mut set = |name: &'static str, text: &str| set(&mut call.headers, name, text);
    set("webhook-id", &id.0)?;
    set("webhook-timestamp", &seconds.to_string())?;
    if let Some(key) = key {
        set("webhook-signature", &key.sign(&id.0, seconds, &call.body))?;
    }
    Ok(())
}

fn set(headers: &mut HeaderMap, name: &'static str, text: &str) -> Result<(), Fault> {
    let value = HeaderValue::try_from(text)
        .map_err(|_| Fault::internal("notify.id", format!("the header `{name}` cannot be made")))?;
    headers.insert(name, value);
    Ok(())
}
