//! A real server, asked by a real client.

mod auth;
mod call;
mod events;
mod hooks;
mod kinds;
mod odd;
mod openapi;
mod place;
mod queue;
mod runs;
mod scope;
mod session;
mod sse;
mod times;
