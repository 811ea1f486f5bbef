//! Structured logs of the engine, for those who look into Millwork itself. A pipeline's own lines are `runs logs`.

use std::io::stderr;

use millwork_engine::model::Fault;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

use super::traces::{self, Traces};

/// What is logged, such as `info`, or `millwork_engine=debug,sqlx=warn`; nothing where it is not set.
const FILTER: &str = "MILLWORK_LOG";
/// `json` for one object a line.
const FORMAT: &str = "MILLWORK_LOG_FORMAT";

/// Sends logs to standard error, if the environment asks for any; and traces, if it says where to. `unsaid` is what is
/// logged where the environment says nothing.
pub(super) fn install(unsaid: Option<&str>) -> Result<Traces, Fault> {
    let wanted = std::env::var(FILTER).ok().or_else(|| unsaid.map(str::to_owned));
    let (spans, traces) = traces::layer()?;
    // Who asks for traces is told when they are lost.
    let wanted = wanted.or_else(|| spans.is_some().then(|| "off,millwork::cli::traces=warn".to_owned()));
    let logs = wanted.map(|wanted| logs(&wanted)).transpose()?;
    if logs.is_some() || spans.is_some() {
        tracing_subscriber::registry().with(logs).with(spans).init();
    }
    Ok(traces)
}

fn logs<S>(wanted: &str) -> Result<impl Layer<S> + use<S>, Fault>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(wanted).map_err(|e| {
        Fault::user("cli.usage", format!("`{FILTER}={wanted}` is no filter: {e}"))
            .help("write a level (error, warn, info, debug, trace), or `target=level` several times with commas")
    })?;
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr);
    let layer = match std::env::var(FORMAT).as_deref() {
        Ok("json") => layer.json().flatten_event(true).boxed(),
        _ => layer.boxed(),
    };
    Ok(layer.with_filter(filter))
}
