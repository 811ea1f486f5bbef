use std::{fmt, path::PathBuf};

use async_trait::async_trait;

use crate::model::{ArtifactId, Fault};

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
