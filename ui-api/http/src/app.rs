use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use millwork_engine::model::Fault;
use millwork_service::{
    Service,
    auth::{Denied, HostPolicy, Limiter, Principal, Throttle},
};

use crate::attempts::Attempts;

/// How the API is opened.
#[derive(Debug, Clone, Default)]
pub struct AppOptions {
    /// Addresses that it listens on.
    pub binds: Vec<SocketAddr>,
    /// Names of this server beside those addresses.
    pub hosts: Vec<String>,
    /// Bytes that a request's body may have.
    pub body_limit: Option<usize>,
}

/// What every request is handed.
#[derive(Debug, Clone)]
pub struct App {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    service: Arc<Service>,
    hosts: HostPolicy,
    loopback: bool,
    body_limit: usize,
    limiter: Mutex<Limiter>,
    throttle: Mutex<Throttle>,
    attempts: Attempts,
}

/// Bytes that a request's body may have unless something else is said.
const BODY: usize = 16 << 20;

impl App {
    /// Refuses to serve beyond this machine without a token: `serve.open`.
    pub async fn new(service: Arc<Service>, options: AppOptions) -> Result<Self, Fault> {
        let loopback = options.binds.iter().all(|bind| bind.ip().to_canonical().is_loopback());
        if !loopback && !service.tokens().any().await? {
            return Err(Fault::user(
                "serve.open",
                "this address can be reached from other machines, and there is no token",
            )
            .help(format!(
                "make one with `millwork token create NAME --role admin --home {}`, or listen on 127.0.0.1",
                service.engine().home().display()
            )));
        }
        let hosts = HostPolicy::new(&options.binds, &options.hosts)?;
        let body_limit = options.body_limit.unwrap_or(BODY);
        let attempts = Attempts::default();
        let (limiter, throttle) = (Mutex::new(Limiter::new()), Mutex::new(Throttle::new()));
        Ok(Self { inner: Arc::new(Inner { service, hosts, loopback, body_limit, limiter, throttle, attempts }) })
    }

    /// The service.
    pub(crate) fn service(&self) -> &Arc<Service> {
        &self.inner.service
    }

    /// Attempts of steps, as far as they were read.
    pub(crate) fn attempts(&self) -> &Attempts {
        &self.inner.attempts
    }

    pub(crate) fn hosts(&self) -> &HostPolicy {
        &self.inner.hosts
    }

    pub(crate) fn body_limit(&self) -> usize {
        self.inner.body_limit
    }

    /// Whether nobody needs a token: it is reached from this machine only, and there never was one.
    pub(crate) async fn is_open(&self) -> Result<bool, Denied> {
        let configured = self.service().tokens().configured().await;
        Ok(self.inner.loopback && !configured.map_err(|error| Denied::Unavailable(error.into()))?)
    }

    /// Counts a request of somebody.
    pub(crate) fn admit(&self, principal: &Principal) -> Result<(), Denied> {
        let Some(per_minute) = principal.per_minute else { return Ok(()) };
        let mut limiter = self.inner.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = limiter.admit(&principal.id, per_minute, self.service().now());
        admitted.map_err(|retry_after| Denied::Throttled { retry_after })
    }

    /// Counts an attempt to log in.
    pub(crate) fn attempt(&self, from: IpAddr) -> Result<(), Denied> {
        let mut throttle = self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.service().now();
        throttle.attempt(from, now).map_err(|retry_after| Denied::Throttled { retry_after })
    }

    /// A login that was right.
    pub(crate) fn logged_in(&self, from: IpAddr) {
        self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner).succeeded(from);
    }
}
