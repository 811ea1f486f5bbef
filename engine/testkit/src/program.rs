//! The built program in a folder of its own, and how it ends.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use serde_json::Value as Json;

use crate::record::Record;

/// A folder with a home, and the program that works in it.
#[derive(Debug)]
pub struct Place {
    program: PathBuf,
    folder: tempfile::TempDir,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
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

    /// Whether SIGKILL ended it.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// The outputs that the summary line names.
    pub fn outputs(&self) -> Option<Json> {
        let mut lines = self.stdout.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        lines.find(|line| line["type"] == "summary").map(|line| line["outputs"].clone())
    }
}

impl Place {
    /// A copy of the files of a pipeline's folder; its folder `data` is linked.
    pub fn of(program: &Path, source: &Path) -> Self {
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
        Self { program: program.to_owned(), folder }
    }

    /// An empty folder.
    pub fn empty(program: &Path) -> Self {
        Self { program: program.to_owned(), folder: tempfile::tempdir().expect("a folder") }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the state is kept.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The program with these words, in this place and on its home.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).arg("--home").arg(self.home()).current_dir(self.path());
        command.env_remove("MILLWORK_HOME").env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end; `crash_at` is `POINT:N`, where it kills itself as it passes the point for the
    /// Nth time.
    pub fn do_it(&self, words: &[&str], crash_at: Option<&str>) -> Ended {
        let mut command = self.command(words);
        if let Some(point) = crash_at {
            command.env("MILLWORK_CRASH_AT", point);
        }
        Ended::of(&mut command)
    }

    /// The program with these words alone, without the home.
    pub fn bare(&self, words: &[&str]) -> Ended {
        Ended::of(Command::new(&self.program).args(words).current_dir(self.path()))
    }

    /// The newest run that is no child of another, as its store has it.
    pub fn record(&self) -> Option<Record> {
        Record::newest(&self.home())
    }

    /// Keys of effects (`MILLWORK_KEY` without the run's id), in order: the lines that steps appended to the
    /// file `ledger`.
    pub fn ledger(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path().join("ledger")).unwrap_or_default();
        text.lines().map(|line| line.split_once('/').map_or(line, |(_, key)| key).to_owned()).collect()
    }
}

/// Waits for something that another process does.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..4_000 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("never: {what}");
}
