//! Who asks, and why somebody is refused.

use std::time::Duration;

use millwork_engine::{
    model::{Fault, Retry},
    store::StoreError,
};

use super::{Permission, PipelineScope, Role};

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// A token's id, or `local`.
    pub id: String,
    /// A token's name, or `local`: the actor of the audit log.
    pub name: String,
    /// How much they may do.
    pub role: Role,
    /// Which pipelines they see.
    pub scope: PipelineScope,
    /// How many requests a minute they may make; `None` if nothing limits them.
    pub per_minute: Option<u32>,
    /// How many runs a day they may start; `None` if nothing limits them.
    pub runs_per_day: Option<u32>,
}

impl Principal {
    /// Name and id of whoever sits at the machine, where no token is needed.
    pub const LOCAL: &'static str = "local";

    /// Whoever sits at the machine: they may do everything.
    pub fn local() -> Self {
        let local = Self::LOCAL.to_owned();
        Self {
            id: local.clone(),
            name: local,
            role: Role::Admin,
            scope: PipelineScope::all(),
            per_minute: None,
            runs_per_day: None,
        }
    }

    /// Whether they may do something, to a pipeline or to none in particular. To be asked before the pipeline is
    /// looked up: one outside the scope and one that is not there must give the same answer.
    pub fn may(&self, permission: Permission, pipeline: Option<&str>) -> Result<(), Denied> {
        if pipeline.is_some_and(|pipeline| !self.scope.contains(pipeline)) {
            return Err(Denied::Hidden);
        }
        // Who manages tokens can make one without limits, so a scope would limit nothing.
        let limited = permission == Permission::Administer && !self.scope.is_all();
        if limited || !self.role.allows(permission) {
            return Err(Denied::Forbidden { needs: permission.needs() });
        }
        Ok(())
    }

    /// Whether they see a pipeline: what lists leave out.
    pub fn sees(&self, pipeline: &str) -> bool {
        self.may(Permission::Read, Some(pipeline)).is_ok()
    }
}

/// Why somebody is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token, or one that was never made.
    #[error("the request has no token, or none that is known")]
    Unauthenticated,
    /// The token or the session is over.
    #[error("the token or the session has expired")]
    Expired,
    /// Somebody took the token back.
    #[error("the token was revoked")]
    Revoked,
    /// The role is too small.
    #[error("this needs the role {needs}")]
    Forbidden {
        /// The least role that is enough.
        needs: Role,
    },
    /// The pipeline is outside the scope, which looks as if it were not there.
    #[error("there is no such pipeline")]
    Hidden,
    /// Too many requests or failed logins.
    #[error("too many requests: the next may come in {} s", retry_after.as_secs_f64().ceil().max(1.0))]
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The token would have started more runs today than it may.
    #[error("the token may start {limit} runs a day, of which {left} are left; the next day begins in {} s", retry_after.as_secs_f64().ceil().max(1.0))]
    Quota {
        /// Runs of a day.
        limit: u32,
        /// Those that were not started yet.
        left: u32,
        /// What is left of the day.
        retry_after: Duration,
    },
    /// A request with a cookie does not prove that a page of this server made it.
    #[error("the request comes with a session, but without the session's CSRF token")]
    Csrf,
    /// Nobody can be let in at present, because the state cannot be read.
    #[error("{0}")]
    Unavailable(Fault),
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        let message = denied.to_string();
        match denied {
            Denied::Unauthenticated => Self::user("auth.missing", message)
                .help("send `Authorization: Bearer mw_...`; an admin makes tokens, with `POST /api/v1/tokens`"),
            Denied::Expired => {
                Self::user("auth.expired", message).help("log in again, or ask an admin for a new token")
            }
            Denied::Revoked => Self::user("auth.revoked", message).help("ask an admin for another token"),
            Denied::Forbidden { .. } => Self::user("auth.forbidden", message).help("use a token of that role"),
            Denied::Hidden => Self::user("pipeline.unknown", message),
            Denied::Throttled { retry_after } => {
                let millis = u64::try_from(retry_after.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
                Self::user("auth.throttled", message).retry(Retry::AfterMillis(millis))
            }
            Denied::Quota { retry_after, .. } => {
                let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                Self::user("auth.quota", message)
                    .retry(Retry::AfterMillis(millis))
                    .help("wait for the next day (UTC), or ask an admin for a token with a larger `runs_per_day`")
            }
            Denied::Csrf => Self::user("auth.csrf", message)
                .help("send what `GET /api/v1/session` gives as `csrf` in the header `X-Millwork-CSRF`"),
            Denied::Unavailable(fault) => fault,
        }
    }
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Permission::*, *};

    fn principal(role: Role, patterns: &[&str]) -> Principal {
        Principal { role, scope: PipelineScope::parse(patterns).unwrap(), ..Principal::local() }
    }

    #[test]
    fn what_is_allowed() {
        let forbidden = |needs| Err(Denied::Forbidden { needs });
        let (viewer, operator, admin) = (Role::Viewer, Role::Operator, Role::Admin);
        let table = [
            (viewer, &[][..], Read, Some("orders"), Ok(())),
            (viewer, &[], Operate, Some("orders"), forbidden(operator)),
            (viewer, &[], Administer, None, forbidden(admin)),
            (viewer, &["nightly_*"], Read, Some("nightly_sums"), Ok(())),
            (viewer, &["nightly_*"], Read, None, Ok(())),
            (viewer, &["nightly_*"], Read, Some("orders"), Err(Denied::Hidden)),
            (viewer, &["nightly_*"], Operate, Some("orders"), Err(Denied::Hidden)),
            (operator, &["orders"], Operate, Some("orders"), Ok(())),
            (operator, &["orders"], Operate, Some("sums"), Err(Denied::Hidden)),
            (operator, &[], Administer, None, forbidden(admin)),
            (admin, &[], Administer, None, Ok(())),
            (admin, &["*"], Administer, Some("orders"), Ok(())),
            (admin, &["orders"], Administer, None, forbidden(admin)),
            (admin, &["orders"], Operate, Some("sums"), Err(Denied::Hidden)),
        ];
        for (role, patterns, permission, pipeline, expected) in table {
            let found = principal(role, patterns).may(permission, pipeline);
            assert_eq!(found, expected, "{role} {patterns:?} {permission:?} {pipeline:?}");
        }
        assert!(principal(viewer, &["a"]).sees("a") && !principal(viewer, &["a"]).sees("b"));
    }

    #[test]
    fn each_refusal_has_its_code() {
        let after = |millis| Denied::Throttled { retry_after: Duration::from_millis(millis) };
        let table = [
            (Denied::Unauthenticated, "auth.missing"),
            (Denied::Expired, "auth.expired"),
            (Denied::Revoked, "auth.revoked"),
            (Denied::Forbidden { needs: Role::Admin }, "auth.forbidden"),
            (Denied::Hidden, "pipeline.unknown"),
            (after(1_500), "auth.throttled"),
            (Denied::Csrf, "auth.csrf"),
            (StoreError::Unknown.into(), "store.unknown"),
        ];
        for (denied, code) in table {
            assert_eq!(Fault::from(denied).code.as_str(), code);
        }
        let fault = Fault::from(after(1_500));
        assert_eq!(fault.retry, Retry::AfterMillis(1_500));
        assert!(fault.message.ends_with("in 2 s"), "{fault}");
    }
}
