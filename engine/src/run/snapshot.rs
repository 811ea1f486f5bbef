use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::{Core, NodeState, RunState};
use crate::graph::Shape;

/// The version of the snapshot format that this build writes. A snapshot of another version is not
/// read: the log is, from the beginning.
const VERSION: u32 = 1;

/// Why a snapshot cannot be used; the log can always be read instead.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Written by another build.
    #[error("the snapshot has format version {0}, this build reads {VERSION}")]
    Version(u32),
    /// Not what was written.
    #[error("the snapshot is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Of another plan.
    #[error("the snapshot has {snapshot} steps, the plan {plan}")]
    OtherPlan {
        /// Steps in the snapshot.
        snapshot: usize,
        /// Steps in the plan.
        plan: usize,
    },
}

#[derive(Deserialize)]
struct Header {
    version: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    run: &'a Core,
    steps: &'a [Arc<NodeState>],
}

#[derive(Deserialize)]
struct Read {
    run: Core,
    steps: Vec<Arc<NodeState>>,
}

impl RunState {
    /// The state as bytes, to be kept with the commit of the event it stands at.
    pub fn to_snapshot(&self) -> Vec<u8> {
        let written = Written { version: VERSION, run: &self.core, steps: &self.nodes };
        // Plain data with text keys: nothing in it can fail to be written. An empty snapshot is
        // refused when read.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// A state from a snapshot and the plan it was made with.
    pub fn from_snapshot(bytes: &[u8], shape: Arc<Shape>) -> Result<Self, SnapshotError> {
        let header: Header = serde_json::from_slice(bytes)?;
        if header.version != VERSION {
            return Err(SnapshotError::Version(header.version));
        }
        let read: Read = serde_json::from_slice(bytes)?;
        if read.steps.len() != shape.nodes.len() {
            return Err(SnapshotError::OtherPlan { snapshot: read.steps.len(), plan: shape.nodes.len() });
        }
        Ok(Self::from_parts(shape, read.run, read.steps))
    }
}

pub(super) mod cells {
    use std::sync::Arc;

    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    /// Two items a byte, in base 64; the number of items comes first.
    pub(crate) fn serialize<S: Serializer>(cells: &[Arc<Vec<u8>>], serializer: S) -> Result<S::Ok, S::Error> {
        let all: Vec<u8> = cells.iter().flat_map(|chunk| chunk.iter().copied()).collect();
        let packed: Vec<u8> = all.chunks(2).map(|pair| pair[0] | (pair.get(1).copied().unwrap_or(0) << 4)).collect();
        (all.len(), STANDARD.encode(packed)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<Vec<u8>>>, D::Error> {
        let (count, text) = <(usize, String)>::deserialize(deserializer)?;
        let packed = STANDARD.decode(text).map_err(D::Error::custom)?;
        let mut all: Vec<u8> = packed.iter().flat_map(|byte| [byte & 15, byte >> 4]).collect();
        if all.len() < count {
            return Err(D::Error::custom("items are missing"));
        }
        all.truncate(count);
        Ok(all.chunks(super::super::items::CHUNK).map(|chunk| Arc::new(chunk.to_vec())).collect())
    }
}

/// A JSON value that may be absent, `null` and absence told apart: a list of none or one.
pub(super) mod maybe_json {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value as Json;

    #[allow(clippy::ref_option, reason = "the form that serde calls")]
    pub(crate) fn serialize<S: Serializer>(value: &Option<Json>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_slice().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
        Ok(Vec::<Json>::deserialize(deserializer)?.pop())
    }
}
