use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
};

use millwork_engine::model::Fault;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{ChildStderr, ChildStdout, Command},
};

use super::{
    protocol::{KILL, Order, Report, TERMINATE},
    survivors::Identity,
};

/// How to start the guard: an extension that the program which embeds the engine sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardCommand {
    /// The program.
    pub program: PathBuf,
    /// Arguments that make it a guard.
    pub arguments: Vec<String>,
}

impl GuardCommand {
    /// This very program with one argument, on which its `main` calls
    /// [`guard_main`](super::guard_main) before anything else.
    pub fn this_program(argument: &str) -> io::Result<Self> {
        // The link names the running file even after an upgrade has replaced it.
        let link = PathBuf::from("/proc/self/exe");
        let program = if link.exists() { link } else { std::env::current_exe()? };
        Ok(Self { program, arguments: vec![argument.to_owned()] })
    }
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch<'a> {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Working folder.
    pub cwd: &'a Path,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Bytes for standard input.
    pub stdin: Vec<u8>,
}

/// A guarded command. Dropping it ends the command and all that it started.
#[derive(Debug)]
pub struct Child {
    guard: tokio::process::Child,
    identity: Option<Identity>,
    reports: BufReader<OwnedReadHalf>,
    commands: Stop,
}

/// Stops a command from elsewhere while it is waited for.
#[derive(Debug)]
pub struct Stop(OwnedWriteHalf);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

impl Child {
    /// Starts the guard, which waits for [`Child::begin`]. The command does not run yet.
    pub fn prepare(guard: &GuardCommand, launch: &Launch<'_>) -> Result<Self, Fault> {
        let failed = |e: io::Error| {
            let path = guard.program.display();
            Fault::external("shell.guard", format!("the guard of child processes ({path}) cannot be started: {e}"))
        };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let guard_process = Command::new(&guard.program)
            .args(&guard.arguments)
            .env_clear()
            .envs(&launch.env)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let identity = guard_process.id().and_then(|pid| Identity::of(i32::try_from(pid).ok()?));
        let (reports, commands) = UnixStream::from_std(ours).map_err(failed)?.into_split();
        Ok(Self { guard: guard_process, identity, reports: BufReader::new(reports), commands: Stop(commands) })
    }

    /// The guard's identity, to be recorded before the command acts.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Lets the command run.
    pub async fn begin(&mut self, launch: Launch<'_>) -> Result<(), Fault> {
        let order = Order {
            argv: launch.argv,
            cwd: launch.cwd.to_string_lossy().into_owned(),
            stdin: launch.stdin.len() as u64,
        };
        let mut bytes = serde_json::to_vec(&order)
            .map_err(|e| Fault::internal("shell.guard", format!("an order to the guard cannot be written: {e}")))?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&launch.stdin);
        tracing::debug!(guard = self.guard.id(), command = order.argv.first(), "a command begins");
        self.commands.0.write_all(&bytes).await.map_err(|_| lost())
    }

    /// The command's output. Each can be taken once.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.guard.stdout.take(), self.guard.stderr.take())
    }

    /// Splits off what stops the command.
    pub fn wait(self) -> (impl Future<Output = Result<Ended, Fault>>, Stop) {
        let Self { mut guard, mut reports, commands, .. } = self;
        let wait = async move {
            let mut line = String::new();
            let read = reports.read_line(&mut line).await;
            // Collected here, so that no zombie stays; its own status says nothing more.
            let _ = guard.wait().await;
            if !matches!(read, Ok(1..)) {
                return Err(lost());
            }
            match serde_json::from_str(&line) {
                Ok(Report::Exited(code)) => Ok(Ended::Exited(code)),
                Ok(Report::Signalled(signal)) => Ok(Ended::Signalled(signal)),
                Ok(Report::NotStarted { missing, message }) => Err(not_started(missing, &message)),
                Err(_) => Err(lost()),
            }
        };
        (wait, commands)
    }
}

impl Stop {
    /// Asks the command's group to end (SIGTERM).
    pub async fn terminate(&mut self) {
        let _ = self.0.write_all(&[TERMINATE]).await;
    }

    /// Kills the command and all that it started.
    pub async fn kill(&mut self) {
        let _ = self.0.write_all(&[KILL]).await;
    }
}

fn lost() -> Fault {
    Fault::external("shell.guard", "the guard of the command ended before it reported how the command ended")
        .help("something killed it, perhaps for lack of memory")
}

fn not_started(missing: bool, message: &str) -> Fault {
    if missing {
        Fault::user("shell.not_found", "the program or the working folder was not found")
    } else {
        Fault::user("shell.not_started", format!("the command cannot be started: {message}"))
    }
}
