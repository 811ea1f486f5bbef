//! What engine and guard say to each other. First the engine sends one JSON line and the bytes of the
//! command's standard input, later single bytes; the guard answers in JSON lines.

use serde::{Deserialize, Serialize};

/// Pass SIGTERM on.
pub(super) const TERMINATE: u8 = b'T';
/// Kill the tree.
pub(super) const KILL: u8 = b'K';

/// What to start.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// Program and arguments.
    pub(super) argv: Vec<String>,
    /// Working folder.
    pub(super) cwd: String,
    /// Bytes of standard input that follow the line.
    pub(super) stdin: u64,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// The command could not be started.
    NotStarted {
        /// Whether the program was not found.
        missing: bool,
        /// What the system said.
        message: String,
    },
    /// It ended by itself.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
}
