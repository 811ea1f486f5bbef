//! Traces by OTLP: the real program, and a collector that reads what it sends.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    process::Output,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, status::StatusCode},
};
use prost::Message as _;
use tokio::process::Command;

use crate::{
    cli::{folder, text},
    program::program,
};

const PIPELINE: &str = "version: 1
name: traced
steps:
  - id: fine
    uses: shell
    with: {command: [echo, 'sesame']}
  - id: broken
    needs: fine
    uses: shell
    retry: {max_attempts: 2, delay: 1ms}
    with: {command: [sh, -c, 'echo sesame >&2; exit 3']}
";

#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

async fn collect(State(collected): State<Collected>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("protobuf");
    collected.0.lock().expect("a lock").push(request);
}

async fn run(folder: &Path, endpoint: &str) -> Output {
    let mut run = Command::new(program());
    run.args(["run", "pipeline.yaml"]).current_dir(folder).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    run.output().await.expect("a run")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_a_trace() {
    let collected = Collected::default();
    let app = Router::new().route("/v1/traces", post(collect)).with_state(collected.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let here = folder(&[("pipeline.yaml", PIPELINE)]);
    let ran = run(here.path(), &format!("http://{address}")).await;
    assert!(text(&ran.stderr).contains("failed in"), "{}", text(&ran.stderr));

    let requests = collected.0.lock().expect("a lock");
    let resources = requests.iter().flat_map(|request| &request.resource_spans);
    let spans: Vec<&Span> = resources.flat_map(|r| &r.scope_spans).flat_map(|scope| &scope.spans).collect();
    let names: HashMap<&[u8], &str> = spans.iter().map(|span| (&span.span_id[..], span.name.as_str())).collect();
    let failed = |span: &Span| span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
    let parent = |span: &Span| names.get(&span.parent_span_id[..]).copied().unwrap_or_default();
    let mut told: Vec<(&str, &str, bool)> =
        spans.iter().map(|span| (parent(span), span.name.as_str(), failed(span))).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("", "run traced", true),
            ("attempt 1", "process", false),
            ("attempt 1", "process", false),
            ("attempt 2", "process", false),
            ("run traced", "step broken", true),
            ("run traced", "step fine", false),
            ("step broken", "attempt 1", true),
            ("step broken", "attempt 2", true),
            ("step fine", "attempt 1", false),
        ]
    );
    let traces: HashSet<&[u8]> = spans.iter().map(|span| &span.trace_id[..]).collect();
    assert_eq!(traces.len(), 1);
    assert!(!format!("{requests:?}").contains("sesame"), "what steps read and write is in no trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_is_in_nobodys_way() {
    let here = folder(&[("pipeline.yaml", PIPELINE.split("  - id: broken").next().expect("a step"))]);
    let ran = run(here.path(), "http://127.0.0.1:9").await;
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
}
