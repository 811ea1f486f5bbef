//! Traces of runs for OpenTelemetry: sent by OTLP over HTTP to where the environment says.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use millwork_engine::model::Fault;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, registry::LookupSpan};

/// Where they go, by the names that OpenTelemetry gives: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and the rest are read by its own library.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// How they are to be sent.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// Everything off, whatever else is set.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// How long the last spans may take when the program ends.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is traced: runs, steps, attempts and calls are spans of this level.
const FILTER: &str = "off,millwork_engine=info,millwork_flow=info,millwork_notify=info";

/// What sends traces, if any are to be sent.
#[derive(Debug, Default)]
pub(super) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what has not been sent.
    pub(super) fn send_rest(self) {
        let Some(provider) = self.0 else { return };
        if let Err(error) = provider.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// A layer that sends spans, and what sends them; nothing where the environment names no place.
pub(super) fn layer<S>() -> Result<(Option<impl Layer<S>>, Traces), Fault>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let disabled = std::env::var(DISABLED).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    if disabled || !ENDPOINTS.iter().any(set) {
        return Ok((None, Traces::default()));
    }
    refuse_protocols()?;
    let exporter = SpanExporter::builder().with_http().with_http_client(Client::new()?).build();
    let exporter = exporter.map_err(|e| {
        Fault::user("cli.traces", format!("traces cannot be sent: {e}"))
            .help("look at the variables whose names begin with OTEL_EXPORTER_OTLP")
    })?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("millwork");
    }
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("millwork"))
        .with_location(false)
        .with_threads(false)
        .with_filter(EnvFilter::new(FILTER));
    Ok((Some(layer), Traces(Some(provider))))
}

/// Only one of the protocols that OpenTelemetry has is spoken.
fn refuse_protocols() -> Result<(), Fault> {
    for name in PROTOCOLS {
        let protocol = std::env::var(name).unwrap_or_default();
        if !matches!(protocol.as_str(), "" | "http/protobuf") {
            let message = format!("traces cannot be sent by `{protocol}`, which {name} asks for");
            return Err(Fault::user("cli.traces", message)
                .help("they are sent by `http/protobuf`, to port 4318 of most collectors"));
        }
    }
    Ok(())
}

/// Sends requests on a runtime of its own: spans are exported from a thread that has none.
struct Client {
    client: reqwest::Client,
    runtime: Arc<Runtime>,
    /// Whether the last ones were refused, which is told of once.
    failing: AtomicBool,
}

impl Client {
    fn new() -> Result<Self, Fault> {
        let broken = |why: String| Fault::external("cli.traces", format!("traces cannot be sent: {why}"));
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have been quicker, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let client = reqwest::Client::builder().timeout(PATIENCE * 2).build();
        Ok(Self {
            client: client.map_err(|e| broken(e.to_string()))?,
            runtime: Arc::new(runtime.map_err(|e| broken(e.to_string()))?),
            failing: AtomicBool::new(false),
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
        });
        let sent = sent.await?;
        let trouble = match &sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let before = self.failing.swap(trouble.is_some(), Ordering::Relaxed);
        match trouble {
            Some(why) if !before => tracing::warn!(why, "traces are lost: where they are sent does not take them"),
            None if before => tracing::info!("traces are taken again"),
            _ => {}
        }
        sent
    }
}
