//! Answers that a reader may have already: entity tags, and what `If-None-Match` says of them.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// Whether a reader has what a tag names (RFC 9110, 13.1.2): a list of tags, any of which may be weak, or `*`.
pub(crate) fn known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let wanted = opaque(tag);
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    // No tag of this server has a comma in it.
    lines.flat_map(|line| line.split(',')).map(str::trim).any(|given| given == "*" || opaque(given) == wanted)
}

/// A tag of something that is made by this version of the server from what is named.
pub(crate) fn of_version(what: &impl std::fmt::Display) -> String {
    format!("\"{what}-{}\"", env!("CARGO_PKG_VERSION"))
}

/// An answer with its digest: one that is known already is not sent again.
pub(crate) fn tagged<T: Serialize>(headers: &HeaderMap, body: &T) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let tag = format!("\"{}\"", &blake3::hash(&bytes).to_hex()[..32]);
    answer(headers, tag, || bytes)
}

/// An answer whose tag is known before it: it is not even made for who has it.
pub(crate) fn tagged_as<T: Serialize>(headers: &HeaderMap, tag: String, body: impl FnOnce() -> T) -> Response {
    answer(headers, tag, || serde_json::to_vec(&body()).unwrap_or_default())
}

fn answer(headers: &HeaderMap, tag: String, body: impl FnOnce() -> Vec<u8>) -> Response {
    let known = known(headers, &tag);
    let common = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, "application/json")], body()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_has() {
        for (given, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("\"b\",W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("\"A\"", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, given.parse().expect("a header"));
            assert_eq!(known(&headers, "\"a\""), expected, "{given}");
        }
        assert!(!known(&HeaderMap::new(), "\"a\""));
    }
}
