//! One file a command.

mod approve;
mod audit;
mod backfill;
mod bench;
mod check;
mod completions;
mod db;
mod doctor;
mod expect;
mod explain;
mod fields;
mod fmt;
mod gc;
mod graph;
mod init;
mod plan;
mod rerun;
mod run;
mod runs;
mod schedule;
mod schema;
mod selftest;
mod serve;
mod show;
mod steps;
mod test;
mod token;
mod why;

use millwork_engine::model::Fault;

use super::{
    Exit,
    args::{AuditCommand, Command, RunsCommand, ScheduleCommand},
    output::Output,
};

/// Does what was asked for.
pub(super) fn dispatch(output: &Output, command: Command) -> Result<Exit, Fault> {
    match command {
        Command::Init { folder } => init::init(output, &folder),
        Command::Run(args) => run::run(output, &args),
        Command::Check { paths, strict, no_files, format } => check::check(output, &paths, strict, !no_files, format),
        Command::Fmt { paths, check } => fmt::fmt(output, &paths, check),
        Command::Plan { path, only, home, json } => plan::plan(output, &path, &only, home, json),
        Command::Test { paths, name } => test::test(output, &paths, name.as_deref()),
        Command::Runs(command) => of_runs(output, command),
        Command::Why { run, step, home } => why::why(output, &run, step.as_deref(), home),
        Command::Explain { code } => explain::explain(output, code.as_deref()),
        Command::Schema { workspace } => schema::schema(output, workspace),
        Command::Steps { name, json } => steps::steps(output, name.as_deref(), json),
        Command::Graph { path, format } => graph::graph(output, &path, format),
        Command::Schedule(ScheduleCommand::Backfill(args)) => backfill::backfill(output, &args),
        Command::Schedule(ScheduleCommand::Preview { path, year, odd, json }) => {
            schedule::preview(output, &path, year, odd, json)
        }
        Command::Serve(args) => serve::serve(output, &args),
        Command::Token(command) => token::token(output, command),
        Command::Audit(AuditCommand::Verify { home }) => audit::check(output, home),
        Command::Db(command) => db::db(output, command),
        Command::Gc { keep, dry_run, home } => gc::gc(output, keep, dry_run, home),
        Command::Doctor { home } => doctor::doctor(output, home),
        Command::Selftest { seed, kills, memory, folder } => selftest::selftest(output, seed, kills, memory, folder),
        Command::Bench(args) => bench::bench(output, &args),
        Command::Completions { shell } => completions::completions(output, shell),
    }
}

fn of_runs(output: &Output, command: RunsCommand) -> Result<Exit, Fault> {
    match command {
        RunsCommand::List { pipeline, status, limit, json, home } => {
            runs::list(output, pipeline, &status, limit, json, home)
        }
        RunsCommand::Show { run, json, home } => show::show(output, &run, json, home),
        RunsCommand::Logs { run, step, item, home } => runs::logs(output, &run, step.as_deref(), item, home),
        RunsCommand::Cancel { run, home } => runs::cancel(output, &run, home),
        RunsCommand::Resume { run, json, open } => run::resume(output, &run, json, &open),
        RunsCommand::Approve { run, step, refuse, values, by, home } => {
            approve::approve(output, &run, step.as_deref(), !refuse, values, by, home)
        }
        RunsCommand::Rerun { run, from, file, yes, json, open } => {
            rerun::rerun(output, &run, &from, file.as_deref(), yes, json, &open)
        }
    }
}
