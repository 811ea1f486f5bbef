use std::{sync::OnceLock, time::Duration};

use millwork_engine::model::Fault;
use reqwest::{Client, Method, Url, header::HeaderMap, redirect, retry};

use super::fault::of_error;
use crate::{address::shown, masks::Masks};

/// How long making a connection may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// How long the whole exchange may take, unless the step says otherwise.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read; the rest is left where it is.
const MOST: usize = 64 << 10;

/// What is sent.
pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// The beginning of the body, secrets masked.
    pub body: String,
}

/// Sends, and reads the answer whatever its status.
pub(crate) async fn call(call: Call, masks: &Masks) -> Result<Reply, Fault> {
    let host = shown(&call.url);
    let failed = |e: reqwest::Error| of_error(&e, &host, call.timeout, masks);
    let request = client()?.request(call.method, call.url).headers(call.headers).body(call.body).timeout(call.timeout);
    let mut response = Box::pin(request.send()).await.map_err(failed)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    // The status is known: an answer that breaks off after it is an answer.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(MOST - body.len())]);
        if body.len() == MOST {
            break;
        }
    }
    Ok(Reply { status, headers, body: masks.clean(&String::from_utf8_lossy(&body)) })
}

/// One for the process: reading the machine's certificates takes a while. It keeps no connections, for those belong to
/// the runtime that made them; it follows no redirects and tries nothing again by itself.
fn client() -> Result<&'static Client, Fault> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let made = Client::builder()
        .user_agent(concat!("millwork/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(0)
        .referer(false)
        .build()
        .map_err(|e| {
            Fault::external("notify.client", format!("no client for HTTP can be made: {}", super::fault::innermost(&e)))
                .help("certificates of the machine are needed, mostly the package `ca-certificates`")
        })?;
    Ok(CLIENT.get_or_init(|| made))
}
