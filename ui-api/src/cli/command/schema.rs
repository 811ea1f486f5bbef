use millwork_engine::model::Fault;

use crate::cli::{Exit, link, output::Output};

/// The JSON Schema of pipelines.
pub(super) fn schema(output: &Output) -> Result<Exit, Fault> {
    let schema = link::schema(&millwork_steps::registry());
    output.result(format!("{schema:#}"));
    Ok(Exit::Ok)
}
