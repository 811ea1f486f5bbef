use std::{any::Any, net::SocketAddr};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode, Uri},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
    serve::ListenerExt,
};
use millwork_engine::model::Fault;
use tokio::net::TcpListener;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{app::App, assets, guard::guard, openapi, problem::Problem, routes::hooks};

/// Everything that is served, over an app.
pub fn router(app: App) -> Router {
    let (api, document) = openapi::split();
    let limit = DefaultBodyLimit::max(app.body_limit());
    // Streams are not compressed: an event must not wait for more.
    let sized = tower_http::compression::predicate::SizeAbove::new(1024);
    let plain = tower_http::compression::predicate::NotForContentType::SSE;
    let compression = CompressionLayer::new().compress_when(tower_http::compression::Predicate::and(sized, plain));
    Router::new()
        .merge(api)
        .route("/hooks/{*path}", any(hooks::receive_hook))
        .route("/openapi.json", get(async move || axum::Json(document)))
        .route("/api", any(missing))
        .route("/api/", any(missing))
        .route("/api/{*rest}", any(missing))
        .fallback(get(assets::serve).fallback(unfit))
        .method_not_allowed_fallback(unfit)
        .layer(limit)
        .layer(compression)
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(app)
}

async fn missing(uri: Uri) -> Problem {
    Problem::missing("call", uri.path())
}

async fn unfit(method: Method, uri: Uri) -> Problem {
    Problem::rejected(StatusCode::METHOD_NOT_ALLOWED, format!("{} cannot be asked for with {method}", uri.path()))
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::from(Fault::internal("api.panic", "the call panicked; the log of the server says where")).into_response()
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
}

impl Server {
    /// Listens at some addresses; one that is taken is the fault `serve.address`.
    pub async fn bind(addresses: &[SocketAddr]) -> Result<Self, Fault> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            listeners.push(TcpListener::bind(address).await.map_err(|e| {
                Fault::external("serve.address", format!("{address} cannot be listened at: {e}"))
                    .help("stop what listens there, or choose another with `--listen`; port 0 takes any")
            })?);
        }
        Ok(Self { listeners })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop`, then lets what is under way come to its end.
    pub async fn serve(self, app: App, stop: tokio_util::sync::CancellationToken) -> Result<(), Fault> {
        let router = router(app);
        let serving = self.listeners.into_iter().map(|listener| {
            // An event is not to wait until the one before it was acknowledged.
            let listener = listener.tap_io(|stream| {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "small packets of a connection may be late");
                }
            });
            let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
            let stop = stop.clone();
            async move { axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await }
        });
        let served = futures::future::try_join_all(serving).await;
        served.map(drop).map_err(|e| Fault::external("serve.broken", format!("the server stopped: {e}")))
    }
}
