use std::{error::Error, time::Duration};

use millwork_engine::model::{Fault, Retry, Timestamp, units::show_duration};
use reqwest::{StatusCode, Url, header::LOCATION};

use super::{CONNECT, Reply, hint};
use crate::{address::shown, masks::Masks, once::excerpt};

/// Characters of an answer that a fault shows.
const SHOWN: usize = 200;

/// The fault of a request that got no answer.
pub(super) fn of_error(error: &reqwest::Error, host: &str, limit: Duration, masks: &Masks) -> Fault {
    let why = masks.clean(&innermost(error));
    if error.is_dns() {
        return Fault::external("notify.dns", format!("the address of `{host}` cannot be found: {why}"));
    }
    if why.contains("certificate") {
        return Fault::external("notify.tls", format!("`{host}` cannot prove who it is: {why}")).retry(Retry::Never);
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => {
            let limit = show_duration(CONNECT.min(limit));
            Fault::external("notify.connect", format!("`{host}` did not take a connection within {limit}"))
        }
        (true, false) => {
            Fault::external("notify.timeout", format!("`{host}` did not answer within {}", show_duration(limit)))
                .help("it may have received what was sent; another try sends the same id")
        }
        (false, true) => Fault::external("notify.connect", format!("no connection to `{host}`: {why}")),
        (false, false) => Fault::external("notify.lost", format!("the connection to `{host}` broke: {why}"))
            .help("it may have received what was sent; another try sends the same id"),
    }
}

/// The last reason of an error: those before it may name the address.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut reason = error.source();
    while let Some(deeper) = reason.and_then(Error::source) {
        reason = Some(deeper);
    }
    reason.map_or_else(|| "no reason is known".to_owned(), ToString::to_string)
}

/// The fault of an answer that is not the one hoped for.
pub(crate) fn of_status(reply: &Reply, host: &str, now: Timestamp) -> Fault {
    let said = excerpt(&reply.body, SHOWN);
    let code = StatusCode::from_u16(reply.status).unwrap_or_default();
    let name = code.canonical_reason().map(|name| format!(" {name}")).unwrap_or_default();
    let mut message = format!("`{host}` answered {}{name}", reply.status);
    if !said.is_empty() {
        message.push_str(": ");
        message.push_str(&said);
    }
    match reply.status {
        429 => Fault::external("notify.busy", message).retry(hint(&reply.headers, now)),
        // The server was not ready, or did not get all of it in time.
        408 | 425 | 500.. => Fault::external("notify.unavailable", message).retry(hint(&reply.headers, now)),
        300..400 => redirected(reply, host),
        400..500 => Fault::user("notify.refused", message),
        _ => Fault::user("notify.status", message).help("name the status in `expect` if it is a good one"),
    }
}

fn redirected(reply: &Reply, host: &str) -> Fault {
    let target = reply.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let to = match target.and_then(|target| Url::parse(target).ok()) {
        Some(url) => format!("to `{}`", shown(&url)),
        None => "elsewhere".to_owned(),
    };
    let message = format!("`{host}` answered {} and points {to}: redirects are not followed", reply.status);
    Fault::user("notify.redirect", message).help("give the address that it leads to")
}
