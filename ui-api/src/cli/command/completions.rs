use clap::CommandFactory;
use millwork_engine::model::Fault;

use crate::cli::{Cli, Exit, output::Output};

/// A completion script.
pub(super) fn completions(output: &Output, shell: clap_complete::Shell) -> Result<Exit, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "millwork", &mut script);
    output.text(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}
