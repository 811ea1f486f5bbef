use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::home::refuse_network;
use crate::model::{Fault, OwnerId, Timestamp};

/// Who holds a lock, for messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// When it took the lock.
    pub since: Timestamp,
    /// The command, as a person would type it.
    pub command: String,
}

impl Holder {
    /// This process.
    pub fn this(command: &str, now: Timestamp) -> Self {
        Self { pid: std::process::id(), since: now, command: command.to_owned() }
    }
}

impl Holder {
    /// Whether a process of its number is there. Processes of other containers are never there.
    fn is_there(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` (process {}, since {})", self.command, self.pid, self.since)
    }
}

/// Shows that this process lives: a lock of the operating system on `owners/ID`, which the kernel
/// frees at death. Runs name the id.
#[derive(Debug)]
pub struct OwnerLock {
    id: OwnerId,
    path: PathBuf,
    _file: File,
}

impl OwnerLock {
    /// Takes the lock of a new owner, and clears away what dead ones left. A home on a network
    /// filesystem is the fault `home.network`.
    pub fn acquire(home: &Path, id: OwnerId, holder: &Holder) -> Result<Self, Fault> {
        refuse_network(home)?;
        let folder = home.join("owners");
        fs::create_dir_all(&folder).map_err(|e| unusable(&folder, &e))?;
        let path = folder.join(id.to_string());
        let file = match lock(&path, holder).map_err(|e| unusable(&path, &e))? {
            Ok(file) => file,
            Err(other) => return Err(Fault::internal("owner.taken", format!("the owner {id} is {}", spell(other)))),
        };
        clear(&folder);
        Ok(Self { id, path, _file: file })
    }

    /// Which owner.
    pub fn id(&self) -> OwnerId {
        self.id
    }

    /// Whether the process of an owner lives. Any doubt means that it does.
    pub fn is_alive(home: &Path, id: OwnerId) -> bool {
        is_locked(&home.join("owners").join(id.to_string()))
    }

    /// Who an owner is, if its process lives and can be read of.
    pub fn holder(home: &Path, id: OwnerId) -> Option<Holder> {
        let path = home.join("owners").join(id.to_string());
        if is_locked(&path) { read_holder(&mut File::open(path).ok()?) } else { None }
    }

    /// When the oldest living owner of a home began; files older than that are nobody's.
    pub fn oldest(home: &Path) -> Option<Timestamp> {
        let living = owner_files(&home.join("owners")).into_iter().filter(|path| is_locked(path));
        living.filter_map(|path| Some(read_holder(&mut File::open(path).ok()?)?.since)).min()
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// How long a server waits for the lock of one that is gone.
const SUCCESSION: Duration = Duration::from_secs(5);

/// Held by the one `serve` of a home.
#[derive(Debug)]
pub struct ServeLock {
    _file: File,
}

impl ServeLock {
    /// Takes the lock; a `serve` that has it is the fault `serve.running`, which names it.
    pub fn acquire(home: &Path, holder: &Holder) -> Result<Self, Fault> {
        refuse_network(home)?;
        let folder = home.join("owners");
        fs::create_dir_all(&folder).map_err(|e| unusable(&folder, &e))?;
        let path = folder.join("serve.lock");
        let begin = Instant::now();
        loop {
            let other = match lock(&path, holder).map_err(|e| unusable(&path, &e))? {
                Ok(file) => return Ok(Self { _file: file }),
                Err(other) => other,
            };
            // What a killed server had just forked has its files, and so its lock, until it is another program.
            let dead = other.as_ref().is_some_and(|holder| !holder.is_there());
            if dead && begin.elapsed() < SUCCESSION {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            let message = format!("another server has `{}` open: {}", home.display(), spell(other));
            return Err(Fault::user("serve.running", message).help("stop it, or give this one another --home"));
        }
    }
}

fn spell(holder: Option<Holder>) -> String {
    holder.map_or_else(|| "held by another process".to_owned(), |holder| holder.to_string())
}

/// The fault of a home that cannot be written.
pub(crate) fn unusable(path: &Path, error: &io::Error) -> Fault {
    Fault::external("home.unusable", format!("`{}` cannot be used: {error}", path.display()))
        .help("look at its rights and its disk, or choose another folder with `--home` or MILLWORK_HOME")
}

/// Takes a lock and writes who has it; or gives who has it.
fn lock(path: &Path, holder: &Holder) -> io::Result<Result<File, Option<Holder>>> {
    let mut tries = 0;
    loop {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => match read_holder(&mut file) {
                // Nobody has written a name: most likely somebody only looks whether it is locked.
                None if tries < 200 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                other => return Ok(Err(other)),
            },
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        // Somebody may have removed the file between opening and locking: then the lock is on nothing.
        if !same_file(&file, path) {
            continue;
        }
        file.set_len(0)?;
        file.write_all(serde_json::to_string(holder)?.as_bytes())?;
        return Ok(Ok(file));
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let at = |meta: &fs::Metadata| (meta.dev(), meta.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if at(&a) == at(&b))
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Looks with a shared lock, so that two who look at once do not take each other for an owner.
fn is_locked(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn owner_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named =
        |path: &PathBuf| path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.parse::<OwnerId>().is_ok());
    entries.map(|entry| entry.path()).filter(named).collect()
}

/// Removes the files and sockets of dead owners, holding each one's lock meanwhile.
fn clear(folder: &Path) {
    for path in owner_files(folder) {
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
        if file.try_lock().is_ok() && same_file(&file, &path) {
            let _ = fs::remove_file(path.with_extension("sock"));
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> OwnerId {
        OwnerId::from_parts(Timestamp::from_micros(1_000_000), n)
    }

    #[test]
    fn an_owner_lives_as_long_as_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        let holder = Holder::this("millwork run p.yaml", Timestamp::from_micros(5));
        let lock = OwnerLock::acquire(dir.path(), id(1), &holder).unwrap();
        assert!(OwnerLock::is_alive(dir.path(), id(1)) && !OwnerLock::is_alive(dir.path(), id(2)));
        assert_eq!(OwnerLock::holder(dir.path(), id(1)), Some(holder.clone()));
        assert_eq!(OwnerLock::oldest(dir.path()), Some(holder.since));
        assert!(OwnerLock::acquire(dir.path(), id(1), &holder).is_err(), "an id is taken once");
        drop(lock);
        assert!(!OwnerLock::is_alive(dir.path(), id(1)));
        assert_eq!(OwnerLock::oldest(dir.path()), None);
    }

    #[test]
    fn what_dead_owners_left_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("owners");
        fs::create_dir_all(&folder).unwrap();
        for name in [id(7).to_string(), format!("{}.sock", id(7)), "serve.lock".to_owned()] {
            fs::write(folder.join(name), "").unwrap();
        }
        let holder = Holder::this("x", Timestamp::default());
        let alive = OwnerLock::acquire(dir.path(), id(1), &holder).unwrap();
        let _other = OwnerLock::acquire(dir.path(), id(2), &holder).unwrap();
        let left: std::collections::BTreeSet<_> =
            fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(left, [alive.id().to_string(), id(2).to_string(), "serve.lock".to_owned()].into());
    }

    #[test]
    fn a_second_server_is_told_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = ServeLock::acquire(dir.path(), &Holder::this("millwork serve", Timestamp::default())).unwrap();
        let fault = ServeLock::acquire(dir.path(), &Holder::this("me", Timestamp::default())).unwrap_err();
        assert_eq!(fault.code.as_str(), "serve.running");
        assert!(fault.message.contains("millwork serve") && fault.message.contains(&std::process::id().to_string()));
        drop(first);
        assert!(ServeLock::acquire(dir.path(), &Holder::this("me", Timestamp::default())).is_ok());
    }

    #[test]
    fn what_a_dead_server_left_holding_its_lock_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let path = dir.path().join("owners/serve.lock");
        fs::create_dir_all(dir.path().join("owners")).unwrap();
        let dead = Holder { pid: gone.id(), ..Holder::this("millwork serve", Timestamp::default()) };
        let left = lock(&path, &dead).unwrap().unwrap();
        let (send, wait) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| send.send(ServeLock::acquire(dir.path(), &Holder::this("me", Timestamp::default()))));
            assert!(wait.recv_timeout(Duration::from_millis(50)).is_err(), "it is not there to be had yet");
            drop(left);
            assert!(wait.recv().unwrap().is_ok());
        });
    }
}
