use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Name;

/// What a run needs before it may start: a place in its group, slots of pools. Frozen with the run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Ticket {
    /// Groups that it is in: that of `concurrency:`, that of its schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Slots of named pools that it holds while it is under way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<Name, u32>,
    /// Greater ones start first; 0 where nothing is said.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: u32,
}

/// A concurrency group: runs with the same text share a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Group {
    /// The text.
    pub name: String,
    /// Runs at once.
    pub limit: u32,
}

impl Ticket {
    /// Whether nothing is asked for.
    pub fn is_free(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(priority: &u32) -> bool {
    *priority == 0
}
