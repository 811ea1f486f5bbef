//! What the command line accepts. Reading it builds nothing else, so that `--help` is at once.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit::AFTER;

mod service;

pub(super) use service::{AuditCommand, DbCommand, RoleArg, ServeArgs, TokenCommand};

/// Checks, runs and records pipelines written in YAML.
#[derive(Debug, Parser)]
#[command(name = "millwork", version, propagate_version = true, after_help = AFTER, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Everything that `millwork` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first pipeline with its test into a folder.
    #[command(after_help = "Example:\n  millwork init my_pipeline && millwork run my_pipeline")]
    Init {
        /// The folder; it is made if it is not there.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Check a pipeline and run it.
    #[command(after_help = "Examples:
  millwork run examples/01_hello
  millwork run pipeline.yaml --input day=2013-01-09 --input 'airports=[\"JFK\"]'
  millwork run pipeline.yaml --only late --json")]
    Run(RunArgs),
    /// Find every problem of pipelines without running them.
    #[command(
        after_help = "Examples:\n  millwork check pipelines/\n  millwork check pipeline.yaml --strict --format short"
    )]
    Check {
        /// Files, or folders whose pipelines are all checked.
        #[arg(default_value = ".")]
        paths: Vec<PathBuf>,
        /// List places whose type is known only during the run, and fail on warnings.
        #[arg(long)]
        strict: bool,
        /// Do not look at data files for their columns.
        #[arg(long)]
        no_files: bool,
        /// How problems are shown.
        #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
        format: CheckFormat,
    },
    /// Bring pipelines into the standard form; comments stay.
    #[command(after_help = "Examples:\n  millwork fmt pipeline.yaml\n  millwork fmt --check .")]
    Fmt {
        /// Files or folders.
        #[arg(default_value = ".")]
        paths: Vec<PathBuf>,
        /// Change nothing; exit with 1 if something would change.
        #[arg(long)]
        check: bool,
    },
    /// Show what a run would do: order, what is reused and why.
    #[command(after_help = "Example:\n  millwork plan pipeline.yaml --only late")]
    Plan {
        /// The pipeline's file or folder.
        path: PathBuf,
        /// Show only these steps and what they need.
        #[arg(long, value_name = "STEP")]
        only: Vec<String>,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Run the `tests:` of pipelines.
    #[command(after_help = "Example:\n  millwork test examples/")]
    Test {
        /// Files or folders.
        #[arg(default_value = ".")]
        paths: Vec<PathBuf>,
        /// Only tests whose name contains this.
        #[arg(long)]
        name: Option<String>,
    },
    /// List, show, stop, go on with and repeat runs.
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Look at when schedules start a pipeline, and run times that are past.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Serve a folder of pipelines: schedules, triggers, API and web UI.
    #[command(after_help = "Examples:
  millwork serve pipelines
  millwork serve --listen 0.0.0.0:7411 --host millwork.example.com")]
    Serve(ServeArgs),
    /// Make, list and take back tokens for the API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Look into the log of who did what.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Copy, check and bring up to date the state.
    #[command(subcommand)]
    Db(DbCommand),
    /// Say why a run, or a step of it, stands where it stands.
    #[command(after_help = "Examples:\n  millwork why last\n  millwork why run_01k publish")]
    Why {
        /// A run's id, the beginning of one, or `last`.
        run: String,
        /// A step.
        step: Option<String>,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Print the page of a code: of a problem that `check` finds, or of a fault that a run ends with.
    #[command(after_help = "Examples:\n  millwork explain P0004\n  millwork explain shell.exit")]
    Explain {
        /// Such as P0004 or shell.exit; without it, every code is listed.
        code: Option<String>,
    },
    /// Print the JSON Schema of pipelines, for editors.
    #[command(after_help = "Example:\n  millwork schema > millwork.schema.json")]
    Schema {
        /// That of `millwork.yaml` instead.
        #[arg(long)]
        workspace: bool,
    },
    /// List the kinds of steps, or describe one.
    #[command(after_help = "Examples:\n  millwork steps\n  millwork steps shell")]
    Steps {
        /// A kind, such as `shell`.
        name: Option<String>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Draw a pipeline's graph.
    #[command(after_help = "Example:\n  millwork graph pipeline.yaml --format svg > graph.svg")]
    Graph {
        /// The pipeline's file or folder.
        path: PathBuf,
        /// What to draw.
        #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
        format: GraphFormat,
    },
    /// Forget old runs and remove what nothing names any more.
    ///
    /// Runs that succeeded, failed or were cancelled are forgotten. Those that are interrupted or wait are kept: they
    /// can go on. Artifacts that were written within the last hour stay too, because a run may be about to name them.
    #[command(after_help = "Example:\n  millwork gc --keep 30d --dry-run")]
    Gc {
        /// Runs that ended longer ago are forgotten; what `retention:` in `millwork.yaml` says, or 30d, if not given.
        #[arg(long, value_parser = period)]
        keep: Option<std::time::Duration>,
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Look whether everything Millwork needs is in order.
    Doctor {
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Run random pipelines, kill them again and again, and look whether anything is lost.
    #[command(after_help = "Example:\n  millwork selftest --kills 200 --memory 512MiB")]
    Selftest {
        /// The first pipeline's seed; it is drawn if not given. The same seed gives the same pipelines.
        #[arg(long)]
        seed: Option<u64>,
        /// How often to kill, in all.
        #[arg(long, default_value_t = 50)]
        kills: u32,
        /// Memory that the steps of a run may hold.
        #[arg(long, default_value = "512MiB")]
        memory: String,
        /// Where to work; what failed stays there.
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Measure what Millwork costs here, beside what the machine itself can do.
    #[command(after_help = "Examples:\n  millwork bench --quick\n  millwork bench steps parse --json")]
    Bench(BenchArgs),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  millwork completions bash > ~/.local/share/bash-completion/completions/millwork"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// What is done with schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Run the times of a range that have no run yet.
    #[command(after_help = "Examples:
  millwork schedule backfill pipeline.yaml --from 2027-01-01 --to 2027-02-01 --dry-run
  millwork schedule backfill pipeline.yaml --from 2027-01-01 --to 2027-02-01 --concurrency 4
  millwork schedule backfill pipeline.yaml --from 2027-01-01 --to 2027-02-01 --again mended")]
    Backfill(BackfillArgs),
    /// List the times of a year, and mark the days on which clocks change them.
    #[command(after_help = "Examples:
  millwork schedule preview pipeline.yaml --year 2027
  millwork schedule preview pipeline.yaml --odd")]
    Preview {
        /// The pipeline's file or folder.
        path: PathBuf,
        /// The year; this one if left out.
        #[arg(long)]
        year: Option<i32>,
        /// Only times that clocks skip or show twice.
        #[arg(long)]
        odd: bool,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

/// What `run` accepts.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The pipeline's file, or a folder with a `pipeline.yaml`.
    pub path: PathBuf,
    /// An input; the value is text or JSON. Can be repeated.
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE", value_parser = pair)]
    pub inputs: Vec<(String, String)>,
    /// A JSON file with an object of inputs; `--input` wins over it.
    #[arg(long, value_name = "FILE")]
    pub inputs_file: Option<PathBuf>,
    /// Run only this step and those it needs. Can be repeated.
    #[arg(long, value_name = "STEP")]
    pub only: Vec<String>,
    /// One JSON object a line on standard output.
    #[arg(long)]
    pub json: bool,
    /// How the engine is opened.
    #[command(flatten)]
    pub open: OpenArgs,
}

/// What `schedule backfill` accepts.
#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// The pipeline's file or folder.
    pub path: PathBuf,
    /// The first day in the schedule's zone, or a moment such as 2027-01-31T02:00:00Z.
    #[arg(long, value_name = "DAY")]
    pub from: String,
    /// The first day left out, or a moment.
    #[arg(long, value_name = "DAY")]
    pub to: String,
    /// Which schedule of the pipeline, from 0.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub schedule: u32,
    /// Runs at once.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: u32,
    /// Only say what would run.
    #[arg(long)]
    pub dry_run: bool,
    /// Run times again that have a run, under this name; each runs once under it.
    #[arg(long, value_name = "NAME")]
    pub again: Option<String>,
    /// How the engine is opened.
    #[command(flatten)]
    pub open: OpenArgs,
}

/// What `bench` accepts.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Only these: steps, load, fan40, fan100k, parse, resume, table, sql, start, flights; or service, which takes ten
    /// minutes and is measured only if named, whole or by one of service-idle, -lists, -ticks, -calls, -followers,
    /// -writers.
    pub names: Vec<String>,
    /// One JSON object a line on standard output.
    #[arg(long)]
    pub json: bool,
    /// Fewer rounds and smaller data: the bars are meant for the whole.
    #[arg(long)]
    pub quick: bool,
    /// Scale of the TPC-H tables; 1 needs about 3 GB of memory.
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Where to work: choose the disk that is to be measured.
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// What a process that is measured does.
    #[arg(long, hide = true)]
    pub child: Option<String>,
}

/// How the engine is opened.
#[derive(Debug, Args, Default)]
pub struct OpenArgs {
    /// The folder of the state; `.millwork` beside the pipeline if not given.
    #[arg(long, value_name = "FOLDER")]
    pub home: Option<PathBuf>,
    /// What a commit survives; what `millwork.yaml` says, or `power`, if not given.
    #[arg(long, value_enum)]
    pub durability: Option<DurabilityArg>,
    /// Memory that all steps together may hold, such as 2GiB; what `millwork.yaml` says, or three quarters of
    /// the machine's, if not given.
    #[arg(long, value_parser = size)]
    pub memory: Option<u64>,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityArg {
    /// Loss of power.
    Power,
    /// Death of the process, not of the machine.
    Process,
}

/// Commands about runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, newest first.
    #[command(after_help = "Example:\n  millwork runs list --status failed --limit 5")]
    List {
        /// Only of this pipeline.
        #[arg(long)]
        pipeline: Option<String>,
        /// Only with this status.
        #[arg(long, value_enum)]
        status: Vec<StatusArg>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Show a run's steps and outputs.
    #[command(after_help = "Example:\n  millwork runs show last")]
    Show {
        /// A run's id, the beginning of one, or `last`.
        run: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Print log lines of a run.
    #[command(after_help = "Example:\n  millwork runs logs last fetch --item 3")]
    Logs {
        /// A run's id, the beginning of one, or `last`.
        run: String,
        /// Only of this step.
        step: Option<String>,
        /// Only of this item of it.
        #[arg(long, requires = "step")]
        item: Option<u32>,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Cancel a run, wherever it is under way; a second time interrupts it.
    #[command(after_help = "Example:\n  millwork runs cancel last")]
    Cancel {
        /// A run's id, the beginning of one, or `last`.
        run: String,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Go on with an interrupted or failed run: unfinished steps only.
    #[command(after_help = "Example:\n  millwork runs resume last")]
    Resume {
        /// A run's id, the beginning of one, or `last`.
        run: String,
        /// One JSON object a line on standard output.
        #[arg(long)]
        json: bool,
        /// How the engine is opened.
        #[command(flatten)]
        open: OpenArgs,
    },
    /// Answer a step that waits for approval.
    #[command(
        after_help = "Examples:\n  millwork runs approve last review --value note='looks right'\n  millwork runs approve last review --refuse"
    )]
    Approve {
        /// A run's id, the beginning of one, or `last`.
        run: String,
        /// The step; may be left out if only one waits.
        step: Option<String>,
        /// Refuse instead.
        #[arg(long)]
        refuse: bool,
        /// A value of the form. Can be repeated.
        #[arg(long = "value", value_name = "NAME=VALUE", value_parser = pair)]
        values: Vec<(String, String)>,
        /// Who answers; the user's name if not given.
        #[arg(long)]
        by: Option<String>,
        /// The folder of the state.
        #[arg(long, value_name = "FOLDER")]
        home: Option<PathBuf>,
    },
    /// Run again from a step on, as a new run that takes over what came before.
    #[command(after_help = "Example:\n  millwork runs rerun last --from late --file pipeline.yaml")]
    Rerun {
        /// A run's id, the beginning of one, or `last`.
        run: String,
        /// The first step to run again.
        #[arg(long, value_name = "STEP")]
        from: String,
        /// Take the pipeline from this file instead of as it was.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Do not ask.
        #[arg(long, short = 'y')]
        yes: bool,
        /// One JSON object a line on standard output.
        #[arg(long)]
        json: bool,
        /// How the engine is opened.
        #[command(flatten)]
        open: OpenArgs,
    },
}

/// How `check` shows problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// With the lines of the file.
    Text,
    /// One line each, as editors read them.
    Short,
    /// One JSON object each.
    Json,
}

/// What `graph` draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Lines for a terminal.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// A picture.
    Svg,
}

/// A run's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum StatusArg {
    Queued,
    Running,
    Waiting,
    Interrupted,
    Succeeded,
    Failed,
    Cancelled,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

fn period(text: &str) -> Result<std::time::Duration, String> {
    millwork_engine::model::units::parse_duration(text).map_err(|e| e.to_string())
}

fn size(text: &str) -> Result<u64, String> {
    millwork_engine::model::units::parse_size(text).map_err(|e| e.to_string())
}
