//! The real binary in a folder of its own, and what it leaves behind.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
};

use millwork_engine::{
    Durability,
    model::{Event, NodeIx, Recorded, RunId, RunStatus, SystemClock, event::ItemOutcome},
    store::{ItemFilter, RunFilter, RunReader as _, SqliteStore},
};
use serde_json::Value as Json;

/// A copy of a pipeline's folder with a home.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the program starts");
        Self {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// The outputs that the summary line names.
    pub(crate) fn outputs(&self) -> Option<Json> {
        let mut lines = self.stdout.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        lines.find(|line| line["type"] == "summary").map(|line| line["outputs"].clone())
    }
}

impl Place {
    /// Copies `pipeline.yaml` or the named file with its neighbours; data is linked.
    pub(crate) fn of(source: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for entry in fs::read_dir(source).expect("a folder of a pipeline").flatten() {
            let to = folder.path().join(entry.file_name());
            if entry.path().is_dir() {
                if entry.file_name() == "data" {
                    std::os::unix::fs::symlink(entry.path(), to).expect("a link");
                }
            } else {
                fs::copy(entry.path(), to).expect("a copy");
            }
        }
        Self { folder }
    }

    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The program with these words, in this place and on its home.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millwork"));
        command.args(words).arg("--home").arg(self.home()).current_dir(self.path());
        command.env_remove("MILLWORK_HOME").env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn do_it(&self, words: &[&str], crash_at: Option<&str>) -> Ended {
        let mut command = self.command(words);
        if let Some(point) = crash_at {
            command.env("MILLWORK_CRASH_AT", point);
        }
        Ended::of(&mut command)
    }

    /// The program with these words alone.
    pub(crate) fn bare(&self, words: &[&str]) -> Ended {
        Ended::of(Command::new(env!("CARGO_BIN_EXE_millwork")).args(words).current_dir(self.path()))
    }

    /// The top run as the store has it.
    pub(crate) fn record(&self) -> Option<Record> {
        let home = self.home();
        if !home.join("state.db").exists() {
            return None;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let store = SqliteStore::open(&home, Durability::Process, Arc::new(SystemClock)).await.expect("a store");
            let runs = store.runs(&RunFilter { limit: 50, ..RunFilter::default() }).await.expect("runs");
            let mut record = None;
            if let Some(run) = runs.iter().find(|run| run.parent.is_none()) {
                let events = store.events(run.id, 0, 100_000).await.expect("events");
                let mut items = Vec::new();
                for node in 0..20 {
                    let wanted = ItemFilter { outcome: Some(ItemOutcome::Succeeded), from: 0, limit: 1000 };
                    let found = store.items(run.id, NodeIx(node), &wanted).await.expect("items").into_iter();
                    items.extend(found.map(|item| (NodeIx(node), item.item)));
                }
                record = Some(Record { run: run.id, status: run.status, events, items });
            }
            store.close().await;
            record
        })
    }
}

/// What is recorded of a run.
pub(crate) struct Record {
    pub run: RunId,
    pub status: RunStatus,
    pub events: Vec<Recorded>,
    /// Items that succeeded.
    pub items: Vec<(NodeIx, u32)>,
}

impl Record {
    pub(crate) fn succeeded(&self) -> Vec<NodeIx> {
        let of = |recorded: &Recorded| match recorded.event {
            Event::StepSucceeded { node, .. } => Some(node),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    /// A message, if the log has a step that began or succeeded after it had succeeded, or a gap.
    pub(crate) fn flaw(&self) -> Option<String> {
        let mut done = Vec::new();
        for (place, recorded) in self.events.iter().enumerate() {
            if recorded.seq != place as u64 + 1 {
                return Some(format!("event {} stands at place {}", recorded.seq, place + 1));
            }
            match recorded.event {
                Event::AttemptStarted { node, .. } | Event::StepSucceeded { node, .. } if done.contains(&node) => {
                    return Some(format!("{node:?} was recorded as succeeded, then {}", recorded.event.name()));
                }
                Event::StepSucceeded { node, .. } => done.push(node),
                _ => {}
            }
        }
        None
    }
}

/// Waits for something that another process does.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..4_000 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("never: {what}");
}
