//! What `permissions: {http: [..]}` says of the host that something is sent to.

use millwork_engine::{
    diag::{Code, Diagnostic, Span},
    model::Fault,
    step::{CheckContext, SecretText, StepContext, Templated},
};
use reqwest::Url;

use crate::address::written;

/// The problem of a host that is written in the pipeline; `None` where it is not, for then the run looks at it.
pub(crate) fn not_permitted(host: &str, port: u16, at: Span, cx: &CheckContext<'_>) -> Option<Diagnostic> {
    if cx.permissions.allow_host(host, port) {
        return None;
    }
    let message = format!("sending to `{host}` is outside of what `permissions: http` allows");
    Some(Diagnostic::new(Code::NotPermitted, at, message).help(allowed(cx.permissions.hosts())))
}

/// The same of an address.
pub(crate) fn url_not_permitted(address: &Templated<SecretText>, cx: &CheckContext<'_>) -> Option<Diagnostic> {
    let url = written(address)?.ok()?;
    let (host, port) = target(&url);
    not_permitted(host, port, address.span(), cx)
}

/// The fault `permissions.http` of a host that may not be reached.
pub(crate) fn permit(host: &str, port: u16, cx: &StepContext) -> Result<(), Fault> {
    if cx.permissions.allow_host(host, port) {
        return Ok(());
    }
    let message = format!("nothing may be sent to `{host}`: it is outside of what `permissions: http` allows");
    Err(Fault::user("permissions.http", message).help(allowed(cx.permissions.hosts())))
}

/// The same of an address.
pub(crate) fn permit_url(url: &Url, cx: &StepContext) -> Result<(), Fault> {
    let (host, port) = target(url);
    permit(host, port, cx)
}

fn target(url: &Url) -> (&str, u16) {
    (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

fn allowed(hosts: &[String]) -> String {
    format!("allowed: {}", hosts.join(", "))
}
