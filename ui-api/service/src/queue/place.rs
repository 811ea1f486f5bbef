use std::fmt;

use millwork_engine::model::{Name, RunId};

/// What is in the way of a run that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// As many runs are under way as the process takes.
    Slots,
    /// Its group is full.
    Group(String),
    /// A pool has too few free slots, or others wait for them who come first.
    Pool(Name),
}

/// Where a run stands that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub position: usize,
    /// Why it waits.
    pub blocked: Blocked,
    /// The runs that hold what it waits for, oldest first.
    pub holders: Vec<RunId>,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slots => f.write_str("as many runs are under way as this process takes at once"),
            Self::Group(name) => write!(f, "its concurrency group `{name}` is full"),
            Self::Pool(name) => write!(f, "the pool `{name}` has too few free slots"),
        }
    }
}
