use std::path::PathBuf;

use millwork_engine::model::Fault;

use super::{
    child, fan,
    figure::{self, Figure},
    log, parse, service, sql, start, steps, table,
    world::Bench,
};
use crate::cli::{Exit, args::BenchArgs, output::Output};

/// Names of groups of measures, with what measures them.
pub(super) type Group = (&'static str, fn(&Bench<'_>) -> Result<Vec<Figure>, Fault>);

/// What is measured where nothing is named.
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
    let all = || GROUPS.iter().chain(service::GROUPS);
    for name in &args.names {
        if !all().any(|(known, _)| is_named(known, name)) {
            let known: Vec<&str> = GROUPS.iter().map(|(known, _)| *known).collect();
            return Err(Fault::user("cli.usage", format!("there is no measure `{name}`"))
                .help(format!("there are {}, service", known.join(", "))));
        }
    }
    let wanted: Vec<&Group> = if args.names.is_empty() {
        GROUPS.iter().collect()
    } else {
        all().filter(|(known, _)| args.names.iter().any(|name| is_named(known, name))).collect()
    };
    let scratch = scratch(args.folder.clone())?;
    let bench = Bench { output, quick: args.quick, scale: args.scale, folder: scratch.path() };
    let mut figures = Vec::new();
    for (name, measure) in wanted {
        output.say(format!("measuring {name} ..."));
        let found = measure(&bench)?;
        if args.json {
            for figure in &found {
                output.json(figure);
            }
        }
        figures.extend(found);
    }
    if !args.json {
        figure::show(output, &figures);
    }
    Ok(Exit::Ok)
}

/// `service` names `service-lists` as well.
fn is_named(group: &str, name: &str) -> bool {
    group.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// A folder that goes when the measures are done.
fn scratch(asked: Option<PathBuf>) -> Result<tempfile::TempDir, Fault> {
    let under = asked.unwrap_or_else(std::env::temp_dir);
    let made =
        std::fs::create_dir_all(&under).and_then(|()| tempfile::Builder::new().prefix("bench-").tempdir_in(&under));
    made.map_err(|e| Fault::external("bench.folder", format!("nothing can be written in {}: {e}", under.display())))
}
