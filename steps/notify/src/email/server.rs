use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, Tokio1Executor,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use millwork_engine::{
    diag::{Code, Diagnostic},
    model::{Fault, Retry},
    step::{CheckContext, Resolved, SecretText, Templated},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::config::EmailConfig;
use crate::{
    address::{in_the_open, is_here},
    hosts::not_permitted,
    http::CONNECT,
    masks::Masks,
};

/// Where mails are handed over, and how.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerConfig {
    /// Its name, such as `smtp.example.com`.
    pub host: Templated<String>,
    /// Its port; 587 for `starttls`, 465 for `implicit` and 25 for `none` if not given.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is encrypted; `starttls` if not given.
    #[serde(default)]
    pub tls: Encryption,
    /// The name to log in with; nobody logs in if not given.
    #[serde(default)]
    pub user: Option<Templated<SecretText>>,
    /// The password to log in with, a secret.
    #[serde(default)]
    pub password: Option<Templated<SecretText>>,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encryption {
    /// It begins in plain and must be encrypted before anything is said.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
    /// Not at all: for a server on this machine or in a network that is trusted.
    None,
}

impl Encryption {
    fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// A server with everything known.
pub(super) struct Server {
    pub host: String,
    pub port: u16,
    tls: Encryption,
    login: Option<Credentials>,
    /// Secrets of the login.
    pub masks: Masks,
}

impl ServerConfig {
    /// Everything that can be said of it before a run.
    pub(super) fn problems(&self, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let host = self.host.literal();
        let port = self.port.unwrap_or(self.tls.port());
        problems.extend(host.as_ref().and_then(|host| not_permitted(host, port, self.host.span(), cx)));
        if host.as_deref().is_some_and(|host| !is_host(host)) {
            let problem = Diagnostic::new(Code::BadHost, self.host.span(), "this is not the name of a server");
            problems.push(
                problem.help("write it without scheme and port, like `smtp.example.com`; `port:` is a key of its own"),
            );
        }
        match (&self.user, &self.password) {
            (Some(one), None) => problems.push(
                Diagnostic::new(Code::MissingKey, one.span(), "`user` needs a `password`")
                    .help("add `password: \"${{ secrets.NAME }}\"`, or remove `user`"),
            ),
            (None, Some(one)) => problems.push(
                Diagnostic::new(Code::MissingKey, one.span(), "`password` needs a `user`")
                    .help("add `user`, or remove `password`"),
            ),
            _ => {}
        }
        if let Some(password) = &self.password {
            problems.extend(in_the_open("a password", password));
            if self.tls == Encryption::None && host.is_some_and(|host| !is_here(&host)) {
                let message = "the password would be sent in plain: `tls: none` has no place here";
                let problem = Diagnostic::new(Code::ConflictingKeys, password.span(), message);
                problems.push(problem.help("use `tls: starttls` or `tls: implicit`"));
            }
        }
        problems
    }

    /// The server in a run.
    pub(super) fn resolved(&self, config: &Resolved<'_, EmailConfig>) -> Result<Server, Fault> {
        let host = config.get(&self.host)?.trim().to_owned();
        if !is_host(&host) {
            return Err(Fault::user("notify.url", format!("`server.host` is not the name of a server: `{host}`")));
        }
        let mut masks = Masks::default();
        let login = match (config.get_opt(&self.user)?, config.get_opt(&self.password)?) {
            (Some(user), Some(password)) => {
                if self.tls == Encryption::None && !is_here(&host) {
                    let message = format!("the password would be sent to `{host}` in plain");
                    return Err(Fault::user("notify.tls", message).help("use `tls: starttls` or `tls: implicit`"));
                }
                masks.add(password.expose());
                // Secrets in files often end with a line break.
                let text = |secret: &SecretText| secret.expose().trim_end_matches(['\r', '\n']).to_owned();
                Some(Credentials::new(text(&user), text(&password)))
            }
            _ => None,
        };
        Ok(Server { host, port: self.port.unwrap_or(self.tls.port()), tls: self.tls, login, masks })
    }
}

/// Letters, digits, dots and hyphens, or an address of IPv6.
fn is_host(host: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || ".-_".contains(c);
    !host.is_empty() && (host.chars().all(plain) || host.parse::<std::net::Ipv6Addr>().is_ok())
}

impl Server {
    /// As people know it.
    pub(super) fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What sends to it; a connection is made with each mail.
    pub(super) fn transport(&self, timeout: Duration) -> Result<AsyncSmtpTransport<Tokio1Executor>, Fault> {
        let parameters = || {
            TlsParameters::new(self.host.clone()).map_err(|e| {
                let message = format!("nothing can be encrypted for `{}`: {e}", self.host);
                Fault::external("notify.tls", message).retry(Retry::Never)
            })
        };
        let tls = match self.tls {
            Encryption::Starttls => Tls::Required(parameters()?),
            Encryption::Implicit => Tls::Wrapper(parameters()?),
            Encryption::None => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.clone())
            .port(self.port)
            .tls(tls)
            .timeout(Some(CONNECT.min(timeout)));
        Ok(match &self.login {
            Some(login) => builder.credentials(login.clone()).build(),
            None => builder.build(),
        })
    }
}
