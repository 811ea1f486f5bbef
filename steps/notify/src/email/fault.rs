use std::{error::Error as _, time::Duration};

use lettre::transport::smtp::Error;
use millwork_engine::model::{Fault, Retry, units::show_duration};

use crate::{masks::Masks, once::excerpt};

/// Characters of a server's words that a fault shows.
const SHOWN: usize = 200;
const REPEATED: &str = "the server may have taken the mail; another try sends the same Message-ID";

/// The fault of a mail that the server did not take.
pub(super) fn of(error: &Error, server: &str, masks: &Masks) -> Fault {
    let words = error.source().map(ToString::to_string).unwrap_or_default();
    let words = excerpt(&masks.clean(&words), SHOWN);
    if let Some(code) = error.status() {
        let code = code.to_string();
        let message = format!("`{server}` answered {code}: {words}");
        return match code.as_str() {
            "530" | "534" | "535" | "538" => Fault::user("notify.login", message)
                .help("look at `user` and `password` of `server`; many servers want a password for programs"),
            _ if error.is_transient() => Fault::external("notify.smtp_busy", message),
            _ => Fault::user("notify.smtp_refused", message),
        };
    }
    let why = if words.is_empty() { "no reason is known".to_owned() } else { words };
    if error.is_tls() || why.contains("certificate") {
        let message = format!("`{server}` cannot prove who it is, or does not encrypt: {why}");
        return Fault::external("notify.tls", message).retry(Retry::Never);
    }
    if error.is_client() {
        // Said by the client before anything was sent: an extension that the server does not have.
        let message = format!("`{server}` cannot take the mail: {why}");
        return Fault::user("notify.smtp_refused", message).help("look at `tls`, `user` and the addresses");
    }
    // The kind is not told otherwise; before a connection nothing was sent.
    if error.to_string().starts_with("Connection error") {
        if why.contains("lookup") {
            return Fault::external("notify.dns", format!("the address of `{server}` cannot be found: {why}"));
        }
        return Fault::external("notify.connect", format!("no connection to `{server}`: {why}"));
    }
    Fault::external("notify.lost", format!("the connection to `{server}` broke: {why}")).help(REPEATED)
}

/// The fault of a server that takes too long.
pub(super) fn too_slow(server: &str, limit: Duration) -> Fault {
    let message = format!("`{server}` did not take the mail within {}", show_duration(limit));
    Fault::external("notify.timeout", message).help(REPEATED)
}
