use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use millwork_engine::{
    data::Type,
    model::{Digest, Fault, FaultCode},
    step::{LogStream, Step, StepContext, StepEnd},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::output::{self, Format, Keep};
use crate::process::{Child, Ended, GuardCommand, Identity, Launch, Stop, end_survivors};

/// The command is not there.
const NOT_FOUND: FaultCode = FaultCode::new("shell.not_found");

/// One attempt at a command.
pub(super) struct ShellStep {
    pub(super) guard: Arc<GuardCommand>,
    pub(super) argv: Vec<String>,
    pub(super) cwd: Option<String>,
    pub(super) stdin: String,
    pub(super) format: Format,
    pub(super) ty: Option<Type>,
    pub(super) success_codes: Vec<i32>,
    pub(super) max_output: usize,
    pub(super) grace: Duration,
}

/// Bytes at the end of standard error that are looked through for a message.
const STDERR_TAIL: usize = 64 << 10;

#[async_trait]
impl Step for ShellStep {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let cwd = self.folder(&cx)?;
        let (key, env) = (format!("MILLWORK_KEY={}", cx.key.0), environment(&cx));
        let slot = end_earlier(&cx, &key).await?;

        let launch = Launch { argv: self.argv.clone(), cwd: &cwd, env, stdin: self.stdin.clone().into_bytes() };
        let mut child = Child::prepare(&self.guard, &launch)?;
        let identity = child.identity().cloned();
        cx.journal.once(&slot, record_digest(), async { Ok(identity) }).await?;
        child.begin(launch).await?;

        let (stdout, stderr) = child.output();
        let overflow = CancellationToken::new();
        let whole = Keep::First(self.max_output, overflow.clone());
        let (ended, mut stop) = child.wait();
        let work = async {
            tokio::join!(
                ended,
                output::read_stream(stdout, whole, &cx.log, LogStream::Stdout),
                output::read_stream(stderr, Keep::Last(STDERR_TAIL), &cx.log, LogStream::Stderr),
            )
        };
        let work = work.instrument(tracing::info_span!("call", otel.name = "process", otel.kind = "client"));
        tokio::pin!(work);
        let (ended, stdout, stderr) = tokio::select! {
            ended = &mut work => ended,
            () = cx.cancel.cancelled() => {
                stop_gently(&mut stop, self.grace, &mut work).await;
                return Err(Fault::cancelled());
            }
            () = overflow.cancelled() => {
                stop.kill().await;
                let _ = work.await;
                return Err(self.too_much());
            }
        };
        if overflow.is_cancelled() {
            return Err(self.too_much());
        }
        let code = self.judge(ended.map_err(|fault| self.name_program(fault, &cwd))?, &stderr)?;
        if std::str::from_utf8(&stdout).is_err() {
            let said = "standard output is not UTF-8: in `stdout`, what is no text is replaced";
            cx.log.line(format!("{said}; to keep it, let the command encode it"));
        }
        Ok(output::outputs(self.format, self.ty.as_ref(), stdout, code)?.into())
    }
}

impl ShellStep {
    fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    fn folder(&self, cx: &StepContext) -> Result<PathBuf, Fault> {
        let folder = self.cwd.as_ref().map_or_else(|| cx.base.clone(), |cwd| cx.base.join(cwd));
        if folder.is_dir() {
            return Ok(folder);
        }
        Err(Fault::user("shell.cwd", format!("the working folder {} is not there", folder.display())))
    }

    /// The exit code, if it counts as success.
    fn judge(&self, ended: Ended, stderr: &[u8]) -> Result<i32, Fault> {
        let said = output::last_line(stderr);
        let said = said.map(|line| format!(": {line}")).unwrap_or_default();
        match ended {
            Ended::Exited(code) if self.success_codes.contains(&code) => Ok(code),
            Ended::Exited(code) => {
                Err(Fault::external("shell.exit", format!("`{}` exited with code {code}{said}", self.program()))
                    .exit_code(code))
            }
            Ended::Signalled(signal) => {
                let name = signal_name(signal);
                let message = format!("`{}` was ended by {name}{said}", self.program());
                let fault = Fault::external("shell.signal", message).exit_code(128 + signal);
                Err(if signal == 9 { fault.help("the system may have run out of memory") } else { fault })
            }
        }
    }

    fn too_much(&self) -> Fault {
        let message = format!("`{}` wrote more than {} bytes to standard output", self.program(), self.max_output);
        Fault::user("shell.output_limit", message).help("raise `max_output`, or let the command write to a file")
    }

    fn name_program(&self, fault: Fault, cwd: &std::path::Path) -> Fault {
        if fault.code != NOT_FOUND {
            return fault;
        }
        Fault::user("shell.not_found", format!("there is no program `{}`", self.program()))
            .help(format!("looked in PATH, and for relative paths in {}", cwd.display()))
    }
}

async fn stop_gently<T>(stop: &mut Stop, grace: Duration, work: &mut (impl Future<Output = T> + Unpin)) {
    stop.terminate().await;
    if tokio::time::timeout(grace, &mut *work).await.is_err() {
        stop.kill().await;
        let _ = work.await;
    }
}

/// PATH, HOME and LANG, what `permissions: env` lets through, what `env:` declares, and what tells the command where it
/// runs.
fn environment(cx: &StepContext) -> BTreeMap<String, String> {
    let through = ["PATH", "HOME", "LANG"].into_iter().chain(cx.permissions.env());
    let mut env: BTreeMap<String, String> =
        through.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect();
    env.extend(cx.env.clone());
    env.insert("MILLWORK_KEY".to_owned(), cx.key.0.to_string());
    env.insert("MILLWORK_RUN".to_owned(), cx.run.to_string());
    env.insert("MILLWORK_STEP".to_owned(), cx.step.to_string());
    env.insert("MILLWORK_ATTEMPT".to_owned(), cx.attempt.to_string());
    env.insert("MILLWORK_SCRATCH".to_owned(), cx.scratch.display().to_string());
    if let Some(item) = cx.item {
        env.insert("MILLWORK_ITEM".to_owned(), item.to_string());
    }
    env
}

fn record_digest() -> Digest {
    Digest::of(b"process")
}

/// Ends what an earlier attempt left behind, and names the free place in the journal. Attempts fill
/// places in order, so the last one filled is found by doubling and halving.
async fn end_earlier(cx: &StepContext, mark: &str) -> Result<String, Fault> {
    let (mut filled, mut step) = (0_u32, 1_u32);
    let mut last = None;
    while let Some(found) = recorded(cx, filled + step).await {
        (filled, last, step) = (filled + step, Some(found), step * 2);
    }
    while step > 1 {
        step /= 2;
        if let Some(found) = recorded(cx, filled + step).await {
            (filled, last) = (filled + step, Some(found));
        }
    }
    if let Some(guard) = last {
        let ended = end_survivors(guard.as_ref(), mark).await?;
        if ended > 0 {
            cx.log.line(format!("ended {ended} processes of an earlier attempt"));
        }
    }
    Ok(place(filled + 1))
}

fn place(number: u32) -> String {
    format!("process.{number}")
}

/// What an earlier attempt recorded under a place; nothing is recorded by looking.
async fn recorded(cx: &StepContext, number: u32) -> Option<Option<Identity>> {
    let absent = async { Err::<Option<Identity>, _>(Fault::internal("shell.absent", "nothing is recorded")) };
    cx.journal.once(&place(number), record_digest(), absent).await.ok()
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        other => return format!("signal {other}"),
    };
    format!("signal {signal} ({name})")
}
