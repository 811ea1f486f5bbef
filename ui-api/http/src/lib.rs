//! The HTTP API and the web UI of a running service.

mod app;
mod assets;
mod attempts;
mod diff;
mod etag;
mod guard;
mod help;
mod lapse;
mod openapi;
mod page;
mod problem;
mod routes;
mod server;
mod sse;
mod views;

pub use app::{App, AppOptions};
pub use openapi::document;
pub use server::{Server, router};
