//! Structured logs of the engine, for those who look into Millwork itself. A pipeline's own lines are `runs logs`.

use std::io::stderr;

use millwork_engine::model::Fault;
use tracing_subscriber::EnvFilter;

/// What is logged, such as `info`, or `millwork_engine=debug,sqlx=warn`; nothing where it is not set.
const FILTER: &str = "MILLWORK_LOG";
/// `json` for one object a line.
const FORMAT: &str = "MILLWORK_LOG_FORMAT";

/// Sends logs to standard error, if the environment asks for any.
pub(super) fn install() -> Result<(), Fault> {
    match std::env::var(FILTER) {
        Ok(wanted) => begin(&wanted),
        Err(_) => Ok(()),
    }
}

/// A service tells what goes wrong even if nothing was asked for.
pub(super) fn install_for_service() -> Result<(), Fault> {
    if std::env::var_os(FILTER).is_some() { Ok(()) } else { begin("warn") }
}

fn begin(wanted: &str) -> Result<(), Fault> {
    let filter = EnvFilter::try_new(wanted).map_err(|e| {
        Fault::user("cli.usage", format!("`{FILTER}={wanted}` is no filter: {e}"))
            .help("write a level (error, warn, info, debug, trace), or `target=level` several times with commas")
    })?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    match std::env::var(FORMAT).as_deref() {
        Ok("json") => logs.json().flatten_event(true).init(),
        _ => logs.init(),
    }
    Ok(())
}
