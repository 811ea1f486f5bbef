//! Who did what, and proof that nothing was changed afterwards.

mod action;
mod chain;
mod log;
mod redact;

pub use action::Action;
pub use chain::{Broken, Unverified, Verified, Verifier, Why, verify};
pub use log::Audit;
