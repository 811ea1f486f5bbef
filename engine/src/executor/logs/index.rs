//! Where the lines of a selection lie, so that any window of them is read without the rest.
//!
//! The index is in memory and begins empty: what it says follows from the files alone, so a second file beside each
//! could only disagree with them after a crash. Each byte is looked at once, when it is new; then a window costs the
//! window, and following costs what was written since. Lines of several files are in the order of their times, and a
//! line keeps its number: one that arrives late, from another file, comes after those that were numbered already.

use std::{
    collections::HashMap,
    fs::{File, Metadata},
    io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use super::{
    line::{Line, LogLine, parse_name, stream, written_at},
    shelf::LogQuery,
};
use crate::model::{Fault, Name, Timestamp};

/// Lines of one file, one after another, that a place stands for at most.
const STRIDE: u64 = 256;
/// Bytes read at once.
const BLOCK: usize = 128 << 10;
/// Files that a reading keeps open at most.
const OPEN: usize = 64;
/// A folder that changed within this time may change again without another time of change.
const COARSE: Duration = Duration::from_secs(2);
/// Who follows waits this many times longer than a look took before the next one: with a file for each of a hundred
/// thousand items a look is dear.
const REST: u32 = 10;

/// The file of an attempt.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    step: Name,
    item: Option<u32>,
    attempt: u32,
    /// Which file it is, whatever its name.
    identity: u64,
    /// Bytes looked at: up to the end of the last whole line.
    upto: u64,
    /// The latest time of a line.
    latest: Timestamp,
}

/// Lines that lie one after another in a file.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The number of the first.
    first: u64,
    /// Where it begins.
    offset: u64,
    file: u32,
}

/// A line that was found and has no number yet.
struct Found {
    at: Timestamp,
    offset: u64,
    file: u32,
    bytes: u32,
}

/// The index of a selection of a run's lines.
#[derive(Debug, Default)]
pub(super) struct LogIndex {
    folder: PathBuf,
    query: LogQuery,
    files: Vec<LogFile>,
    known: HashMap<PathBuf, u32>,
    /// The folder's time of change when its names were read, if a later change would show.
    listed: Option<SystemTime>,
    places: Vec<Place>,
    /// Where the last line ends.
    end: Option<(u32, u64)>,
    total: u64,
    /// When the last look ended, and how long it took.
    looked: Option<(Instant, Duration)>,
    /// Bytes looked at so far.
    pub(super) scanned: u64,
}

impl LogIndex {
    pub(super) fn new(folder: PathBuf, query: LogQuery) -> Self {
        Self { folder, query, ..Self::default() }
    }

    /// How many lines there are.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// About how many bytes of memory it holds.
    pub(super) fn weight(&self) -> usize {
        self.places.capacity() * size_of::<Place>() + self.files.len() * (2 * size_of::<LogFile>() + 200)
    }

    /// Numbers what was written since the last look. Who only follows may be told of it a little later.
    pub(super) fn look(&mut self, follows: bool) -> Result<(), Fault> {
        if follows && self.looked.is_some_and(|(at, took)| at.elapsed() < took * REST) {
            return Ok(());
        }
        let began = Instant::now();
        if !self.look_at_files()? {
            // A file went, shrank or is another one: nothing that was known holds.
            *self = Self { scanned: self.scanned, ..Self::new(self.folder.clone(), self.query.clone()) };
            self.look_at_files()?;
        }
        self.looked = Some((Instant::now(), began.elapsed()));
        Ok(())
    }

    /// Whether what was known holds still.
    fn look_at_files(&mut self) -> Result<bool, Fault> {
        if !self.list()? {
            return Ok(self.files.is_empty());
        }
        let mut grown = Vec::new();
        for (n, file) in (0_u32..).zip(&mut self.files) {
            let meta = match file.path.metadata() {
                Ok(meta) => meta,
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(unreadable(&file.path, &e)),
            };
            let identity = identity(&meta);
            if file.upto == 0 {
                file.identity = identity;
            }
            if meta.len() < file.upto || identity != file.identity {
                return Ok(false);
            }
            if meta.len() > file.upto {
                grown.push(n);
            }
        }
        let mut found = Vec::new();
        for n in &grown {
            if grown.len() == 1 {
                self.scan(*n, |index, line| index.number(&line))?;
            } else {
                self.scan(*n, |_, line| found.push(line))?;
            }
        }
        let rank = |line: &Found| self.files.get(line.file as usize).map(|file| (file.item, file.attempt));
        found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| rank(a).cmp(&rank(b))));
        for line in &found {
            self.number(line);
        }
        Ok(true)
    }

    /// Learns of new files. Whether there is a folder at all.
    fn list(&mut self) -> Result<bool, Fault> {
        let changed = match self.folder.metadata().and_then(|meta| meta.modified()) {
            Ok(changed) => changed,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(unreadable(&self.folder, &e)),
        };
        if self.listed == Some(changed) {
            return Ok(true);
        }
        let settled = changed.elapsed().is_ok_and(|since| since > COARSE);
        let entries = std::fs::read_dir(&self.folder).map_err(|e| unreadable(&self.folder, &e))?;
        for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            if self.known.contains_key(&path) {
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((step, item, attempt)) = name.and_then(parse_name) else { continue };
            let LogQuery { step: of_step, item: of_item, .. } = &self.query;
            if of_step.as_ref().is_some_and(|of| of != step.as_str()) || (of_item.is_some() && *of_item != item) {
                continue;
            }
            self.known.insert(path.clone(), self.files.len() as u32);
            let latest = Timestamp::from_micros(i64::MIN);
            self.files.push(LogFile { path, step, item, attempt, identity: 0, upto: 0, latest });
        }
        self.listed = settled.then_some(changed);
        Ok(true)
    }

    /// Finds the lines of a file that are new, and whole, and fit the selection.
    fn scan(&mut self, n: u32, mut each: impl FnMut(&mut Self, Found)) -> Result<(), Fault> {
        let Some(file) = self.files.get(n as usize) else { return Ok(()) };
        let (path, mut offset, mut latest) = (file.path.clone(), file.upto, file.latest);
        let wanted = self.query.text.clone();
        let broken = |e: std::io::Error| unreadable(&path, &e);
        let mut reader = BufReader::with_capacity(BLOCK, File::open(&path).map_err(broken)?);
        reader.seek(SeekFrom::Start(offset)).map_err(broken)?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let bytes = reader.read_until(b'\n', &mut line).map_err(broken)? as u64;
            // Nothing more, or a line that is being written.
            if line.last() != Some(&b'\n') {
                break;
            }
            self.scanned += bytes;
            if let Some(at) = written_at(&line).filter(|_| wanted.as_deref().is_none_or(|text| has(&line, text))) {
                latest = latest.max(at);
                each(self, Found { at: latest, offset, file: n, bytes: bytes.try_into().unwrap_or(u32::MAX) });
            }
            offset += bytes;
        }
        if let Some(file) = self.files.get_mut(n as usize) {
            (file.upto, file.latest) = (offset, latest);
        }
        Ok(())
    }

    fn number(&mut self, line: &Found) {
        let follows = self.end == Some((line.file, line.offset));
        if !follows || self.places.last().is_none_or(|place| self.total - place.first >= STRIDE) {
            self.places.push(Place { first: self.total, offset: line.offset, file: line.file });
        }
        self.end = Some((line.file, line.offset + u64::from(line.bytes)));
        self.total += 1;
    }

    /// Lines from a number on, at most so many.
    pub(super) fn read(&self, from: u64, limit: u64) -> Result<Vec<LogLine>, Fault> {
        let until = from.saturating_add(limit).min(self.total);
        let mut lines = Vec::with_capacity(until.saturating_sub(from).min(5000) as usize);
        let mut open: HashMap<u32, (BufReader<File>, u64)> = HashMap::new();
        let mut raw = Vec::new();
        let first = self.places.partition_point(|place| place.first <= from).saturating_sub(1);
        for (n, place) in self.places.iter().enumerate().skip(first).take_while(|(_, place)| place.first < until) {
            let Some(file) = self.files.get(place.file as usize) else { break };
            let broken = |e: std::io::Error| unreadable(&file.path, &e);
            if open.len() >= OPEN && !open.contains_key(&place.file) {
                open.clear();
            }
            let (reader, at) = match open.entry(place.file) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert((BufReader::with_capacity(BLOCK, File::open(&file.path).map_err(broken)?), 0))
                }
            };
            reader.seek_relative(place.offset as i64 - *at as i64).map_err(broken)?;
            *at = place.offset;
            let end = self.places.get(n + 1).map_or(self.total, |next| next.first).min(until);
            for number in place.first..end {
                raw.clear();
                *at += reader.read_until(b'\n', &mut raw).map_err(broken)? as u64;
                if number >= from {
                    lines.push(given(file, &raw));
                }
            }
        }
        Ok(lines)
    }
}

/// A line of a file. What is no line after all, after a crash of the machine, is shown as it is: it has a number.
fn given(file: &LogFile, raw: &[u8]) -> LogLine {
    let (at, stream, text) = match serde_json::from_slice::<Line<'_>>(raw) {
        Ok(line) => (line.at, stream(line.stream), line.text.into_owned()),
        Err(_) => {
            (written_at(raw).unwrap_or_default(), stream('s'), String::from_utf8_lossy(raw).trim_end().to_owned())
        }
    };
    LogLine { at, step: file.step.clone(), item: file.item, attempt: file.attempt, stream, text }
}

/// Whether the text of a line has a text in it, given in small letters.
fn has(line: &[u8], text: &str) -> bool {
    serde_json::from_slice::<Line<'_>>(line).is_ok_and(|line| line.text.to_lowercase().contains(text))
}

fn unreadable(path: &Path, e: &std::io::Error) -> Fault {
    Fault::external("log.read", format!("{} cannot be read: {e}", path.display()))
}

#[cfg(unix)]
fn identity(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

/// Where files have no number that is easily read, a file that is replaced by a longer one is not noticed; logs never are.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> u64 {
    0
}
