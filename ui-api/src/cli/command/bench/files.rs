//! Sizes of folders and of this process.

use std::{fs, path::Path};

/// Bytes of all files below a folder.
pub(super) fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// Resident memory of this process in bytes: now, and at most so far. Zero where `/proc` is not there.
pub(super) fn memory() -> (u64, u64) {
    let resident = memory_of("self");
    (resident.all, resident.most)
}

/// Resident memory of a process in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Resident {
    /// All of it.
    pub all: u64,
    /// At most so far.
    pub most: u64,
    /// What is its own.
    pub anonymous: u64,
    /// What can be read again from files: the program itself, and what it has mapped.
    pub file: u64,
}

/// Of a process; zero where `/proc` is not there.
pub(super) fn memory_of(process: &str) -> Resident {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
    };
    Resident {
        all: field("VmRSS:"),
        most: field("VmHWM:"),
        anonymous: field("RssAnon:"),
        file: field("RssFile:") + field("RssShmem:"),
    }
}
