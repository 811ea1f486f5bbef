//! A real server, asked by a real client.

mod arrivals;
mod auth;
mod backfills;
mod call;
mod content;
mod events;
mod hooks;
mod kinds;
mod lapse;
mod late;
mod odd;
mod openapi;
mod parts;
mod place;
mod queue;
mod runs;
mod scope;
mod search;
mod session;
mod sse;
mod times;
mod views;
