use std::path::PathBuf;

use millwork_engine::model::Fault;

use super::{
    child, fan,
    figure::{self, Figure},
    log, parse, sql, start, steps, table,
    world::Bench,
};
use crate::cli::{Exit, args::BenchArgs, output::Output};

/// Names of groups of measures, with what measures them.
type Group = (&'static str, fn(&Bench<'_>) -> Result<Vec<Figure>, Fault>);

const GROUPS: &[Group] = &[
    ("steps", steps::three),
    ("load", steps::in_flight),
    ("fan40", fan::forty),
    ("fan100k", fan::hundred_thousand),
    ("parse", parse::parse),
    ("resume", log::resume),
    ("table", table::table),
    ("sql", sql::sql),
    ("start", start::start),
    ("flights", start::flights),
];

/// Measures what was named, or everything.
pub(in super::super) fn bench(output: &Output, args: &BenchArgs) -> Result<Exit, Fault> {
    if let Some(role) = &args.child {
        return child::be(output, role, args.folder.clone().unwrap_or_default(), args.quick);
    }
    for name in &args.names {
        if !GROUPS.iter().any(|(known, _)| known == name) {
            let known: Vec<&str> = GROUPS.iter().map(|(known, _)| *known).collect();
            return Err(Fault::user("cli.usage", format!("there is no measure `{name}`"))
                .help(format!("there are {}", known.join(", "))));
        }
    }
    let scratch = scratch(args.folder.clone())?;
    let bench = Bench { output, quick: args.quick, scale: args.scale, folder: scratch.path() };
    let mut figures = Vec::new();
    for (name, measure) in GROUPS {
        if args.names.is_empty() || args.names.iter().any(|asked| asked == name) {
            output.say(format!("measuring {name} ..."));
            let found = measure(&bench)?;
            if args.json {
                for figure in &found {
                    output.json(figure);
                }
            }
            figures.extend(found);
        }
    }
    if !args.json {
        figure::show(output, &figures);
    }
    Ok(Exit::Ok)
}

/// A folder that goes when the measures are done.
fn scratch(asked: Option<PathBuf>) -> Result<tempfile::TempDir, Fault> {
    let under = asked.unwrap_or_else(std::env::temp_dir);
    let made =
        std::fs::create_dir_all(&under).and_then(|()| tempfile::Builder::new().prefix("bench-").tempdir_in(&under));
    made.map_err(|e| Fault::external("bench.folder", format!("nothing can be written in {}: {e}", under.display())))
}
