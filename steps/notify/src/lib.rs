//! Steps that tell people and programs: `notify.webhook`, `notify.slack`, `notify.email`.
//!
//! What was sent is recorded in the journal of its step, so that no retry, resume or crash sends it again. What was
//! under way when the process died is sent once more, under the same id.

mod address;
mod email;
mod hosts;
mod http;
mod masks;
mod once;
mod slack;
mod webhook;

use millwork_engine::step::Registry;

pub use email::Email;
pub use slack::Slack;
pub use webhook::Webhook;

/// Adds every kind of this family.
pub fn register(registry: &mut Registry) {
    registry.register::<Webhook>().register::<Slack>().register::<Email>();
}
