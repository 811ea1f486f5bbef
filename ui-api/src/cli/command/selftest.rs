use std::{path::PathBuf, time::SystemTime};

use millwork_engine::model::{Fault, units::parse_size};
use millwork_testkit::selftest::{self, Options, SelftestError};

use crate::cli::{Exit, output::Output};

/// Kills this very program while it runs random pipelines.
pub(super) fn selftest(
    output: &Output,
    seed: Option<u64>,
    kills: u32,
    memory: String,
    folder: Option<PathBuf>,
) -> Result<Exit, Fault> {
    parse_size(&memory).map_err(|e| Fault::user("cli.usage", format!("--memory: {e}")))?;
    let program = std::env::current_exe()
        .map_err(|e| Fault::external("cli.program", format!("the path of this program cannot be found: {e}")))?;
    let seed = seed.unwrap_or_else(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64 % 1_000_000)
    });
    let folder = folder.unwrap_or_else(|| std::env::temp_dir().join(format!("millwork-selftest-{seed}")));
    // The program runs in folders below it.
    let folder = std::path::absolute(&folder)
        .map_err(|e| Fault::user("cli.usage", format!("--folder {}: {e}", folder.display())))?;
    output.say(format!("seed {seed}, in {}", folder.display()));
    let options = Options { program, seed, kills, memory, folder: folder.clone() };
    let done = selftest::run(&options, |seed, so_far| {
        output.say(format!("pipeline {seed} passed: {} of {kills} kills", so_far.kills));
    });
    match done {
        Ok(done) => {
            // Empty by now, unless it was the user's own.
            let _ = std::fs::remove_dir(&folder);
            output.result(format!(
                "seed {seed}: {} pipelines, {} kills, {} effects, {} of them done again because their end was not recorded",
                done.pipelines, done.kills, done.effects, done.repeated
            ));
            Ok(Exit::Ok)
        }
        Err(error @ SelftestError::Io(_)) => Err(Fault::external("selftest.io", error.to_string())),
        Err(error @ SelftestError::Broken { .. }) => Err(Fault::internal("selftest.broken", error.to_string())
            .help(format!("`millwork selftest --seed {seed} --kills {kills}` may show it again"))),
    }
}
