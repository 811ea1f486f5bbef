use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use millwork_engine::{
    model::{Clock, Fault, SystemClock},
    store::SqliteStore,
};

use crate::cli::{
    Exit, home, machine, open,
    output::{Output, Tone},
    words,
};

/// File systems on which SQLite's locks cannot be trusted.
const NETWORK: &[&str] = &["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"];

/// Looks at what Millwork needs; exits with 3 if something is not in order.
pub(super) fn doctor(output: &Output, asked: Option<PathBuf>) -> Result<Exit, Fault> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let home = home::for_pipeline(asked.as_deref(), &here.join("pipeline.yaml"));
    let folder = home.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let checks = [
        (
            "version",
            Ok(format!("{} on {}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)),
        ),
        ("home", writable(&home, folder)),
        ("state", state(&home)),
        ("file system", file_system(folder)),
        ("memory", memory()),
        ("disk", space(folder)),
        ("processes", guard()),
        ("clock", clock()),
        ("terminal", Ok(format!("{} columns, colours {}", output.width(), if output.colour() { "on" } else { "off" }))),
    ];
    let mut bad = false;
    for (what, found) in checks {
        let (mark, text) = match found {
            Ok(text) => (output.paint(Tone::Good, "ok  "), text),
            Err(text) => {
                bad = true;
                (output.paint(Tone::Bad, "fail"), text)
            }
        };
        output.result(format!("{mark}  {what:<12} {text}"));
    }
    Ok(if bad { Exit::Failed } else { Exit::Ok })
}

fn writable(home: &Path, folder: &Path) -> Result<String, String> {
    match tempfile::NamedTempFile::new_in(folder).and_then(|file| file.as_file().sync_all()) {
        Ok(()) => Ok(format!("{}{}", home.display(), if home.is_dir() { "" } else { " (not made yet)" })),
        Err(e) => Err(format!("{} cannot be written: {}", folder.display(), words::nameless(&e))),
    }
}

/// What is recorded in the home, if it can be read.
fn state(home: &Path) -> Result<String, String> {
    match open::block_on(async { Ok(SqliteStore::examine(home).await?) }) {
        Ok(None) => Ok("none yet".to_owned()),
        Ok(Some(health)) if health.problems.is_empty() => Ok(format!(
            "{} in {}, tables of version {}",
            words::some(health.runs, "run"),
            words::bytes(health.bytes),
            health.version
        )),
        Ok(Some(health)) => Err(format!(
            "{} is damaged: {}; put a copy of it in its place, or move the folder away and begin anew",
            home.join("state.db").display(),
            health.problems.join("; ")
        )),
        Err(fault) => Err(fault.message),
    }
}

fn file_system(folder: &Path) -> Result<String, String> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    });
    let found = fields.filter(|(at, _)| folder.starts_with(at)).max_by_key(|(at, _)| at.len());
    match found {
        Some((_, kind)) if NETWORK.contains(&kind.as_str()) => {
            Err(format!("{kind} is a network file system, and state is refused there; choose a local `--home`"))
        }
        Some((at, kind)) => Ok(format!("{kind} at {at}")),
        None => Ok("not known".to_owned()),
    }
}

fn memory() -> Result<String, String> {
    let (all, share) = (machine::memory(), machine::memory_share());
    Ok(all.zip(share).map_or("not known".to_owned(), |(all, share)| {
        format!("{}, of which steps may hold {} together unless told otherwise", words::bytes(all), words::bytes(share))
    }))
}

/// `df` knows what the standard library does not.
fn space(folder: &Path) -> Result<String, String> {
    let said = Command::new("df").arg("-Pk").arg(folder).output().map_err(|e| format!("`df` cannot be run: {e}"))?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let free = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match free {
        Some(kib) if kib < 100 << 10 => Err(format!("only {} are free", words::bytes(kib << 10))),
        Some(kib) => Ok(format!("{} free", words::bytes(kib << 10))),
        None => Ok("not known".to_owned()),
    }
}

fn guard() -> Result<String, String> {
    if Path::new("/proc/self/stat").exists() {
        Ok("children end with the engine, grandchildren too".to_owned())
    } else {
        Ok("children end with the engine; without /proc, those that leave their group do not".to_owned())
    }
}

fn clock() -> Result<String, String> {
    let now = SystemClock.now();
    // Ids and schedules sort by time: a clock before this program was written is a dead battery.
    if now.as_micros() < 1_735_689_600_000_000 {
        return Err(format!("the clock shows {now}"));
    }
    Ok(now.to_string())
}
