//! Layer 0: plain data that every layer above shares. No IO, no clock reading, no step kinds.

pub mod clock;
pub mod event;
pub mod fault;
mod fault_codes;
pub mod id;
pub mod label;
pub mod policy;
pub mod status;
mod ticket;
pub mod units;

pub use clock::{Clock, ManualClock, Sleep, SystemClock, Timestamp};
pub use event::{Event, Recorded};
pub use fault::{Blame, Fault, FaultCode, Retry};
pub use fault_codes::FaultPage;
pub use id::{ArtifactId, AttemptKey, Digest, Name, NodeIx, OwnerId, RunId};
pub use label::Labels;
pub use policy::{Backoff, RetryPolicy};
pub use status::{RunStatus, SkipReason, StepStatus, Wait};
pub use ticket::{Group, Ticket};
