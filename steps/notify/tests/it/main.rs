//! The kinds of this family in whole runs, against servers on this machine that speak what real ones speak.

mod checking;
mod email;
mod http_server;
mod lab;
mod once;
mod slack;
mod smtp_server;
mod tls;
mod webhook;
