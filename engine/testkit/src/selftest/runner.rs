//! Runs generated pipelines with the real program, kills it, resumes it, and compares.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value as Json;

use super::{Generated, Ledger, generate};

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `millwork` program.
    pub program: PathBuf,
    /// The first pipeline's seed; the next ones follow.
    pub seed: u64,
    /// SIGKILLs in all.
    pub kills: u32,
    /// What `--memory` says, such as `512MiB`.
    pub memory: String,
    /// A folder to work in; what failed stays there.
    pub folder: PathBuf,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Pipelines run to their end twice: unkilled and killed.
    pub pipelines: u32,
    /// SIGKILLs that met a living process.
    pub kills: u32,
    /// Effects in the ledgers.
    pub effects: usize,
    /// Effects that ran again because their end was not recorded when the process died.
    pub repeated: usize,
}

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// The machine, not Millwork.
    #[error("the self-test cannot work here: {0}")]
    Io(#[from] io::Error),
    /// A promise was broken.
    #[error("seed {seed}: {what}; files are in {folder}")]
    Broken {
        /// The pipeline.
        seed: u64,
        /// Which promise and how.
        what: String,
        /// Where everything lies.
        folder: String,
    },
}

/// Runs pipelines until the kills are spent. `report` is told of every pipeline that passed.
pub fn run(options: &Options, mut report: impl FnMut(u64, &Outcome)) -> Result<Outcome, SelftestError> {
    let mut rng = StdRng::seed_from_u64(options.seed ^ 0x5e1f);
    let mut outcome = Outcome::default();
    let mut seed = options.seed;
    while outcome.kills < options.kills {
        let folder = options.folder.join(format!("seed-{seed}"));
        let case = Case::new(options, seed, &folder)?;
        case.check(&mut rng, options.kills, &mut outcome)?;
        outcome.pipelines += 1;
        report(seed, &outcome);
        fs::remove_dir_all(&folder)?;
        seed = seed.wrapping_add(1);
    }
    Ok(outcome)
}

struct Case<'a> {
    options: &'a Options,
    seed: u64,
    folder: PathBuf,
    pipeline: PathBuf,
}

/// What was recorded as succeeded when the process was killed, and how many lines the ledger had.
struct Snapshot {
    done: BTreeSet<String>,
    lines: usize,
}

/// What a finished run left behind.
struct Traces {
    outputs: Json,
    files: BTreeMap<String, Vec<u8>>,
    ledger: Ledger,
}

/// Which of two working folders a run uses.
#[derive(Clone, Copy)]
enum Side {
    Clean,
    Killed,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Killed => "killed",
        }
    }
}

impl<'a> Case<'a> {
    fn new(options: &'a Options, seed: u64, folder: &Path) -> Result<Self, SelftestError> {
        let Generated { yaml, child: (child, child_text), .. } = generate(seed);
        let _ = fs::remove_dir_all(folder);
        for side in [Side::Clean, Side::Killed] {
            fs::create_dir_all(folder.join(side.name()).join("work"))?;
        }
        let pipeline = folder.join("pipeline.yaml");
        fs::write(&pipeline, yaml)?;
        fs::write(folder.join(child), child_text)?;
        Ok(Self { options, seed, folder: folder.to_owned(), pipeline })
    }

    fn check(&self, rng: &mut StdRng, kills: u32, outcome: &mut Outcome) -> Result<(), SelftestError> {
        let began = Instant::now();
        let run = self.start(Side::Clean)?;
        let clean = self.traces(Side::Clean, run)?;
        let usual = began.elapsed();
        let (killed, snapshots) = self.killed(rng, usual, kills, outcome)?;
        self.compare(&clean, &killed, outcome)?;
        snapshots.iter().try_for_each(|snapshot| self.none_again(&killed, snapshot))
    }

    fn killed(
        &self,
        rng: &mut StdRng,
        usual: Duration,
        kills: u32,
        outcome: &mut Outcome,
    ) -> Result<(Traces, Vec<Snapshot>), SelftestError> {
        let wanted = rng.random_range(1..=6_u32).min(kills - outcome.kills);
        let mut child = self.start(Side::Killed)?;
        let mut done = 0;
        let mut snapshots = Vec::new();
        while done < wanted {
            std::thread::sleep(usual.mul_f64(rng.random_range(0.0..0.9)));
            if child.try_wait()?.is_some() {
                break;
            }
            child.kill()?;
            child.wait()?;
            done += 1;
            outcome.kills += 1;
            child = self.after_kill(&mut snapshots)?;
        }
        let resumed = child.wait_with_output()?;
        if !resumed.status.success() {
            return Err(self.broken(format!(
                "after {done} kills the run ended with {}: {}",
                resumed.status,
                why(&resumed)
            )));
        }
        Ok((self.read_traces(Side::Killed, &resumed.stdout)?, snapshots))
    }

    /// Checks that the dead process's children do nothing more, notes what is recorded, then goes on.
    fn after_kill(&self, snapshots: &mut Vec<Snapshot>) -> Result<Child, SelftestError> {
        let ledger = self.work(Side::Killed).join("ledger");
        std::thread::sleep(Duration::from_millis(50));
        let before = Ledger::read(&ledger);
        std::thread::sleep(Duration::from_millis(80));
        let after = Ledger::read(&ledger);
        if before != after {
            let late = &after.0[before.0.len().min(after.0.len())..];
            return Err(self.broken(format!("an effect appeared after its engine was killed: {late:?}")));
        }
        let Some(run) = self.newest_run()? else { return self.start(Side::Killed) };
        let shown = self.ask(&["runs", "show", &run, "--json"])?;
        let text = |json: &Json, name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let steps = shown.get("steps").and_then(Json::as_array).into_iter().flatten();
        let done = steps.filter(|step| text(step, "status") == "succeeded").map(|step| text(step, "id")).collect();
        snapshots.push(Snapshot { done, lines: after.0.len() });
        let mut command = self.command(Side::Killed);
        if text(&shown, "status") == "succeeded" {
            // Killed after its end: nothing is left to do but to tell.
            command.args(["runs", "show", &run, "--json"]);
        } else {
            command.args(["runs", "resume", &run, "--json", "--memory", &self.options.memory]);
        }
        Ok(command.args(self.home(Side::Killed)).spawn()?)
    }

    fn compare(&self, clean: &Traces, killed: &Traces, outcome: &mut Outcome) -> Result<(), SelftestError> {
        if clean.outputs != killed.outputs {
            return Err(self.broken(format!("outputs differ: {} unkilled, {} killed", clean.outputs, killed.outputs)));
        }
        let (ours, theirs) = (clean.ledger.ends(), killed.ledger.ends());
        let (a, b): (BTreeSet<_>, BTreeSet<_>) = (ours.keys().collect(), theirs.keys().collect());
        if a != b {
            let odd: Vec<_> = a.symmetric_difference(&b).collect();
            return Err(self.broken(format!("effects differ: {odd:?}")));
        }
        if clean.files != killed.files {
            let odd: Vec<_> =
                clean.files.keys().filter(|name| killed.files.get(*name) != clean.files.get(*name)).collect();
            let extra: Vec<_> = killed.files.keys().filter(|name| !clean.files.contains_key(*name)).collect();
            return Err(self.broken(format!("files differ: {odd:?}, only in the killed run: {extra:?}")));
        }
        outcome.effects += theirs.len();
        outcome.repeated += theirs.values().map(|n| n - 1).sum::<usize>();
        Ok(())
    }

    /// No step that was recorded as succeeded at a kill has a line after it.
    fn none_again(&self, killed: &Traces, snapshot: &Snapshot) -> Result<(), SelftestError> {
        let step = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
        let again = killed.ledger.0.iter().skip(snapshot.lines).find(|line| snapshot.done.contains(&step(&line.key)));
        match again {
            Some(line) => Err(self.broken(format!("`{}` was recorded as succeeded and ran again", line.key))),
            None => Ok(()),
        }
    }

    fn start(&self, side: Side) -> Result<Child, SelftestError> {
        let mut command = self.command(side);
        command.arg("run").arg(&self.pipeline).arg("--json").args(self.home(side));
        command.args(["--memory", &self.options.memory]);
        command.arg("--input").arg(format!("dir={}", self.work(side).display()));
        Ok(command.spawn()?)
    }

    fn traces(&self, side: Side, child: Child) -> Result<Traces, SelftestError> {
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(self.broken(format!("the {} run ended with {}: {}", side.name(), output.status, why(&output))));
        }
        self.read_traces(side, &output.stdout)
    }

    fn read_traces(&self, side: Side, stdout: &[u8]) -> Result<Traces, SelftestError> {
        let text = String::from_utf8_lossy(stdout);
        let ended = text.lines().rev().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let summary = ended.into_iter().find(|json| json.get("outputs").is_some());
        let outputs = summary.and_then(|mut json| json.get_mut("outputs").map(Json::take));
        let Some(outputs) = outputs else {
            return Err(self.broken(format!("the {} run printed no summary", side.name())));
        };
        let work = self.work(side);
        let mut files = BTreeMap::new();
        collect(&work, &work, &mut files)?;
        Ok(Traces { outputs, files, ledger: Ledger::read(&work.join("ledger")) })
    }

    fn newest_run(&self) -> Result<Option<String>, SelftestError> {
        if !self.folder.join(Side::Killed.name()).join("home/state.db").exists() {
            return Ok(None);
        }
        let listed = self.output(&["runs", "list", "--json"])?;
        let runs = listed.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let mut top = runs.filter(|run| run.get("parent").is_none_or(Json::is_null));
        Ok(top.next().and_then(|run| run.get("run")?.as_str().map(str::to_owned)))
    }

    fn ask(&self, arguments: &[&str]) -> Result<Json, SelftestError> {
        let output = self.output(arguments)?;
        serde_json::from_str(&output)
            .map_err(|_| self.broken(format!("`millwork {}` gave no JSON: {output}", arguments.join(" "))))
    }

    fn output(&self, arguments: &[&str]) -> Result<String, SelftestError> {
        let output = self.command(Side::Killed).args(arguments).args(self.home(Side::Killed)).output()?;
        if !output.status.success() {
            let what = format!("`millwork {}` ended with {}", arguments.join(" "), output.status);
            return Err(self.broken(format!("{what}: {}", tail(&output.stderr))));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, side: Side) -> Command {
        let mut command = Command::new(&self.options.program);
        command.current_dir(self.folder.join(side.name())).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn home(&self, side: Side) -> [PathBuf; 2] {
        ["--home".into(), self.folder.join(side.name()).join("home")]
    }

    fn work(&self, side: Side) -> PathBuf {
        self.folder.join(side.name()).join("work")
    }

    fn broken(&self, what: String) -> SelftestError {
        SelftestError::Broken { seed: self.seed, what, folder: self.folder.display().to_string() }
    }
}

/// Files below a folder by relative path, without the ledger and the counters that an unrecorded
/// attempt may touch twice. Names that hold a run's id are told apart by their place only.
fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for (index, entry) in entries.into_iter().enumerate() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "ledger" || name == "count" || name.starts_with("seen-") {
            continue;
        }
        let parent = path.parent().unwrap_or(root).strip_prefix(root).unwrap_or(root).display().to_string();
        let name = if name.starts_with("part-") { format!("part {index}") } else { name };
        files.insert(format!("{parent}/{name}"), fs::read(&path)?);
    }
    Ok(())
}

/// The last line on standard output, which is the summary, or else the end of standard error.
fn why(output: &Output) -> String {
    let stdout = tail(&output.stdout);
    let summary = stdout.lines().last().filter(|line| line.contains("\"fault\""));
    summary.map_or_else(|| tail(&output.stderr), str::to_owned)
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
