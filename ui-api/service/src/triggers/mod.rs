//! Starts runs for what arrives: requests, files, ends of other runs.

mod content;
mod files;
mod hook;
mod upstream;

pub use files::Files;
pub use hook::{Hooked, Request, receive};
pub use upstream::Upstream;
