//! What this machine's disk and store need for a commit: the yardstick that figures are read by.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Append, Durability, NewRun, RunWriter, SqliteStore, StoreError, sqlite};
use crate::{
    graph::Bundle,
    model::{Event, NodeIx, OwnerId, Recorded, RunId, RunStatus, SystemClock, Timestamp, event::VERSION},
};

/// Medians over all rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitTime {
    /// 4 KiB written and `fdatasync`ed, without a database.
    pub disk: Duration,
    /// One row committed by SQLite alone, with the settings of the store.
    pub sqlite: Duration,
    /// One append of one event through the store.
    pub append: Duration,
}

/// Measures in a folder of its own under `home`, which it removes again.
pub async fn commit_time(home: &Path, rounds: u32, durability: Durability) -> Result<CommitTime, StoreError> {
    let io = |e: std::io::Error| StoreError::Broken(format!("the disk could not be measured: {e}"));
    let folder = home.join("tmp").join(format!("bench-{:016x}", rand::random::<u64>()));
    std::fs::create_dir_all(&folder).map_err(io)?;
    let measured = measure(&folder, rounds.max(1), durability).await;
    std::fs::remove_dir_all(&folder).map_err(io)?;
    measured
}

async fn measure(folder: &Path, rounds: u32, durability: Durability) -> Result<CommitTime, StoreError> {
    let file = folder.join("disk");
    let disk = tokio::task::spawn_blocking(move || disk(&file, rounds)).await;
    let disk = disk.map_err(|e| StoreError::Broken(format!("the measurement was stopped: {e}")))?;
    let disk = disk.map_err(|e| StoreError::Broken(format!("the disk could not be measured: {e}")))?;
    let sqlite = sqlite::commit_times(&folder.join("plain.db"), rounds, durability).await?;
    let append = appends(folder, rounds, durability).await?;
    Ok(CommitTime { disk: median(disk), sqlite: median(sqlite), append: median(append) })
}

fn disk(path: &Path, rounds: u32) -> std::io::Result<Vec<Duration>> {
    let mut file = File::create(path)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begin = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    Ok(times)
}

async fn appends(home: &Path, rounds: u32, durability: Durability) -> Result<Vec<Duration>, StoreError> {
    let store = SqliteStore::open(home, durability, Arc::new(SystemClock)).await?;
    let run = store.create(plain_run(RunId::generate(Timestamp::default()))).await?;
    let mut times = Vec::new();
    for after in 1..=u64::from(rounds) {
        let append = plain_append(run, after);
        let begin = Instant::now();
        store.append(append).await?;
        times.push(begin.elapsed());
    }
    store.close().await;
    Ok(times)
}

fn plain_event(seq: u64) -> Recorded {
    let event = Event::AttemptStarted { node: NodeIx(0), attempt: 1 };
    Recorded { seq, at: Timestamp::default(), version: VERSION, event }
}

/// A run with one event.
pub(super) fn plain_run(id: RunId) -> NewRun {
    let text = String::new();
    NewRun {
        id,
        pipeline: "bench".into(),
        bundle: Bundle { path: text.clone(), base: text.clone(), text, files: [].into(), kinds: [].into() },
        parent: None,
        key: None,
        owner: OwnerId::generate(Timestamp::default()),
        events: vec![plain_event(1)],
        status: RunStatus::Running,
    }
}

/// One event more.
pub(super) fn plain_append(run: RunId, after: u64) -> Append {
    Append {
        run,
        epoch: 1,
        after,
        events: vec![plain_event(after + 1)],
        items: Vec::new(),
        outputs: Vec::new(),
        status: RunStatus::Running,
        steps: Vec::new(),
        snapshot: None,
        state: Vec::new(),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_commit_takes_some_time() {
        let dir = tempfile::tempdir().unwrap();
        let time = commit_time(dir.path(), 5, Durability::Process).await.unwrap();
        assert!(time.disk > Duration::ZERO && time.sqlite > Duration::ZERO && time.append > Duration::ZERO);
        assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }
}
