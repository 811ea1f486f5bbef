//! `notify.email`: a mail by SMTP.

mod attach;
mod config;
mod fault;
mod kind;
mod message;
mod people;
mod send;
mod server;

pub use kind::Email;
