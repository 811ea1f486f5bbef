//! One request over HTTP and its answer.

mod call;
mod fault;
mod json;
mod retry_after;

pub(crate) use call::{CONNECT, Call, Reply, TIMEOUT, call};
pub(crate) use fault::of_status;
pub(crate) use json::json_of;
pub(crate) use retry_after::{asked, hint};
