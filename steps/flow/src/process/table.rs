//! The system's table of processes, read from `/proc`. Where there is none, it is empty.

use std::{collections::BTreeMap, fs, os::unix::ffi::OsStrExt};

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Ticks from the system's start to its own: tells it from a later process with the same id.
    pub started: u64,
    /// Whether it has ended and only waits to be collected.
    pub zombie: bool,
}

/// A process by id.
pub fn entry(pid: i32) -> Option<Entry> {
    parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Everything that descends from `root`, itself not included, zombies left out.
pub fn descendants(root: i32) -> Vec<Entry> {
    let all: Vec<Entry> = pids().filter_map(entry).collect();
    let mut children: BTreeMap<i32, Vec<Entry>> = BTreeMap::new();
    for entry in all {
        children.entry(entry.parent).or_default().push(entry);
    }
    let (mut found, mut open) = (Vec::new(), vec![root]);
    while let Some(parent) = open.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            open.push(child.pid);
            if !child.zombie {
                found.push(child);
            }
        }
    }
    found
}

/// Processes of this user that were started with `assignment` (`NAME=value`) in their environment.
pub fn with_environment(assignment: &str) -> Vec<Entry> {
    let wanted = assignment.as_bytes();
    let carries = |pid: &i32| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| env.split(|byte| *byte == 0).any(|one| one == wanted))
    };
    pids().filter(carries).filter_map(entry).filter(|entry| !entry.zombie).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names.filter_map(|name| std::str::from_utf8(name.file_name().as_bytes()).ok()?.parse().ok())
}

/// The command's name stands in brackets and may hold anything, brackets too: fields count from the last one.
fn parse_stat(pid: i32, stat: &str) -> Option<Entry> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Some(Entry {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let tail = "S 7 1 1 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1";
        for name in ["sh", "a b", "x) R 9", "(("] {
            let found = parse_stat(5, &format!("5 ({name}) {tail}"));
            assert_eq!(found, Some(Entry { pid: 5, parent: 7, started: 12345, zombie: false }), "{name}");
        }
        assert_eq!(parse_stat(5, "5 (sh"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_in_the_table() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let me = entry(pid).expect("an entry");
        assert!(!me.zombie && me.started > 0);
    }
}
