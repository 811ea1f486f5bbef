//! What stands in `Host`, and after the scheme in `Origin`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A name in lower case, or an address; IPv4 inside IPv6 is IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

/// A host, and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) host: Host,
    pub(super) port: Option<u16>,
}

impl Authority {
    /// Reads `name`, `name:port`, `1.2.3.4:port` or `[v6]:port`, and nothing else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(inside) => {
                let (v6, rest) = inside.split_once(']')?;
                (Host::Address(IpAddr::from(v6.parse::<Ipv6Addr>().ok()?).to_canonical()), rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                (name.parse::<Ipv4Addr>().map_or_else(|_| host_name(name), |v4| Some(Host::Address(v4.into())))?, rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            None if rest.is_empty() => None,
            _ => return None,
        };
        Some(Self { host, port })
    }
}

/// A name as DNS has it. One whose last part begins with a digit is an address in a spelling that is not ours to know.
fn host_name(text: &str) -> Option<Host> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let good = text.len() <= 253 && text.split('.').all(|part| !part.is_empty() && part.bytes().all(plain));
    let number = text.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    (good && !number).then(|| Host::Name(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plain_is_read() {
        let address = |text: &str| Host::Address(text.parse().unwrap());
        let name = |text: &str| Host::Name(text.to_owned());
        let table = [
            ("LocalHost", Some((name("localhost"), None))),
            ("build_7.example.com:80", Some((name("build_7.example.com"), Some(80)))),
            ("127.0.0.1:8080", Some((address("127.0.0.1"), Some(8080)))),
            ("[::1]", Some((address("::1"), None))),
            ("[::ffff:10.0.0.1]:1", Some((address("10.0.0.1"), Some(1)))),
            ("", None),
            (":80", None),
            ("::1", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[127.0.0.1]", None),
            ("[fe80::1%eth0]", None),
            ("localhost:", None),
            ("localhost:+1", None),
            ("localhost:99999", None),
            ("localhost:8080:1", None),
            ("evil.example:127.0.0.1", None),
            ("user@localhost", None),
            ("localhost/", None),
            ("localhost, evil.example", None),
            (" localhost", None),
            ("localhost.", None),
            ("a..b", None),
            ("0x7f.1", None),
            ("127.1", None),
            ("2130706433", None),
            ("*.example.com", None),
        ];
        for (text, expected) in table {
            let read = Authority::read(text).map(|authority| (authority.host, authority.port));
            assert_eq!(read, expected, "{text}");
        }
        assert_eq!(Authority::read(&"a".repeat(254)), None);
    }
}
