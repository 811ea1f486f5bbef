use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use millwork_engine::{
    data::{Value, from_plain},
    model::{Fault, RunId, Timestamp, event::Cause},
    spec::{SignatureScheme, TriggerSpec, WebhookTrigger},
    triggers_of,
};
use serde_json::Value as Json;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{auth::Principal, catalog::Startable, desk::Outcome, service::Service};

/// A request to a webhook.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path below `/hooks`, with its `/`.
    pub path: String,
    /// In capitals.
    pub method: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Of the URL.
    pub query: BTreeMap<String, String>,
    /// As sent.
    pub body: Vec<u8>,
    /// Who sent it, if they have shown a token that may start runs: those count in its quota.
    pub trusted: Option<Principal>,
}

/// What a request led to for one pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Hooked {
    /// Its pipeline.
    pub pipeline: String,
    /// The run; `None` if its group was full and it was not to wait, or if there is a fault.
    pub run: Option<RunId>,
    /// Whether the same delivery came before.
    pub again: bool,
    /// Why nothing was started.
    pub fault: Option<Fault>,
}

/// Starts the runs of every pipeline that listens at the path, and says what came of it for each: one that cannot be
/// started keeps no other from it. A delivery that comes again starts only what it did not start before. `hook.none` if
/// nobody listens; where nothing was started at all, the first fault: `hook.signature`, `hook.time`, `hook.body` or
/// `event.type` where the request is not as it must be.
pub async fn receive(service: &Service, request: Request) -> Result<Vec<Hooked>, Fault> {
    let mut found = Vec::new();
    for entry in service.catalog().all().values() {
        let Some(startable) = &entry.startable else { continue };
        for (trigger, spec) in triggers_of(&startable.spec) {
            if let TriggerSpec::Webhook(hook) = spec
                && hook.path == request.path
                && hook.method == request.method
            {
                found.push((entry.name.clone(), startable.clone(), trigger, hook.clone()));
            }
        }
    }
    if found.is_empty() && !service.catalog().is_loaded() {
        return Err(crate::starting());
    }
    if found.is_empty() {
        return Err(Fault::user("hook.none", format!("no pipeline listens at {} {}", request.method, request.path)));
    }
    let mut hooked = Vec::with_capacity(found.len());
    for (pipeline, startable, trigger, hook) in found {
        hooked.push(match start(service, &request, &pipeline, &startable, trigger, &hook).await {
            Ok((run, again)) => Hooked { pipeline, run, again, fault: None },
            Err(fault) => Hooked { pipeline, run: None, again: false, fault: Some(fault) },
        });
    }
    match hooked.first().and_then(|first| first.fault.clone()) {
        Some(fault) if hooked.iter().all(|hooked| hooked.fault.is_some()) => Err(fault),
        _ => Ok(hooked),
    }
}

/// Starts one pipeline: its run, and whether the same delivery came before.
async fn start(
    service: &Service,
    request: &Request,
    pipeline: &str,
    startable: &Arc<Startable>,
    trigger: u32,
    hook: &WebhookTrigger,
) -> Result<(Option<RunId>, bool), Fault> {
    let Delivery { id: delivery, key } = verify(service, pipeline, hook, request)?;
    let key = format!("hook/{pipeline}/{trigger}/{key}");
    if let Some(run) = service.engine().run_of_key(&key).await? {
        return Ok((Some(run), true));
    }
    let event = event(request, &delivery)?;
    let cause = Cause::Webhook { trigger, delivery };
    let prepared = service.engine().prepare_event(startable.plan().await?, trigger, event, cause, Some(&key)).await?;
    let started = Box::pin(service.desk().start(prepared, None));
    let outcome = match request.trusted.as_ref().filter(|_| hook.secret.is_none()) {
        Some(who) => service.quotas().counted(who, 1, started, Outcome::new_runs).await?,
        None => started.await?,
    };
    Ok(match outcome {
        Outcome::Started(handle) => (Some(handle.id()), false),
        Outcome::Queued(run) => (Some(run), false),
        Outcome::Before(run) => (Some(run), true),
        Outcome::Skipped { .. } => (None, false),
    })
}

/// A delivery that is as it must be.
struct Delivery {
    /// What its sender calls it.
    id: String,
    /// What makes it another than those before.
    key: String,
}

impl Delivery {
    fn of(id: String) -> Self {
        Self { key: id.clone(), id }
    }
}

/// Who sent it and when are right; what the sender calls the delivery.
fn verify(service: &Service, pipeline: &str, hook: &WebhookTrigger, request: &Request) -> Result<Delivery, Fault> {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let Some(secret) = &hook.secret else {
        if request.trusted.is_none() {
            let message = format!("the webhook {} of `{}` has no `secret`", hook.path, pipeline);
            return Err(Fault::user("hook.signature", message)
                .help("send a token that may start runs, or give the trigger a `secret` that signs requests"));
        }
        let named = header("webhook-id").or(header("idempotency-key")).map(str::to_owned);
        return Ok(Delivery::of(named.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()))));
    };
    let secret = service.secret(secret)?;
    let now = service.now();
    match hook.scheme {
        SignatureScheme::Standard => {
            let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
            let (Some(id), Some(time), Some(signatures)) = (id, time, header("webhook-signature")) else {
                return Err(unsigned("`webhook-id`, `webhook-timestamp` and `webhook-signature` are needed"));
            };
            let signed = [id.as_bytes(), b".", time.as_bytes(), b".", &request.body].concat();
            let key = secret.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
            let expected = STANDARD.encode(mac(&key.unwrap_or_else(|| secret.as_bytes().to_vec()), &signed)?);
            let right = |text: &str| text.strip_prefix("v1,").is_some_and(|given| same(given, &expected));
            if !signatures.split_whitespace().any(right) {
                return Err(unsigned("no signature fits the request"));
            }
            in_time(time, now, hook.window)?;
            Ok(Delivery::of(id.to_owned()))
        }
        SignatureScheme::Github => {
            let given = header("x-hub-signature-256").and_then(|text| text.strip_prefix("sha256="));
            let given = given.ok_or_else(|| unsigned("`X-Hub-Signature-256` is needed"))?;
            let sum = mac(secret.as_bytes(), &request.body)?;
            let expected: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            if !same(given, &expected) {
                return Err(unsigned("the signature does not fit the body"));
            }
            let id = header("x-github-delivery").ok_or_else(|| unsigned("`X-GitHub-Delivery` is needed"))?;
            // Nothing signs the id: the same body again, under whatever id, is the same delivery.
            Ok(Delivery { id: id.to_owned(), key: expected })
        }
    }
}

fn unsigned(why: &str) -> Fault {
    Fault::user("hook.signature", format!("the request is not signed as it must be: {why}"))
}

fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

fn mac(key: &[u8], text: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|e| Fault::internal("hook.key", e.to_string()))?;
    mac.update(text);
    Ok(mac.finalize().into_bytes().to_vec())
}

/// Whether a request was signed just now, so that an old one cannot be sent again.
fn in_time(seconds: &str, now: Timestamp, window: Duration) -> Result<(), Fault> {
    let at = seconds.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000)).map(Timestamp::from_micros);
    let at = at.ok_or_else(|| unsigned("`webhook-timestamp` counts seconds since 1970"))?;
    if now.since(at) > window || at.since(now) > window {
        return Err(Fault::user("hook.time", "the request was signed too long ago, or with a clock that is wrong")
            .help("send it again with a new signature; `window:` of the trigger says how old one may be"));
    }
    Ok(())
}

/// What `event` is in the inputs of the trigger.
fn event(request: &Request, delivery: &str) -> Result<Value, Fault> {
    let json = request.headers.get("content-type").is_some_and(|kind| kind.contains("json"));
    let body = if json || (request.body.first().is_some_and(|first| b"{[".contains(first))) {
        let read = serde_json::from_slice::<Json>(&request.body);
        from_plain(&read.map_err(|e| Fault::user("hook.body", format!("the body is not JSON: {e}")))?)
    } else if request.body.is_empty() {
        Value::Null
    } else {
        let text = std::str::from_utf8(&request.body);
        Value::from(text.map_err(|_| Fault::user("hook.body", "the body is neither JSON nor text"))?)
    };
    // What shows who somebody is does not belong into a record.
    let private = |name: &str| {
        matches!(name, "authorization" | "cookie" | "proxy-authorization" | "webhook-signature")
            || name.starts_with("x-hub-signature")
    };
    let headers = request.headers.iter().filter(|(name, _)| !private(name));
    let texts = |(name, text): (&String, &String)| (name.as_str().to_owned(), Value::from(text.as_str()));
    Ok(Value::map([
        ("body", body),
        ("headers", Value::map(headers.map(texts))),
        ("query", Value::map(request.query.iter().map(texts))),
        ("method", Value::from(request.method.as_str())),
        ("delivery", Value::from(delivery)),
    ]))
}
