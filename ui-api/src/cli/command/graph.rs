use std::{collections::BTreeMap, path::Path};

use millwork_engine::model::Fault;

use crate::cli::{Exit, args::GraphFormat, link, load, output::Output, workspace::Workspace};

/// A picture of a pipeline.
pub(super) fn graph(output: &Output, path: &Path, format: GraphFormat) -> Result<Exit, Fault> {
    let file = load::file_of(path)?;
    let workspace = Workspace::of_file(output, &file)?;
    let plan = load::plan(output, &file, &millwork_steps::registry(), &workspace)?;
    let drawn = link::draw(&plan, format, &BTreeMap::new());
    output.text(&drawn);
    if !drawn.ends_with('\n') {
        output.text("\n");
    }
    Ok(Exit::Ok)
}
