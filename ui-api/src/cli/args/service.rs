//! What the commands of the service accept.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{OpenArgs, period};

/// What `serve` accepts.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The folder with the pipelines; `pipelines`, if it is there, else this one.
    pub folder: Option<PathBuf>,
    /// Where to listen, several times if need be. Beyond this machine a token is needed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7411")]
    pub listen: Vec<std::net::SocketAddr>,
    /// A name of this server that browsers use, beside its addresses.
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// Runs under way at once; more wait.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_runs: u32,
    /// How long runs have to end when the service stops; the next one goes on with what is left.
    #[arg(long, default_value = "30s", value_parser = period)]
    pub drain: std::time::Duration,
    /// How the engine is opened.
    #[command(flatten)]
    pub open: OpenArgs,
}

/// What `token` does.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; its text is shown once.
    #[command(after_help = "Example:\n  millwork token create ci --role operator --pipeline 'nightly_*' --expires 90d")]
    Create {
        /// What people call it.
        name: String,
        /// How much it allows.
        #[arg(long, value_enum, default_value_t = RoleArg::Viewer)]
        role: RoleArg,
        /// A pattern of pipelines that it reaches, several times if need be; all if left out.
        #[arg(long = "pipeline", value_name = "PATTERN")]
        pipelines: Vec<String>,
        /// How long it is good for, such as 90d; until it is revoked if left out.
        #[arg(long, value_parser = period)]
        expires: Option<std::time::Duration>,
        /// Requests a minute that it is good for.
        #[arg(long, value_name = "N")]
        per_minute: Option<u32>,
        /// Runs a day (UTC) that it may start.
        #[arg(long, value_name = "N")]
        runs_per_day: Option<u32>,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// List the tokens that are good.
    List {
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Take a token back; sessions of it end.
    Revoke {
        /// Its name or its id.
        token: String,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
}

/// How much a token allows.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// Looking.
    Viewer,
    /// Starting, stopping and answering, too.
    Operator,
    /// Tokens and the audit log, too.
    Admin,
}

/// What `audit` does.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that nothing in the log was changed, left out or put in.
    Verify {
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
}

/// What `db` does.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Write a copy of the state while everything goes on.
    #[command(after_help = "Example:\n  millwork db backup backup/state.db")]
    Backup {
        /// The file to write; one that is there is not written over.
        to: PathBuf,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Look whether the state is in order.
    Check {
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Bring the tables up to date; every command that writes does so as well.
    Migrate {
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
}
