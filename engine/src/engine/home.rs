//! What an engine over a home folder holds: state, artifacts, and the proof that it lives.

use std::{
    collections::HashSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    EngineOptions,
    inner::{Inner, assemble},
};
use crate::{
    model::{ArtifactId, Fault, OwnerId, Timestamp},
    store::{Doorbell, Holder, LocalArtifacts, OwnerLock, SqliteStore, Swept, unusable},
};

/// Artifacts younger than this are kept: a run may be about to name what it has just put there.
const GRACE: Duration = Duration::from_hours(1);

/// A process that lives and drives a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOwner {
    /// This one.
    Here,
    /// Another one.
    Elsewhere(Holder),
    /// Another one, which did not say more of itself.
    Unknown,
}

impl fmt::Display for RunOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("this process"),
            Self::Elsewhere(who) => write!(f, "process {} (`{}`, since {})", who.pid, who.command, who.since),
            Self::Unknown => f.write_str("another process"),
        }
    }
}

/// What is on disk.
#[derive(Debug)]
pub(super) struct OnDisk {
    pub store: SqliteStore,
    artifacts: LocalArtifacts,
    owner: OwnerId,
    /// Held by a process that may own runs; one that only looks has none.
    _lock: Option<OwnerLock>,
    home: PathBuf,
}

impl OnDisk {
    /// The id of this process.
    pub(super) fn owner(&self) -> OwnerId {
        self.owner
    }

    /// Who an owner is, if its process lives.
    pub(super) fn alive(&self, owner: OwnerId) -> Option<RunOwner> {
        if !OwnerLock::is_alive(&self.home, owner) {
            return None;
        }
        Some(OwnerLock::holder(&self.home, owner).map_or(RunOwner::Unknown, RunOwner::Elsewhere))
    }

    /// Rings at an owner; it looks for requests now and then anyway.
    pub(super) async fn ring(&self, owner: OwnerId) {
        Doorbell::ring(&self.home, owner).await;
    }

    /// Removes artifacts that nothing names.
    pub(super) async fn sweep(&self, live: HashSet<ArtifactId>, now: Timestamp, dry: bool) -> Result<Swept, Fault> {
        self.artifacts.sweep(&live, GRACE, now, dry).await
    }
}

/// Opens a home folder.
pub(super) async fn open(options: EngineOptions) -> Result<Arc<Inner>, Fault> {
    let home = options.home.clone();
    let now = options.clock.now();
    let command: Vec<String> = std::env::args().take(4).collect();
    let holder = Holder::this(&command.join(" "), now);
    let lock = OwnerLock::acquire(&home, OwnerId::generate(now), &holder)?;
    for folder in ["logs", "cache", "tmp"] {
        let path = home.join(folder);
        let made = tokio::fs::create_dir_all(&path).await;
        made.map_err(|e| unusable(&path, &e))?;
    }
    let oldest = OwnerLock::oldest(&home).unwrap_or(now);
    let artifacts = LocalArtifacts::open(&home, oldest)?;
    clear_scratch(&home.join("tmp"), oldest);
    let store = SqliteStore::open(&home, options.durability, options.clock.clone()).await?;
    let (kept, files) = (Arc::new(store.clone()), Arc::new(artifacts.clone()));
    let on_disk = OnDisk { store, artifacts, owner: lock.id(), _lock: Some(lock), home: home.clone() };
    let inner = assemble(options, kept, files, Some(on_disk))?;
    // A home without sockets is no fault: requests are looked for every second anyway.
    if let Ok(doorbell) = Doorbell::listen(&home, inner.owner) {
        tokio::spawn(listen(doorbell, Arc::downgrade(&inner)));
    }
    Ok(inner)
}

/// Opens a home folder for looking: nothing in it is made, cleared or locked. Where there is no state of this build
/// yet, it is opened as always.
pub(super) async fn open_to_read(options: EngineOptions) -> Result<Arc<Inner>, Fault> {
    let home = options.home.clone();
    let Some(store) = SqliteStore::open_to_read(&home, options.clock.clone()).await? else {
        return open(options).await;
    };
    let artifacts = LocalArtifacts::at(&home);
    let (kept, files) = (Arc::new(store.clone()), Arc::new(artifacts.clone()));
    let owner = OwnerId::generate(options.clock.now());
    let on_disk = OnDisk { store, artifacts, owner, _lock: None, home };
    assemble(options, kept, files, Some(on_disk))
}

async fn listen(doorbell: Doorbell, inner: Weak<Inner>) {
    while doorbell.heard().await.is_ok() {
        let Some(inner) = inner.upgrade() else { return };
        inner.look_for_requests();
    }
}

/// Removes scratch folders that attempts of dead processes left.
fn clear_scratch(tmp: &Path, oldest: Timestamp) {
    let Ok(entries) = std::fs::read_dir(tmp) else { return };
    for entry in entries.flatten() {
        let old = entry.metadata().is_ok_and(|meta| {
            let modified = meta.modified().map(chrono::DateTime::<chrono::Utc>::from);
            meta.is_dir() && modified.is_ok_and(|at| Timestamp::from(at) < oldest)
        });
        if old {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
