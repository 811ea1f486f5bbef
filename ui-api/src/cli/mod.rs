//! The command line: one file a command under `command/`; everything that is printed goes through
//! [`Output`].

mod args;
mod bug;
mod command;
mod exit;
mod fault;
mod home;
mod link;
mod load;
mod logging;
mod machine;
mod open;
mod output;
mod run_id;
mod secrets;
mod standing;
mod table;
mod traces;
mod watch;
mod words;
mod workspace;

use std::process::ExitCode;

use clap::Parser;
use millwork_engine::model::Fault;

pub use args::Cli;
pub use exit::Exit;
pub use output::Output;

/// The hidden word that makes this program the guard of a child process.
const GUARD: &str = "__guard";

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == GUARD) {
        return millwork_steps::flow::process::guard_main();
    }
    bug::install();
    match Cli::try_parse() {
        Ok(cli) => {
            let output = Output::new();
            // A service tells what goes wrong even if nothing was asked for.
            let unsaid = matches!(cli.command, args::Command::Serve(_)).then_some("warn");
            let done = logging::install(unsaid).and_then(|traces| {
                let done = command::dispatch(&output, cli.command);
                traces.send_rest();
                done
            });
            match done {
                Ok(Exit::Ok) if output.lost().is_some() => {
                    let why = output.lost().unwrap_or_default();
                    output.fault(&Fault::external("cli.output", format!("the result cannot be written: {why}")));
                    Exit::Failed.into()
                }
                Ok(exit) => exit.into(),
                Err(fault) => {
                    output.fault(&fault);
                    Exit::of(&fault).into()
                }
            }
        }
        // Help and version are asked for; anything else is a mistake in the arguments.
        Err(told) => {
            let wrong = told.use_stderr();
            let _ = told.print();
            if wrong { Exit::Usage.into() } else { Exit::Ok.into() }
        }
    }
}
