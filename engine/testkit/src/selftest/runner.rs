//! Runs generated pipelines with the real program, kills it, resumes it, and compares.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
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
        let killed = self.killed(rng, usual, kills, outcome)?;
        self.compare(&clean, &killed, outcome)
    }

    fn killed(
        &self,
        rng: &mut StdRng,
        usual: Duration,
        kills: u32,
        outcome: &mut Outcome,
    ) -> Result<Traces, SelftestError> {
        let wanted = rng.random_range(1..=6_u32).min(kills - outcome.kills);
        let mut child = self.start(Side::Killed)?;
        let mut done = 0;
        while done < wanted {
            std::thread::sleep(usual.mul_f64(rng.random_range(0.0..0.9)));
            if child.try_wait()?.is_some() {
                break;
            }
            child.kill()?;
            child.wait()?;
            done += 1;
            outcome.kills += 1;
            child = self.after_kill()?;
        }
        let resumed = child.wait_with_output()?;
        if !resumed.status.success() {
            return Err(self.broken(format!(
                "after {done} kills the run ended with {}: {}",
                resumed.status,
                tail(&resumed.stderr)
            )));
        }
        self.read_traces(Side::Killed, &resumed.stdout)
    }

    /// Checks that the dead process's children do nothing more, then resumes, watching that no step
    /// that was recorded runs again.
    fn after_kill(&self) -> Result<Child, SelftestError> {
        let ledger = self.work(Side::Killed).join("ledger");
        std::thread::sleep(Duration::from_millis(25));
        let before = Ledger::read(&ledger);
        std::thread::sleep(Duration::from_millis(75));
        let after = Ledger::read(&ledger);
        if before != after {
            let late = &after.0[before.0.len().min(after.0.len())..];
            return Err(self.broken(format!("an effect appeared after its engine was killed: {late:?}")));
        }
        let Some(run) = self.newest_run()? else { return Ok(self.start(Side::Killed)?) };
        let done = self.recorded(&run)?;
        fs::write(self.folder.join("recorded.json"), serde_json::to_vec(&done).unwrap_or_default())?;
        fs::write(self.folder.join("recorded.at"), after.0.len().to_string())?;
        Ok(self.command(Side::Killed).args(["runs", "resume", &run, "--json"]).args(self.home(Side::Killed)).spawn()?)
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
            let odd: Vec<_> = clean.files.keys().filter(|name| killed.files.get(*name) != clean.files.get(*name)).collect();
            let extra: Vec<_> = killed.files.keys().filter(|name| !clean.files.contains_key(*name)).collect();
            return Err(self.broken(format!("files differ: {odd:?}, only in the killed run: {extra:?}")));
        }
        self.none_again(killed)?;
        outcome.effects += theirs.len();
        outcome.repeated += theirs.values().map(|n| n - 1).sum::<usize>();
        Ok(())
    }

    /// No step that was recorded as succeeded at the last kill has a line after it.
    fn none_again(&self, killed: &Traces) -> Result<(), SelftestError> {
        let Ok(bytes) = fs::read(self.folder.join("recorded.json")) else { return Ok(()) };
        let done: BTreeSet<String> = serde_json::from_slice(&bytes).unwrap_or_default();
        let at = fs::read_to_string(self.folder.join("recorded.at")).ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        let again = killed.ledger.0.iter().skip(at).find(|line| done.contains(line.key.as_str()));
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
            return Err(self.broken(format!("the {} run ended with {}: {}", side.name(), output.status, tail(&output.stderr))));
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
        let listed = self.ask(&["runs", "list", "--json"])?;
        let top = listed.as_array().into_iter().flatten().find(|run| run.get("parent").is_none_or(Json::is_null));
        Ok(top.and_then(|run| run.get("id")?.as_str()).map(str::to_owned))
    }

    fn recorded(&self, run: &str) -> Result<BTreeSet<String>, SelftestError> {
        let shown = self.ask(&["runs", "show", run, "--json"])?;
        let steps = shown.get("steps").and_then(Json::as_array).into_iter().flatten();
        let done = steps.filter(|step| step.get("status").and_then(Json::as_str) == Some("succeeded"));
        Ok(done.filter_map(|step| step.get("id")?.as_str().map(str::to_owned)).collect())
    }

    fn ask(&self, arguments: &[&str]) -> Result<Json, SelftestError> {
        let output = self.command(Side::Killed).args(arguments).args(self.home(Side::Killed)).output()?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            self.broken(format!("`millwork {}` gave no JSON: {}", arguments.join(" "), tail(&output.stderr)))
        })
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

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
