use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
};

use crate::model::OwnerId;

/// An owner's ear: other processes ring when they have put a request into the table. A ring may be
/// lost (the owner looks now and then anyway), and carries nothing but that it happened.
#[derive(Debug)]
pub struct Doorbell {
    listener: UnixListener,
    path: PathBuf,
}

impl Doorbell {
    /// Listens at `owners/ID.sock`. A home without sockets is no fault to the caller: it polls.
    pub fn listen(home: &Path, owner: OwnerId) -> io::Result<Self> {
        let folder = home.join("owners");
        fs::create_dir_all(&folder)?;
        let path = folder.join(socket(owner));
        // A socket of this name can only be left from before: owners are made anew for each process.
        let _ = fs::remove_file(&path);
        let (at, _folder) = reachable(&folder, owner)?;
        Ok(Self { listener: UnixListener::bind(at)?, path })
    }

    /// Waits for a ring. Several rings at once may be heard as one. Safe to drop while it waits.
    pub async fn heard(&self) -> io::Result<()> {
        self.listener.accept().await.map(|_| ())
    }

    /// Rings at an owner. Whether somebody hears: `false` is no error.
    pub async fn ring(home: &Path, owner: OwnerId) -> bool {
        let Ok((at, _folder)) = reachable(&home.join("owners"), owner) else { return false };
        match UnixStream::connect(at).await {
            Ok(mut stream) => stream.write_all(b"!").await.is_ok(),
            Err(_) => false,
        }
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn socket(owner: OwnerId) -> String {
    format!("{owner}.sock")
}

/// A path to the socket that is short enough for the kernel (108 bytes): a deep home is reached
/// through its open folder.
fn reachable(folder: &Path, owner: OwnerId) -> io::Result<(PathBuf, Option<File>)> {
    let path = folder.join(socket(owner));
    if path.as_os_str().len() < 100 || !cfg!(target_os = "linux") {
        return Ok((path, None));
    }
    let open = File::open(folder)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}/{}", open.as_raw_fd(), socket(owner))), Some(open)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[tokio::test]
    async fn a_ring_is_heard_and_a_missing_bell_is_fine() {
        let owner = OwnerId::from_parts(Timestamp::default(), 1);
        for deep in
            ["", "a-folder-with-a-name/that-goes-on-and-on/until-no-socket/has-so-long-a-path/any-more/for-sure"]
        {
            let dir = tempfile::tempdir().unwrap();
            let home = dir.path().join(deep);
            assert!(!Doorbell::ring(&home, owner).await);
            let bell = Doorbell::listen(&home, owner).unwrap();
            assert!(Doorbell::ring(&home, owner).await, "{deep}");
            bell.heard().await.unwrap();
            drop(bell);
            assert!(!Doorbell::ring(&home, owner).await);
            let again = Doorbell::listen(&home, owner).unwrap();
            assert!(Doorbell::ring(&home, owner).await && again.heard().await.is_ok());
        }
    }
}
