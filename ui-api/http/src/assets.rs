//! The web UI: files in the binary. What `build.rs` found below `assets/`, with their types and digests.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::problem::Problem;

/// A file of the UI.
struct Asset {
    path: &'static str,
    kind: &'static str,
    tag: &'static str,
    bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A file of the UI, or the page that all its addresses have.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let found = path.strip_prefix("assets/").map(|name| ASSETS.iter().find(|asset| asset.path == name));
    let asset = match found {
        Some(Some(asset)) => asset,
        Some(None) => return Problem::missing("file", request.uri().path()).into_response(),
        None => match ASSETS.iter().find(|asset| asset.path == "index.html") {
            Some(page) => page,
            None => return Problem::missing("file", "index.html").into_response(),
        },
    };
    let same = crate::etag::known(request.headers(), asset.tag);
    let mut response = if same { StatusCode::NOT_MODIFIED.into_response() } else { asset.bytes.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::ETAG, HeaderValue::from_static(asset.tag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
