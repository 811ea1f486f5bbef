//! Processes that are measured from outside, and killed: this program with a hidden role.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use millwork_engine::{
    Durability, Engine, RunHandle, RunRequest, Update,
    graph::Plan,
    model::{Event, Fault, NodeIx},
    store::RunFilter,
};

use super::{
    fan, files,
    kinds::Probe,
    log,
    world::{open, plan, succeeded},
};
use crate::cli::{Exit, open::block_on, output::Output};

/// A process under way, read line by line.
pub(super) struct Spawned {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Spawned {
    /// Starts this program in a role.
    pub(super) fn new(role: &str, home: &Path, quick: bool) -> Result<Self, Fault> {
        let program = std::env::current_exe().map_err(|e| failed(&e.to_string()))?;
        let mut command = Command::new(program);
        command.args(["bench", "--child", role, "--folder"]).arg(home).args(quick.then_some("--quick"));
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| failed(&e.to_string()))?;
        let stdout = child.stdout.take().ok_or_else(|| failed("it has no output"))?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    /// The number of the next line that begins with a word; other lines are passed over.
    pub(super) fn number(&mut self, word: &str) -> Result<u64, Fault> {
        for line in &mut self.lines {
            let line = line.map_err(|e| failed(&e.to_string()))?;
            if let Some((first, number)) = line.split_once(' ')
                && first == word
            {
                return number.parse().map_err(|_| failed(&line));
            }
        }
        Err(failed(&format!("it ended before it said `{word}`")))
    }

    /// SIGKILL.
    pub(super) fn kill(mut self) -> Result<(), Fault> {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(|e| failed(&e.to_string()))
    }

    /// Waits for its end.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        for _ in &mut self.lines {}
        let status = self.child.wait().map_err(|e| failed(&e.to_string()))?;
        if status.success() { Ok(()) } else { Err(failed(&status.to_string())) }
    }
}

fn failed(why: &str) -> Fault {
    Fault::external("bench.child", format!("a measured process: {why}"))
}

/// Plays a role, and tells of it on standard output.
pub(super) fn be(output: &Output, role: &str, home: PathBuf, quick: bool) -> Result<Exit, Fault> {
    block_on(async {
        let (engine, probe) = open(&home, Durability::Power, Probe::hanging(role == "log")).await?;
        match role {
            "fan-out" => fan_out(output, &engine, quick).await?,
            "log" => write_log(output, &engine, quick).await?,
            "resume" => resume(output, &engine, &probe).await?,
            other => return Err(Fault::user("cli.usage", format!("there is no role `{other}`"))),
        }
        engine.close().await?;
        Ok(Exit::Ok)
    })
}

async fn start(engine: &Engine, plan: Arc<Plan>) -> Result<RunHandle, Fault> {
    engine.start(plan, RunRequest::default()).await
}

async fn fan_out(output: &Output, engine: &Engine, quick: bool) -> Result<(), Fault> {
    let items = fan::items(quick);
    let plan = plan(&format!(
        "version: 1\nname: items\nsteps:\n  - id: each\n    for_each: ${{{{ range(0, {items}) }}}}\n    \
         uses: bench.noop\n    with: {{value: '${{{{ item }}}}'}}\n"
    ))?;
    output.result(format!("idle {}", files::memory().0));
    let begin = Instant::now();
    let mut handle = start(engine, plan).await?;
    let mut updates = handle.updates();
    let tell = async {
        let mut settled = 0;
        while let Some(update) = updates.recv().await {
            if let Update::Event(recorded) = update
                && let Event::ItemsSettled { ranges, .. } = recorded.event
            {
                settled += ranges.iter().map(|range| u64::from(range.to - range.from) + 1).sum::<u64>();
                output.result(format!("settled {settled}"));
            }
        }
    };
    let (ended, ()) = tokio::join!(handle.ended(false), tell);
    succeeded(ended?)?;
    output.result(format!("micros {}", begin.elapsed().as_micros()));
    output.result(format!("peak {}", files::memory().1));
    Ok(())
}

/// Attempts that fail make events; then a step hangs until the process is killed.
async fn write_log(output: &Output, engine: &Engine, quick: bool) -> Result<(), Fault> {
    const WIDE: u64 = 64;
    // An attempt is two events: its start, and its failure.
    let attempts = log::events(quick) / WIDE / 2 + 1;
    let mut text = "version: 1\nname: log\nsteps:\n".to_owned();
    for n in 0..WIDE {
        let _ = writeln!(
            text,
            "  - {{id: s{n}, uses: bench.noop, with: {{from: {attempts}}}, \
             retry: {{max_attempts: {attempts}, delay: 0s, backoff: constant, jitter: false}}}}"
        );
    }
    let needs: Vec<String> = (0..WIDE).map(|n| format!("s{n}")).collect();
    let _ = writeln!(text, "  - {{id: last, uses: bench.noop, with: {{hang: true}}, needs: [{}]}}", needs.join(", "));
    let mut handle = start(engine, plan(&text)?).await?;
    let mut updates = handle.updates();
    let mut events = 0_u64;
    while let Some(update) = updates.recv().await {
        let Update::Event(recorded) = update else { continue };
        events += 1;
        if matches!(recorded.event, Event::AttemptStarted { node, .. } if node == NodeIx(WIDE as u32)) {
            output.result(format!("hanging {events}"));
        }
    }
    handle.ended(false).await.map(drop)
}

async fn resume(output: &Output, engine: &Engine, probe: &Probe) -> Result<(), Fault> {
    let runs = engine.reader().runs(&RunFilter { limit: 1, ..RunFilter::default() }).await?;
    let run = runs.first().ok_or_else(|| failed("there is no run"))?.id;
    let handle = engine.resume(run, "bench").await?;
    let tell = async {
        probe.began.notified().await;
        output.result("begun 1");
    };
    let (ended, ()) = tokio::join!(handle.ended(false), tell);
    succeeded(ended?).map(drop)
}
