use std::{path::Path, sync::Arc};

use millwork_engine::{
    Durability,
    model::{Fault, SystemClock},
    store::SqliteStore,
};

use super::token::home_of;
use crate::cli::{Exit, args::DbCommand, open, output::Output, words};

/// Copies, checks and brings up to date the state.
pub(super) fn db(output: &Output, command: DbCommand) -> Result<Exit, Fault> {
    match command {
        DbCommand::Backup { to, home } => backup(output, &home_of(home), &to),
        DbCommand::Check { home } => check(output, &home_of(home)),
        DbCommand::Migrate { home } => migrate(output, &home_of(home)),
    }
}

fn backup(output: &Output, home: &Path, to: &Path) -> Result<Exit, Fault> {
    let bytes = open::block_on(async { Ok(SqliteStore::backup(home, to).await?) })?;
    output.result(format!("{} in {}", words::bytes(bytes), to.display()));
    output.say("artifacts and logs are files below the home: copy `artifacts/` and `logs/` as well");
    Ok(Exit::Ok)
}

fn check(output: &Output, home: &Path) -> Result<Exit, Fault> {
    let health = open::block_on(async { Ok(SqliteStore::examine(home).await?) })?;
    let Some(health) = health else {
        return Err(Fault::user("home.missing", format!("there is no state in {}", home.display()))
            .help("go to the folder of the pipelines, or give `--home`"));
    };
    let (runs, bytes) = (words::some(health.runs, "run"), words::bytes(health.bytes));
    for problem in &health.problems {
        output.result(problem);
    }
    if health.problems.is_empty() {
        output.result(format!("in order: {runs} in {bytes}, tables of version {}", health.version));
        return Ok(Exit::Ok);
    }
    Ok(Exit::Failed)
}

fn migrate(output: &Output, home: &Path) -> Result<Exit, Fault> {
    let before = open::block_on(async { Ok(SqliteStore::examine(home).await?) })?.map(|health| health.version);
    let after = open::block_on(async {
        // Opening brings the tables up to date.
        SqliteStore::open(home, Durability::Power, Arc::new(SystemClock)).await?.close().await;
        Ok(SqliteStore::examine(home).await?)
    })?;
    let after = after.map_or(0, |health| health.version);
    output.result(match before {
        Some(before) if before == after => format!("tables of version {after}, as before"),
        Some(before) => format!("tables of version {after}; they were of version {before}"),
        None => format!("tables of version {after}, made anew"),
    });
    Ok(Exit::Ok)
}
