use serde::{Deserialize, Serialize};

/// What running a step does to the world. Decides what may be cached, recomputed and started early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The same inputs give the same outputs, and nothing else happens. May start before what it reads
    /// is durable, may be recomputed, may be cached.
    Pure,
    /// Running it twice with the same attempt key leaves the world as running it once.
    Idempotent,
    /// Running it twice may do something twice.
    External,
}
