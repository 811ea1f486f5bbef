//! Layer 8: drives runs. One task a run collects inputs for the machine, commits its events and issues
//! its commands; nothing else awaits on behalf of a run.

mod batch;
mod beside;
mod children;
mod commit;
mod driver;
mod head_start;
mod issue;
mod machine;
mod message;
mod recover;
mod spans;

pub(crate) use commit::Birth;
pub(crate) use driver::Driver;
pub use driver::{Hub, Stand};
pub(crate) use message::Message;
pub use recover::shape_of;
pub(crate) use recover::{recover, stand};
