//! Readings of logs: the indexes that are in use, and those that were lately.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{LogLine, folder, index::LogIndex};
use crate::{
    executor::guard::lock,
    model::{Fault, RunId},
};

/// Which lines of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Of this step.
    pub step: Option<String>,
    /// Of this item.
    pub item: Option<u32>,
    /// With this text in them, whatever the case of letters.
    pub text: Option<String>,
}

/// Where a reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPlace {
    /// At the line of this number, among those selected.
    From(u64),
    /// As `From`, for who asks again and again: what is new may be told a little later.
    Follow(u64),
    /// As many lines before the end as are asked for.
    Tail,
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    /// The number of the first, among those selected.
    pub first: u64,
    /// Lines selected so far.
    pub total: u64,
}

/// Bytes that indexes may hold before those go that were not used for longest.
const HELD: usize = 64 << 20;
/// Indexes held at most.
const INDEXES: usize = 256;

#[derive(Debug)]
struct Shelved {
    run: RunId,
    query: LogQuery,
    index: Mutex<LogIndex>,
    weight: AtomicUsize,
}

/// All logs of a home.
#[derive(Debug)]
pub struct Logs {
    home: PathBuf,
    /// The one used last is the last.
    shelf: Mutex<Vec<Arc<Shelved>>>,
}

impl Logs {
    /// The logs of a home.
    pub fn new(home: PathBuf) -> Self {
        Self { home, shelf: Mutex::default() }
    }

    /// Lines of a run, by time; lines of several attempts keep the numbers that they got when they were met first.
    pub fn read(&self, run: RunId, query: LogQuery, place: LogPlace, limit: u64) -> Result<LogPage, Fault> {
        let shelved = self.shelved(run, query);
        let mut index = lock(&shelved.index);
        index.look(matches!(place, LogPlace::Follow(_)))?;
        let total = index.total();
        let first = match place {
            LogPlace::From(first) | LogPlace::Follow(first) => first.min(total),
            LogPlace::Tail => total.saturating_sub(limit),
        };
        let lines = index.read(first, limit)?;
        shelved.weight.store(index.weight(), Ordering::Relaxed);
        drop(index);
        self.forget();
        Ok(LogPage { lines, first, total })
    }

    fn shelved(&self, run: RunId, mut query: LogQuery) -> Arc<Shelved> {
        query.text = query.text.filter(|text| !text.is_empty()).map(|text| text.to_lowercase());
        let mut shelf = lock(&self.shelf);
        let found = shelf.iter().position(|one| one.run == run && one.query == query);
        let shelved = match found {
            Some(n) => shelf.remove(n),
            None => Arc::new(Shelved {
                run,
                index: Mutex::new(LogIndex::new(folder(&self.home, run), query.clone())),
                query,
                weight: AtomicUsize::new(0),
            }),
        };
        shelf.push(shelved.clone());
        shelved
    }

    /// Lets go of what was not used for longest. Who reads by it just now reads to the end.
    fn forget(&self) {
        let mut shelf = lock(&self.shelf);
        let mut held: usize = 0;
        let fits = shelf.iter().rev().take_while(|one| {
            held += one.weight.load(Ordering::Relaxed);
            held <= HELD
        });
        let keep = fits.count().clamp(1, INDEXES);
        let gone = shelf.len().saturating_sub(keep);
        shelf.drain(..gone);
    }
}
