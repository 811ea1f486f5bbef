//! Whether a request comes from a page of this server: checks of `Host`, `Origin` and `Sec-Fetch-Site`.
//!
//! A page of a stranger can make a browser send requests here. Two things protect from that: `Host` must be a name
//! of this server, so that no stranger's name can be pointed at it (DNS rebinding), and what changes something must
//! come from a page of the same origin. An address in `Host` cannot be rebound; a name can.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use millwork_engine::model::Fault;

use super::authority::{Authority, Host};

/// What a request says of where it comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Incoming<'a> {
    /// The header `Host`.
    pub host: Option<&'a str>,
    /// The header `Origin`.
    pub origin: Option<&'a str>,
    /// The header `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// Whether the method may change something: anything but GET, HEAD and OPTIONS.
    pub is_unsafe: bool,
    /// Whether a browser adds by itself what lets the request in: a cookie, or nothing at all where nothing is
    /// needed. Not so a token in `Authorization`.
    pub is_ambient: bool,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// The header `Host` is missing, is none, or is no name of this server.
    #[error("`{0}` in the header `Host` is no name of this server")]
    Host(String),
    /// The header `Origin` is another server's.
    #[error("the request was made by a page of another server: `{0}`")]
    Origin(String),
    /// The browser says that the page is of another site.
    #[error("the request was made by a page of another site")]
    Site,
}

impl From<Foreign> for Fault {
    fn from(foreign: Foreign) -> Self {
        let message = foreign.to_string();
        match foreign {
            Foreign::Host(_) => Self::user("auth.host", message)
                .help("use the address that the server listens on, or allow the name with `--host NAME`"),
            Foreign::Origin(_) | Foreign::Site => Self::user("auth.origin", message)
                .help("send a token in the header `Authorization` from a program, not from a page of another server"),
        }
    }
}

/// Names and addresses of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPolicy {
    names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    /// It listens on every address of the machine, so any address may be its own.
    is_everywhere: bool,
}

impl HostPolicy {
    /// The server listens on these addresses and is also known by these names.
    pub fn new<T: AsRef<str>>(binds: &[SocketAddr], allowed: impl IntoIterator<Item = T>) -> Result<Self, Fault> {
        let mut policy = Self {
            names: BTreeSet::from(["localhost".to_owned()]),
            addresses: BTreeSet::from([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
            is_everywhere: binds.iter().any(|bind| bind.ip().is_unspecified()),
        };
        policy.addresses.extend(binds.iter().map(|bind| bind.ip().to_canonical()));
        for text in allowed {
            match Authority::read(text.as_ref()) {
                Some(Authority { host: Host::Name(name), port: None }) => drop(policy.names.insert(name)),
                Some(Authority { host: Host::Address(ip), port: None }) => drop(policy.addresses.insert(ip)),
                _ => {
                    let shown = super::token_record::shown(text.as_ref());
                    return Err(Fault::user("auth.allowed_host", format!("`{shown}` is no name of a host"))
                        .help("give the name alone, as in `millwork.example.com`: no scheme, no port, no `*`"));
                }
            }
        }
        Ok(policy)
    }

    /// Whether a request may be answered at all.
    pub fn check(&self, request: Incoming<'_>) -> Result<(), Foreign> {
        let text = request.host.unwrap_or_default();
        let host = Authority::read(text).filter(|host| self.is_own(&host.host));
        let host = host.ok_or_else(|| Foreign::Host(super::token_record::shown(text)))?;
        if !request.is_unsafe {
            return Ok(());
        }
        if let Some(origin) = request.origin
            && !is_same_origin(origin, &host)
        {
            return Err(Foreign::Origin(super::token_record::shown(origin)));
        }
        if request.is_ambient && request.fetch_site.is_some_and(|site| site.eq_ignore_ascii_case("cross-site")) {
            return Err(Foreign::Site);
        }
        Ok(())
    }

    /// Any port will do: containers and tunnels give the server another one, and a name is rebound with any.
    fn is_own(&self, host: &Host) -> bool {
        match host {
            Host::Name(name) => self.names.contains(name),
            Host::Address(ip) => self.is_everywhere || self.addresses.contains(ip),
        }
    }
}

/// Whether an origin is that of a host. A scheme decides only which port is meant where none is said: a server does
/// not know whether something before it speaks TLS.
fn is_same_origin(origin: &str, host: &Authority) -> bool {
    let schemes = [("http://", 80), ("https://", 443)];
    let read = |(scheme, port): (&str, u16)| Some((Authority::read(origin.strip_prefix(scheme)?)?, port));
    let Some((origin, default)) = schemes.into_iter().find_map(read) else { return false };
    origin.host == host.host && origin.port.unwrap_or(default) == host.port.unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(bind: &str, allowed: &[&str]) -> HostPolicy {
        HostPolicy::new(&[bind.parse().unwrap()], allowed).unwrap()
    }

    #[test]
    fn which_hosts_are_ours() {
        let (home, lan, all) = ("127.0.0.1:8080", "192.168.1.5:8080", "0.0.0.0:8080");
        let named = &["millwork.example.com", "10.0.0.9"][..];
        let table = [
            (home, &[][..], "localhost:8080", true),
            (home, &[], "LOCALHOST", true),
            (home, &[], "127.0.0.1:8080", true),
            (home, &[], "127.0.0.1:9000", true),
            (home, &[], "[::1]:8080", true),
            (home, &[], "[::ffff:127.0.0.1]:8080", true),
            (home, &[], "", false),
            (home, &[], "evil.example", false),
            (home, &[], "localhost.evil.example", false),
            (home, &[], "127.0.0.1.evil.example", false),
            (home, &[], "evil.example:127.0.0.1", false),
            (home, &[], "user@localhost:8080", false),
            (home, &[], "192.168.1.5:8080", false),
            (home, named, "Millwork.example.com", true),
            (home, named, "millwork.example.com:443", true),
            (home, named, "other.example.com", false),
            (home, named, "x.millwork.example.com", false),
            (home, named, "10.0.0.9", true),
            (lan, &[], "192.168.1.5:8080", true),
            (lan, &[], "192.168.1.6:8080", false),
            (all, &[], "192.168.1.6:8080", true),
            (all, &[], "evil.example:8080", false),
        ];
        for (bind, allowed, host, good) in table {
            for is_unsafe in [false, true] {
                let request = Incoming { host: Some(host), is_unsafe, ..Incoming::default() };
                assert_eq!(policy(bind, allowed).check(request).is_ok(), good, "{bind} {allowed:?} {host}");
            }
        }
        let none = policy(home, &[]).check(Incoming::default());
        assert_eq!(none, Err(Foreign::Host(String::new())));
    }

    #[test]
    fn which_origins_are_ours() {
        let table = [
            ("localhost:8080", "http://localhost:8080", true),
            ("localhost:8080", "HTTP://localhost:8080", false),
            ("localhost:8080", "http://LOCALHOST:8080", true),
            ("localhost:8080", "http://localhost:3000", false),
            ("localhost:8080", "http://127.0.0.1:8080", false),
            ("localhost:8080", "http://localhost", false),
            ("localhost:8080", "http://evil.example", false),
            ("localhost:8080", "http://evil.example:8080", false),
            ("localhost:8080", "null", false),
            ("localhost:8080", "", false),
            ("localhost:8080", "file://localhost:8080", false),
            ("localhost:8080", "http://localhost:8080/", false),
            ("localhost:8080", "http://localhost:8080@evil.example", false),
            ("[::1]:8080", "http://[::1]:8080", true),
            ("localhost", "http://localhost", true),
            ("localhost", "http://localhost:80", true),
            ("localhost:80", "http://localhost", true),
            ("localhost:443", "https://localhost", true),
            ("localhost", "https://localhost", true),
            ("localhost:80", "https://localhost", false),
        ];
        for (host, origin, good) in table {
            let policy = policy("127.0.0.1:8080", &[]);
            let request = Incoming { host: Some(host), origin: Some(origin), ..Incoming::default() };
            assert_eq!(policy.check(request), Ok(()), "what only reads may come from anywhere: {origin}");
            let found = policy.check(Incoming { is_unsafe: true, ..request });
            assert_eq!(found.is_ok(), good, "{host} {origin}");
        }
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let table = [
            (Some("cross-site"), true, true, false),
            (Some("Cross-Site"), true, true, false),
            (Some("cross-site"), true, false, true),
            (Some("cross-site"), false, true, true),
            (Some("same-site"), true, true, true),
            (Some("same-origin"), true, true, true),
            (Some("none"), true, true, true),
            (None, true, true, true),
        ];
        for (fetch_site, is_unsafe, is_ambient, good) in table {
            let request = Incoming { host: Some("localhost"), origin: None, fetch_site, is_unsafe, is_ambient };
            let found = policy("127.0.0.1:80", &[]).check(request);
            assert_eq!(found.is_ok(), good, "{request:?}");
        }
    }

    #[test]
    fn what_can_be_allowed() {
        let table = [
            ("millwork.example.com", true),
            ("build_7", true),
            ("10.0.0.9", true),
            ("[fd00::1]", true),
            ("", false),
            ("*", false),
            ("*.example.com", false),
            ("https://example.com", false),
            ("example.com:443", false),
            ("example.com.", false),
            ("exämple.com", false),
        ];
        for (name, good) in table {
            let made = HostPolicy::new(&[], [name]);
            assert_eq!(made.is_ok(), good, "{name}");
            assert!(made.is_ok() || made.is_err_and(|fault| fault.code.as_str() == "auth.allowed_host"));
        }
        let fault = Fault::from(Foreign::Host("x".to_owned()));
        assert_eq!(fault.code.as_str(), "auth.host");
        assert_eq!(Fault::from(Foreign::Site).code.as_str(), "auth.origin");
    }
}
