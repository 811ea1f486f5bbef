use std::{fmt, io, path::PathBuf};

use async_trait::async_trait;

use crate::model::{ArtifactId, Fault, Retry};

/// What the store knows of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactInfo {
    /// Its name: the BLAKE3 digest of its bytes.
    pub id: ArtifactId,
    /// Length in bytes.
    pub bytes: u64,
}

/// Content-addressed, immutable bytes. Everything put here is durable when the call returns.
#[async_trait]
pub trait ArtifactStore: Send + Sync + fmt::Debug {
    /// Stores bytes: temporary file, fsync, rename, fsync of the folder. Equal bytes are stored once.
    async fn put(&self, bytes: Vec<u8>) -> Result<ArtifactInfo, Fault>;

    /// Takes a finished file over; it may be moved.
    async fn adopt(&self, file: PathBuf) -> Result<ArtifactInfo, Fault>;

    /// Reads all bytes and checks them against the digest; a mismatch is the fault `artifact.corrupt`.
    async fn get(&self, id: ArtifactId) -> Result<Vec<u8>, Fault>;

    /// A local path to read from, if the store has one.
    fn local_path(&self, id: ArtifactId) -> Option<PathBuf>;

    /// Whether it is there.
    async fn contains(&self, id: ArtifactId) -> Result<bool, Fault>;

    /// A folder on the same file system to write files in before they are adopted.
    fn scratch(&self) -> PathBuf;
}

/// The fault of an artifact that cannot be opened: `artifact.missing` where its file is gone.
pub fn unopened_artifact(id: ArtifactId, error: &io::Error) -> Fault {
    let missing = error.kind() == io::ErrorKind::NotFound;
    let fault = if missing {
        Fault::external("artifact.missing", format!("{id} is not there any more")).retry(Retry::Never)
    } else {
        Fault::external("artifact.read", format!("{id} cannot be read: {error}"))
    };
    let again = "make it again: `millwork runs rerun RUN --from STEP`, STEP being the one that gave it";
    fault.help(if missing { format!("its file was removed; {again}") } else { format!("mend its rights, or {again}") })
}

/// The fault of an artifact that does not have the bytes that it was stored with.
pub fn damaged_artifact(id: ArtifactId, why: impl fmt::Display) -> Fault {
    Fault::external("artifact.corrupt", format!("{id} is damaged: {why}")).retry(Retry::Never).help(
        "check the disk, remove the file and make it again: `millwork runs rerun RUN --from STEP`, STEP being the one \
         that gave it",
    )
}
