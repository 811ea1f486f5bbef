//! Whether it lives, whether it is ready, and figures for Prometheus.

use std::{collections::BTreeMap, fmt::Write};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use millwork_service::tally::Ended;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    guard::{Caller, Read},
    problem::{Answer, Refusals},
};

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthView {
    /// `ok`, or what is missing.
    status: &'static str,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = HealthView), Refusals), security(()))]
pub(crate) async fn live() -> Json<HealthView> {
    Json(HealthView { status: "ok" })
}

/// Whether the state can be read, all pipelines are read, and it is not stopping.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = HealthView), (status = 503, body = HealthView), Refusals), security(()))]
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let service = app.service();
    let status = if service.stopping().is_cancelled() {
        "stopping"
    } else if !service.catalog().is_loaded() {
        "reading pipelines"
    } else if service.engine().reader().feed_head().await.is_err() {
        "the state cannot be read"
    } else {
        "ok"
    };
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(HealthView { status })).into_response()
}

/// Figures in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn metrics(State(app): State<App>, caller: Caller<Read>) -> Answer<Response> {
    let service = app.service();
    let (held, waiting) = service.desk().counts();
    let all = service.catalog().all();
    let broken = all.values().filter(|entry| entry.counts().0 > 0).count();
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP millwork_{name} {help}\n# TYPE millwork_{name} gauge\nmillwork_{name} {value}");
    };
    gauge("runs_under_way", "Runs that this process drives.", held as u64);
    gauge("runs_queued", "Runs that wait for their turn.", waiting as u64);
    gauge("pipelines", "Pipelines in the catalog.", all.len() as u64);
    gauge("pipelines_broken", "Pipelines whose files have errors.", broken as u64);
    gauge("event_followers", "Readers of live events.", service.hub().followers() as u64);
    gauge("feed_position", "Commits of runs since the state was made.", service.engine().reader().feed_head().await?);
    gauge("audit_entries", "Entries of the audit log.", service.engine().reader().audit_head().await?);
    for (name, (used, limit)) in service.desk().pools() {
        let _ = writeln!(text, "millwork_pool_slots_used{{pool=\"{name}\"}} {used}");
        if let Some(limit) = limit {
            let _ = writeln!(text, "millwork_pool_slots{{pool=\"{name}\"}} {limit}");
        }
    }
    text.push_str(&ended(&service.desk().tally().all(), |pipeline| caller.sees(pipeline)));
    text.push_str(&process());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Runs that ended, by pipeline.
fn ended(all: &BTreeMap<String, Ended>, sees: impl Fn(&str) -> bool) -> String {
    let mut counts = String::from(
        "# HELP millwork_runs_ended_total Runs that ended since the service began.\n\
         # TYPE millwork_runs_ended_total counter\n",
    );
    let mut times =
        String::from("# HELP millwork_run_seconds How long they took.\n# TYPE millwork_run_seconds summary\n");
    for (pipeline, ended) in all.iter().filter(|(pipeline, _)| sees(pipeline)) {
        let Ended { succeeded, failed, cancelled, took } = ended;
        for (status, count) in [("succeeded", succeeded), ("failed", failed), ("cancelled", cancelled)] {
            let _ =
                writeln!(counts, "millwork_runs_ended_total{{pipeline=\"{pipeline}\",status=\"{status}\"}} {count}");
        }
        let (seconds, count) = (took.as_secs_f64(), succeeded + failed + cancelled);
        let _ = writeln!(times, "millwork_run_seconds_sum{{pipeline=\"{pipeline}\"}} {seconds}");
        let _ = writeln!(times, "millwork_run_seconds_count{{pipeline=\"{pipeline}\"}} {count}");
    }
    counts + &times
}

/// What Linux says of this process.
fn process() -> String {
    let mut text = String::new();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    if let Some(resident) = kib("VmRSS:") {
        let _ = writeln!(
            text,
            "# HELP process_resident_memory_bytes Memory in use.\n# TYPE process_resident_memory_bytes gauge\n\
             process_resident_memory_bytes {}",
            resident * 1024
        );
    }
    text
}
