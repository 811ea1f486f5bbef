//! Why an attempt did not succeed, whose fault it is, and whether another try can help.

use std::{borrow::Cow, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::units::show_duration;

/// A stable, dotted name for a kind of fault, such as `sql.out_of_memory` or `shell.exit`.
/// Retry policies name these.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultCode(Cow<'static, str>);

impl FaultCode {
    /// The attempt was stopped because its run was cancelled.
    pub const CANCELLED: Self = Self::new("cancelled");
    /// A budget is used up.
    pub const BUDGET_EXCEEDED: Self = Self::new("budget.exceeded");
    /// Another living process owns the run.
    pub const RUN_OWNED: Self = Self::new("run.owned");
    /// The run has ended already.
    pub const RUN_ENDED: Self = Self::new("run.ended");
    /// An expression met a value of another type.
    pub const EXPR_TYPE: Self = Self::new("expr.type");
    /// The time of the whole run is over.
    pub const RUN_DEADLINE: Self = Self::new("run.deadline");
    /// A result that was kept is gone.
    pub const ARTIFACT_MISSING: Self = Self::new("artifact.missing");
    /// A result that was kept has changed.
    pub const ARTIFACT_CORRUPT: Self = Self::new("artifact.corrupt");

    /// A code known at compile time.
    pub const fn new(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// A code read from a store.
    pub fn owned(code: String) -> Self {
        Self(Cow::Owned(code))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The pipeline or its data.
    User,
    /// Something outside: a file, a process, a service, the machine's limits.
    External,
    /// Millwork itself: a bug.
    Internal,
}

/// Whether the same attempt could succeed if made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// No: the same input gives the same fault.
    Never,
    /// Perhaps, after the policy's delay.
    Backoff,
    /// Perhaps, but not before this many milliseconds.
    AfterMillis(u64),
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind.
    pub code: FaultCode,
    /// Who can mend it.
    pub blame: Blame,
    /// Whether another try can help.
    pub retry: Retry,
    /// One sentence for people; scrubbed of secrets before it is shown or stored.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A process's exit status, where one is behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

impl Fault {
    fn new(code: &'static str, blame: Blame, retry: Retry, message: impl Into<String>) -> Self {
        Self { code: FaultCode::new(code), blame, retry, message: message.into(), help: None, exit_code: None }
    }

    /// The pipeline or its data is wrong; a retry cannot help.
    pub fn user(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Blame::User, Retry::Never, message)
    }

    /// Something outside failed; a retry may help.
    pub fn external(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Blame::External, Retry::Backoff, message)
    }

    /// A bug in Millwork.
    pub fn internal(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Blame::Internal, Retry::Never, message)
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the retry hint.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Keeps a process's exit status.
    pub fn exit_code(mut self, status: i32) -> Self {
        self.exit_code = Some(status);
        self
    }

    /// The attempt was stopped because its run was cancelled.
    pub fn cancelled() -> Self {
        Self::external("cancelled", "the attempt was cancelled").retry(Retry::Never)
    }

    /// The attempt took longer than its `timeout`.
    pub fn timeout(limit: Duration) -> Self {
        Self::external("timeout", format!("the attempt took longer than its timeout of {}", show_duration(limit)))
    }
}
