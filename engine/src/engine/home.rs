//! What an engine over a home folder holds: state, artifacts, and the proof that it lives.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use super::{EngineOptions, inner::{Inner, assemble}};
use crate::{
    model::{ArtifactId, Fault, OwnerId, Timestamp},
    store::SqliteStore,
};

/// What is on disk.
#[derive(Debug)]
pub(super) struct OnDisk {
    pub store: SqliteStore,
}

impl OnDisk {
    pub(super) fn owner(&self) -> OwnerId { OwnerId::generate(Timestamp::default()) }
    pub(super) fn alive(&self, _: OwnerId) -> Result<Option<String>, Fault> { Ok(None) }
    pub(super) async fn ring(&self, _: &Path, _: OwnerId) {}
    pub(super) async fn sweep(&self, _: BTreeSet<ArtifactId>, _: Timestamp, _: bool) -> Result<(u64, u64), Fault> { Ok((0, 0)) }
}

pub(super) async fn open(options: EngineOptions) -> Result<Arc<Inner>, Fault> {
    let _ = (options, assemble);
    Err(Fault::internal("wip", "wip"))
}
