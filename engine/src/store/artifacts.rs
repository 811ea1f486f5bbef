use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;

use super::named;
use crate::{
    crash::crash_point,
    data::{ArtifactInfo, ArtifactStore, damaged_artifact, unopened_artifact},
    model::{ArtifactId, Digest, Fault, Timestamp},
};

/// Artifacts on the local disk: `artifacts/ab/cdef…`, written in `tmp/` and renamed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalArtifacts {
    root: PathBuf,
    tmp: PathBuf,
}

/// What a sweep removed, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Artifacts.
    pub artifacts: u64,
    /// Bytes.
    pub bytes: u64,
    /// Artifacts that nothing names and that are kept for being young.
    pub young: u64,
    /// Their bytes.
    pub young_bytes: u64,
}

/// Files from this size on, in bytes, are flushed while they are digested.
const BIG: u64 = 4 << 20;
/// A bigger artifact is taken for data rather than for the text of outputs that name others.
const TEXT: u64 = 256 << 20;

impl LocalArtifacts {
    /// Opens the artifacts of a home. Files in `tmp/` that were last written before `oldest`, the
    /// begin of the oldest living owner, are what dead processes left, and go.
    pub fn open(home: &Path, oldest: Timestamp) -> Result<Self, Fault> {
        let store = Self::at(home);
        for folder in [&store.root, &store.tmp] {
            fs::create_dir_all(folder).map_err(|e| unwritable(folder, &e))?;
        }
        for entry in fs::read_dir(&store.tmp).map_err(|e| unwritable(&store.tmp, &e))?.flatten() {
            if entry.metadata().is_ok_and(|meta| meta.is_file() && modified(&meta) < oldest) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(store)
    }

    /// The artifacts of a home, for reading: nothing is made or removed.
    pub fn at(home: &Path) -> Self {
        Self { root: home.join("artifacts"), tmp: home.join("tmp") }
    }

    fn path(&self, id: ArtifactId) -> PathBuf {
        let hex = id.0.to_string();
        self.root.join(&hex[..2]).join(&hex[2..])
    }

    fn temporary(&self) -> PathBuf {
        self.tmp.join(format!("put-{:032x}", rand::random::<u128>()))
    }

    /// Every artifact, in no order.
    pub async fn list(&self) -> Result<Vec<ArtifactInfo>, Fault> {
        let store = self.clone();
        blocking(move || Ok(store.files()?.into_iter().map(|(info, _)| info).collect())).await
    }

    fn files(&self) -> Result<Vec<(ArtifactInfo, Timestamp)>, Fault> {
        let read = |folder: &Path| fs::read_dir(folder).map_err(|e| unreadable(folder, &e));
        let mut found = Vec::new();
        for folder in read(&self.root)?.flatten().filter(|entry| entry.path().is_dir()) {
            for entry in read(&folder.path())?.flatten() {
                let name = [folder.file_name(), entry.file_name()].map(|part| part.to_string_lossy().into_owned());
                let (Ok(digest), Ok(meta)) = (name.concat().parse(), entry.metadata()) else { continue };
                found.push((ArtifactInfo { id: ArtifactId(digest), bytes: meta.len() }, modified(&meta)));
            }
        }
        Ok(found)
    }

    /// Removes artifacts that are neither live, nor named in the text of a live one, nor younger than
    /// `grace`: a run may be about to name what it has just put here. With `dry` it only counts.
    pub async fn sweep(
        &self,
        live: &HashSet<ArtifactId>,
        grace: Duration,
        now: Timestamp,
        dry: bool,
    ) -> Result<Swept, Fault> {
        let (store, mut live) = (self.clone(), live.clone());
        blocking(move || {
            let mut next: Vec<ArtifactId> = live.iter().copied().collect();
            while let Some(id) = next.pop() {
                let named = store.names(id)?;
                next.extend(named.into_iter().filter(|named| live.insert(*named)));
            }
            let mut swept = Swept::default();
            for (info, written) in store.files()? {
                if live.contains(&info.id) {
                    continue;
                }
                if now.since(written) < grace || written > now {
                    swept.young += 1;
                    swept.young_bytes += info.bytes;
                    continue;
                }
                let path = store.path(info.id);
                if !dry {
                    fs::remove_file(&path).map_err(|e| unwritable(&path, &e))?;
                }
                swept.artifacts += 1;
                swept.bytes += info.bytes;
            }
            Ok(swept)
        })
        .await
    }

    /// Artifacts named in the text of an artifact that holds JSON.
    fn names(&self, id: ArtifactId) -> Result<BTreeSet<ArtifactId>, Fault> {
        let (path, mut found) = (self.path(id), BTreeSet::new());
        let Ok(mut file) = File::open(&path) else { return Ok(found) };
        let mut first = [0];
        let size = file.metadata().map_or(u64::MAX, |meta| meta.len());
        if size <= TEXT && file.read_exact(&mut first).is_ok() && matches!(first[0], b'{' | b'[') {
            let mut rest = Vec::new();
            file.read_to_end(&mut rest).map_err(|e| unreadable(&path, &e))?;
            named::artifacts_in(&rest, &mut found);
        }
        Ok(found)
    }

    /// Gives a finished file, whose digest is known, its place. Returns once it would survive a loss of power.
    fn settle(&self, from: &Path, id: ArtifactId) -> io::Result<()> {
        let path = self.path(id);
        let folder = path.parent().unwrap_or(&self.root);
        if is_whole(&path, fs::metadata(from)?.len()) {
            // Equal bytes are there. Touched, so that a sweep's grace begins anew.
            File::options().append(true).open(&path)?.set_modified(std::time::SystemTime::now())?;
            fs::remove_file(from)?;
        } else {
            File::open(from)?.sync_all()?;
            crash_point("artifact.synced");
            if !folder.is_dir() {
                fs::create_dir_all(folder)?;
                sync_folder(&self.root)?;
            }
            move_file(from, &path, &self.temporary())?;
            crash_point("artifact.renamed");
        }
        sync_folder(folder)?;
        crash_point("artifact.settled");
        Ok(())
    }

    fn put_now(&self, bytes: &[u8]) -> Result<ArtifactInfo, Fault> {
        let info = ArtifactInfo { id: ArtifactId(Digest::of(bytes)), bytes: bytes.len() as u64 };
        let tmp = self.temporary();
        let stored = File::create_new(&tmp).and_then(|mut file| {
            crash_point("artifact.begun");
            file.write_all(bytes)
        });
        crash_point("artifact.written");
        stored.and_then(|()| self.settle(&tmp, info.id)).map_err(|e| {
            let _ = fs::remove_file(&tmp);
            unwritable(&tmp, &e)
        })?;
        Ok(info)
    }

    fn get_now(&self, id: ArtifactId) -> Result<Vec<u8>, Fault> {
        let path = self.path(id);
        let bytes = fs::read(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => unopened_artifact(id, &e),
            _ => unreadable(&path, &e),
        })?;
        if Digest::of(&bytes) == id.0 {
            Ok(bytes)
        } else {
            Err(damaged_artifact(id, "its bytes are others than were stored"))
        }
    }
}

#[async_trait]
impl ArtifactStore for LocalArtifacts {
    async fn put(&self, bytes: Vec<u8>) -> Result<ArtifactInfo, Fault> {
        let store = self.clone();
        blocking(move || store.put_now(&bytes)).await
    }

    async fn adopt(&self, file: PathBuf) -> Result<ArtifactInfo, Fault> {
        let store = self.clone();
        blocking(move || {
            let (digest, bytes) = flushed_digest_of(&file).map_err(|e| unreadable(&file, &e))?;
            let info = ArtifactInfo { id: ArtifactId(digest), bytes };
            store.settle(&file, info.id).map_err(|e| unwritable(&file, &e))?;
            Ok(info)
        })
        .await
    }

    async fn get(&self, id: ArtifactId) -> Result<Vec<u8>, Fault> {
        let store = self.clone();
        blocking(move || store.get_now(id)).await
    }

    fn local_path(&self, id: ArtifactId) -> Option<PathBuf> {
        Some(self.path(id))
    }

    async fn contains(&self, id: ArtifactId) -> Result<bool, Fault> {
        let path = self.path(id);
        blocking(move || path.try_exists().map_err(|e| unreadable(&path, &e))).await
    }

    fn scratch(&self) -> PathBuf {
        self.tmp.clone()
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    let stopped = |e| Err(Fault::internal("artifact.stopped", format!("work on artifacts was stopped: {e}")));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(stopped)
}

/// The digest of a file. A big one is on its way to the disk meanwhile: the processor works on the one, the
/// disk on the other.
fn flushed_digest_of(path: &Path) -> io::Result<(Digest, u64)> {
    let file = File::open(path)?;
    if file.metadata()?.len() < BIG {
        return digest_of(path);
    }
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| file.sync_all());
        let digest = digest_of(path);
        flushed.join().unwrap_or_else(|_| Err(io::Error::other("flushing was stopped")))?;
        digest
    })
}

fn digest_of(path: &Path) -> io::Result<(Digest, u64)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((Digest::from_bytes(*hasher.finalize().as_bytes()), hasher.count()))
}

/// A file under its digest is whole, because it was synced before it was renamed; the length guards
/// against a disk that lied.
fn is_whole(path: &Path, bytes: u64) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.len() == bytes)
}

/// Renames, or copies to `tmp` first where the two are on different filesystems.
fn move_file(from: &Path, to: &Path, tmp: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(from, tmp)?;
            File::open(tmp)?.sync_all()?;
            fs::rename(tmp, to)?;
            fs::remove_file(from)
        }
        done => done,
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn modified(meta: &fs::Metadata) -> Timestamp {
    meta.modified().map_or(Timestamp::default(), |at| chrono::DateTime::<chrono::Utc>::from(at).into())
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::external("artifact.read", format!("`{}` cannot be read: {error}", path.display()))
}

fn unwritable(path: &Path, error: &io::Error) -> Fault {
    Fault::external("artifact.write", format!("`{}` cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &tempfile::TempDir) -> LocalArtifacts {
        LocalArtifacts::open(dir.path(), Timestamp::default()).unwrap()
    }

    #[tokio::test]
    async fn bytes_come_back_and_are_stored_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        for bytes in [&b""[..], b"x", &[7; 10_000]] {
            let info = store.put(bytes.to_vec()).await.unwrap();
            assert_eq!(info, store.put(bytes.to_vec()).await.unwrap());
            assert_eq!(store.get(info.id).await.unwrap(), bytes);
            let file = store.scratch().join("f");
            fs::write(&file, bytes).unwrap();
            assert_eq!(store.adopt(file.clone()).await.unwrap(), info);
            assert!(!file.exists() && store.contains(info.id).await.unwrap());
        }
        assert_eq!(store.list().await.unwrap().len(), 3);
        assert_eq!(fs::read_dir(store.scratch()).unwrap().count(), 0, "nothing is left over");
    }

    #[tokio::test]
    async fn damage_and_loss_have_names() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let id = store.put(b"right".to_vec()).await.unwrap().id;
        fs::write(store.local_path(id).unwrap(), "wrong").unwrap();
        assert_eq!(store.get(id).await.unwrap_err().code.as_str(), "artifact.corrupt");
        fs::write(store.local_path(id).unwrap(), "r").unwrap();
        store.put(b"right".to_vec()).await.unwrap();
        assert_eq!(store.get(id).await.unwrap(), b"right", "a file cut short is written anew");
        fs::remove_file(store.local_path(id).unwrap()).unwrap();
        assert_eq!(store.get(id).await.unwrap_err().code.as_str(), "artifact.missing");
        assert!(!store.contains(id).await.unwrap());
    }

    #[tokio::test]
    async fn a_sweep_keeps_what_is_live_named_or_young() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let table = store.put(b"table".to_vec()).await.unwrap().id;
        let outputs = store.put(format!("{{\"kept\":\"{}\"}}", table.0).into_bytes()).await.unwrap().id;
        let dead = store.put(b"dead".to_vec()).await.unwrap().id;
        let live = HashSet::from([outputs]);
        let now = Timestamp::from(chrono::Utc::now()).after(Duration::from_mins(1));
        let young = store.sweep(&live, Duration::from_hours(1), now, false).await.unwrap();
        assert_eq!(young, Swept { young: 1, young_bytes: 4, ..Swept::default() });
        let expected = Swept { artifacts: 1, bytes: 4, ..Swept::default() };
        assert_eq!(store.sweep(&live, Duration::ZERO, now, true).await.unwrap(), expected);
        assert!(store.contains(dead).await.unwrap(), "a dry sweep removes nothing");
        assert_eq!(store.sweep(&live, Duration::ZERO, now, false).await.unwrap(), expected);
        assert!(!store.contains(dead).await.unwrap());
        assert!(store.contains(table).await.unwrap() && store.contains(outputs).await.unwrap());
    }

    #[test]
    fn leftovers_of_the_dead_go_at_opening() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        fs::write(store.scratch().join("put-1"), "half").unwrap();
        LocalArtifacts::open(dir.path(), Timestamp::default()).unwrap();
        assert!(store.scratch().join("put-1").exists(), "it may be a living owner's");
        let later = Timestamp::from(chrono::Utc::now()).after(Duration::from_mins(1));
        LocalArtifacts::open(dir.path(), later).unwrap();
        assert!(!store.scratch().join("put-1").exists());
    }
}
