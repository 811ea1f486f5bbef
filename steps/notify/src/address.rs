//! Addresses that may be secrets: what is wrong with one, and the part of it that may be shown.

use millwork_engine::{
    diag::{Code, Diagnostic},
    expr::{Piece, Template, TemplateKind},
    model::Fault,
    step::{SecretText, Templated},
};
use reqwest::Url;

/// Reads an address. The error is a sentence without the text, which may be a secret.
pub(crate) fn read(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|e| match e.to_string() {
        why if why.contains("without a base") => "it does not begin with `https://`",
        why if why.contains("host") => "it names no host",
        _ => "it cannot be read",
    })?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("it begins with neither `https://` nor `http://`");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a name and a password cannot stand in it: give them in the header `Authorization`");
    }
    Ok(url)
}

/// The same in a run, where a wrong one is the fault `notify.url`.
pub(crate) fn resolved(field: &str, text: &SecretText) -> Result<Url, Fault> {
    read(text.expose()).map_err(|why| {
        Fault::user("notify.url", format!("`{field}` is no address to send to: {why}"))
            .help("write it like `https://example.com/hook`")
    })
}

/// Host and port: the only part of an address that is shown.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The problem of an address that is written in the pipeline, or begins there.
pub(crate) fn problem(field: &str, address: &Templated<SecretText>) -> Option<Diagnostic> {
    let why = written(address)?.err()?;
    let problem = Diagnostic::new(Code::WrongShape, address.span(), format!("`{field}` is no address: {why}"));
    Some(problem.help("write it like `https://example.com/hook`, or `\"${{ secrets.NAME }}\"`"))
}

/// What is written of an address: all of it, or the part before its first expression if the host is whole there.
pub(crate) fn written(address: &Templated<SecretText>) -> Option<Result<Url, &'static str>> {
    if let Some(text) = address.literal() {
        return Some(read(text.expose()));
    }
    let start = beginning(address.template())?;
    let (_, rest) = start.split_once("://")?;
    rest.contains(['/', '?', '#']).then(|| read(start))
}

fn beginning(template: &Template) -> Option<&str> {
    match &template.kind {
        TemplateKind::Text(pieces) => match pieces.first()? {
            Piece::Text(text) => Some(text),
            Piece::Expr(_) => None,
        },
        _ => None,
    }
}

/// The problem of a secret whose text stands in the pipeline.
pub(crate) fn in_the_open(what: &str, secret: &Templated<SecretText>) -> Option<Diagnostic> {
    secret.literal()?;
    let problem = Diagnostic::new(Code::PlainSecret, secret.span(), format!("{what} stands in the file"));
    Some(problem.help("write `\"${{ secrets.NAME }}\"`, and give the secret through the environment or a file"))
}

/// Whether a host is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_only_hosts_are_shown() {
        for (text, expected) in [
            ("https://example.com/a/secret?k=v", "example.com"),
            ("http://localhost:8080/x", "localhost:8080"),
            ("https://example.com:443/", "example.com"),
            ("http://[::1]:99/", "[::1]:99"),
        ] {
            assert_eq!(read(text).map(|url| shown(&url)).as_deref(), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("example.com/hook", "it does not begin with `https://`"),
            ("ftp://example.com", "it begins with neither `https://` nor `http://`"),
            ("https://", "it names no host"),
            ("https://ann:pw@example.com", "a name and a password cannot stand in it"),
            ("https://exa mple.com", ""),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.starts_with(expected), "{text}: {why}");
        }
        assert!(is_here("localhost") && is_here("127.0.0.1") && is_here("[::1]") && !is_here("example.com"));
    }
}
