//! Log lines of attempts: one file an attempt, one JSON object a line, appended and never changed.

mod index;
mod line;
mod shelf;
#[cfg(test)]
mod tests;

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

pub use line::LogLine;
pub use shelf::{LogPage, LogPlace, LogQuery, Logs};

use self::line::{Line, letter};
use super::{Scrubber, Update, Updates, guard::lock};
use crate::{
    model::{Clock, Name, NodeIx, RunId},
    step::{LogSink, LogStream},
};

/// How much room logs have on disk: who writes without end, in one attempt or in many, fills no disk.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// Bytes of one attempt.
    attempt: u64,
    /// Bytes of all attempts of the run.
    run: u64,
    /// Bytes of the run that were written since this process began to drive it.
    written: Arc<AtomicU64>,
    /// Whether it was said that all is full: the attempts after that get no file.
    told: Arc<AtomicBool>,
}

impl Default for Room {
    fn default() -> Self {
        Self { attempt: 256 << 20, run: 2 << 30, written: Arc::default(), told: Arc::default() }
    }
}

/// What a log sink belongs to.
#[derive(Debug, Clone)]
pub(crate) struct LogOf {
    pub node: NodeIx,
    pub step: Name,
    pub item: Option<u32>,
    pub attempt: u32,
}

/// The folder with the logs of a run.
pub(crate) fn folder(home: &Path, run: RunId) -> PathBuf {
    home.join("logs").join(run.to_string())
}

/// A file that lines go to, and how long it is.
#[derive(Default)]
struct Open {
    file: Option<File>,
    bytes: u64,
    full: bool,
}

/// A sink that scrubs each line, shows it to watchers and appends it to the attempt's file, which is
/// made with the first line.
pub(crate) fn sink(
    folder: PathBuf,
    of: LogOf,
    clock: Arc<dyn Clock>,
    scrubber: Arc<Scrubber>,
    updates: Arc<Updates>,
    room: Room,
) -> LogSink {
    let open: Mutex<Open> = Mutex::default();
    LogSink::new(move |stream, text| {
        let mut open = lock(&open);
        if open.full {
            return;
        }
        let all_full = room.written.load(Ordering::Relaxed) >= room.run;
        if all_full && room.told.swap(true, Ordering::Relaxed) {
            open.full = true;
            return;
        }
        if open.file.is_none() {
            open.file = create(&folder, &of);
            open.bytes = open.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
        }
        let full = if open.bytes >= room.attempt {
            Some("the log of this attempt is full: what follows is not kept")
        } else if all_full {
            Some("the logs of this run are full: what follows is not kept")
        } else {
            None
        };
        open.full = full.is_some();
        let (stream, text) = match full {
            Some(notice) => (LogStream::Step, notice.into()),
            None => (stream, scrubber.scrub(text)),
        };
        let line = Line { at: clock.now(), stream: letter(stream), text };
        // A log that cannot be written (full disk) must not fail the work; watchers see the line still.
        if let (Some(file), Ok(mut bytes)) = (open.file.as_mut(), serde_json::to_vec(&line)) {
            bytes.push(b'\n');
            let _ = file.write_all(&bytes);
            open.bytes += bytes.len() as u64;
            room.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        drop(open);
        updates.send(Update::Log { node: of.node, item: of.item, stream, line: line.text.into_owned() });
    })
}

fn create(folder: &Path, of: &LogOf) -> Option<File> {
    std::fs::create_dir_all(folder).ok()?;
    let name = match of.item {
        Some(item) => format!("{}.{item}.{}.log", of.step, of.attempt),
        None => format!("{}.{}.log", of.step, of.attempt),
    };
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(folder.join(name)).ok()?;
    // A crash may have cut off the last line of the same attempt; what follows begins a line of its own.
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(-1)).is_ok() && file.read_exact(&mut last).is_ok() && last != [b'\n'] {
        let _ = file.write_all(b"\n");
    }
    Some(file)
}
