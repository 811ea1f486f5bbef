//! Bytes that runs left.

use std::io::SeekFrom;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use millwork_engine::model::{ArtifactId, Digest, Fault};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use crate::{
    app::App,
    etag,
    guard::{Caller, Read},
    problem::{Answer, Path, Problem, Query, Refusals},
};

/// How to give it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct As {
    /// The name to save it under.
    pub name: Option<String>,
    /// Whether it is to be shown rather than saved, in a sandbox.
    view: Option<u8>,
}

/// The type that a name stands for.
fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "csv" => "text/csv; charset=utf-8",
        "txt" | "log" | "md" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "parquet" => "application/vnd.apache.parquet",
        "arrow" => "application/vnd.apache.arrow.file",
        _ => "application/octet-stream",
    }
}

/// First and last byte of a `Range` with one range; `Err` if it is outside.
fn range(header: &str, bytes: u64) -> Option<Result<(u64, u64), ()>> {
    let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (from.parse::<u64>().ok(), to.parse::<u64>().ok()) {
        (Some(first), last) if to.is_empty() || last.is_some() => {
            (first, last.unwrap_or(u64::MAX).min(bytes.saturating_sub(1)))
        }
        (None, Some(last)) if from.is_empty() => (bytes.saturating_sub(last), bytes.saturating_sub(1)),
        _ => return None,
    };
    Some(if first <= last && first < bytes { Ok((first, last)) } else { Err(()) })
}

/// The bytes of an artifact, or a range of them. A token that is limited to some pipelines gets none: artifacts do not
/// belong to one.
#[utoipa::path(get, path = "/artifacts/{id}", tag = "artifacts", params(("id" = String, Path, description = "the artifact"), As, ("Range" = Option<String>, Header, description = "one range of bytes")), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 206, body = Vec<u8>, content_type = "application/octet-stream"), (status = 304, description = "as it was"), (status = 416, body = crate::problem::ProblemBody, content_type = "application/problem+json", description = "the range is outside"), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(id): Path<String>,
    Query(how): Query<As>,
    headers: HeaderMap,
) -> Answer<Response> {
    let missing = || Problem::missing("artifact", &id);
    if !caller.principal().scope.is_all() {
        return Err(missing());
    }
    let digest: Digest = id.strip_prefix("art_").unwrap_or(&id).parse().map_err(|_| missing())?;
    let artifact = ArtifactId(digest);
    let store = app.service().engine().artifacts();
    let path = store.local_path(artifact).ok_or_else(missing)?;
    send(&path, &format!("\"{digest}\""), &id, how, &headers).await
}

/// A file, or a range of it, for a browser that may not take it for a page of this server. `what` names it in problems.
pub(crate) async fn send(
    path: &std::path::Path,
    tag: &str,
    what: &str,
    how: As,
    headers: &HeaderMap,
) -> Answer<Response> {
    let missing = || Problem::missing("file", what);
    let mut file = tokio::fs::File::open(path).await.map_err(|_| missing())?;
    let meta = file.metadata().await.map_err(|_| missing())?;
    if !meta.is_file() {
        return Err(missing());
    }
    let bytes = meta.len();
    if etag::known(headers, tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag.to_owned())]).into_response());
    }
    let name: String = how.name.unwrap_or_else(|| format!("{what}.bin"));
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let view = how.view == Some(1);
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).and_then(|text| range(text, bytes));
    let (status, first, last) = match asked {
        Some(Err(())) => {
            let all = format!("bytes */{bytes}");
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            let problem = Problem::rejected(status, format!("the range is outside of the {bytes} bytes of {what}"));
            return Ok(([(header::CONTENT_RANGE, all)], problem).into_response());
        }
        Some(Ok((first, last))) => (StatusCode::PARTIAL_CONTENT, first, last),
        None => (StatusCode::OK, 0, bytes.saturating_sub(1)),
    };
    let broken =
        |e: std::io::Error| Problem::from(Fault::external("artifact.read", format!("{what} cannot be read: {e}")));
    file.seek(SeekFrom::Start(first)).await.map_err(broken)?;
    let length = if bytes == 0 { 0 } else { last - first + 1 };
    let mut response = (status, Body::from_stream(ReaderStream::new(file.take(length)))).into_response();
    let out = response.headers_mut();
    let mut set = |name: header::HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            out.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, kind(&name).to_owned());
    set(header::CONTENT_LENGTH, length.to_string());
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::ETAG, tag.to_owned());
    let how = if view { "inline" } else { "attachment" };
    set(header::CONTENT_DISPOSITION, format!("{how}; filename=\"{name}\""));
    // What a run wrote may not act as a page of this server.
    set(
        header::CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:".to_owned(),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        set(header::CONTENT_RANGE, format!("bytes {first}-{last}/{bytes}"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges() {
        for (text, bytes, expected) in [
            ("bytes=0-9", 100, Some(Ok((0, 9)))),
            ("bytes=90-", 100, Some(Ok((90, 99)))),
            ("bytes=90-900", 100, Some(Ok((90, 99)))),
            ("bytes=-10", 100, Some(Ok((90, 99)))),
            ("bytes=-900", 100, Some(Ok((0, 99)))),
            ("bytes=100-", 100, Some(Err(()))),
            ("bytes=9-3", 100, Some(Err(()))),
            ("bytes=0-", 0, Some(Err(()))),
            ("bytes=0-1,5-6", 100, None),
            ("bytes=-", 100, None),
            ("lines=0-1", 100, None),
        ] {
            assert_eq!(range(text, bytes), expected, "{text}");
        }
    }
}
