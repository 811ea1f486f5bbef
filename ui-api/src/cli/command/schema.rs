use millwork_engine::{model::Fault, spec};

use crate::cli::{Exit, link, output::Output};

/// The JSON Schema of pipelines, or of `millwork.yaml`.
pub(super) fn schema(output: &Output, workspace: bool) -> Result<Exit, Fault> {
    let schema = if workspace { spec::workspace_json_schema() } else { link::schema(&millwork_steps::registry()) };
    output.result(format!("{schema:#}"));
    Ok(Exit::Ok)
}
