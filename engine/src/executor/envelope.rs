use serde::{Deserialize, Serialize};

use crate::model::{AttemptKey, NodeIx, RunId};

/// An attempt to be made: references only, never data, so that it can cross a process boundary.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Envelope {
    /// The run.
    pub run: RunId,
    /// The step.
    pub node: NodeIx,
    /// The item, inside a fan-out.
    pub item: Option<u32>,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The same for every attempt at this work.
    pub key: AttemptKey,
}
