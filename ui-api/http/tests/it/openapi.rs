//! The document of the API.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::place::{Answer, ECHO, Place};

/// A call of the document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) about: Json,
}

impl Operation {
    /// The role that is needed; `None` if nobody needs to be known.
    pub(crate) fn role(&self) -> Option<&str> {
        let security = self.about["security"].as_array().expect("security");
        let open = security.iter().any(|one| one.as_object().is_some_and(serde_json::Map::is_empty));
        if open { None } else { security[0]["token"][0].as_str() }
    }

    /// The path with parameters in it.
    pub(crate) fn path(&self, parameters: &[(&str, &str)]) -> String {
        parameters.iter().fold(self.path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
    }
}

/// All of them.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(millwork_http::document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let of = |(path, item): (String, Json)| {
        let item = item.as_object().expect("an item").clone();
        item.into_iter().map(move |(method, about)| Operation {
            method: method.to_uppercase().parse().expect("a method"),
            path: path.clone(),
            about,
        })
    };
    paths.into_iter().flat_map(of).collect()
}

#[test]
fn the_document_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let text = serde_json::to_string_pretty(&millwork_http::document()).expect("JSON") + "\n";
    if std::env::var_os("MILLWORK_BLESS").is_some() {
        std::fs::write(&path, &text).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "the API is another one: look at it, then keep it with MILLWORK_BLESS=1");
}

#[test]
fn every_call_says_what_it_is_and_how_it_fails() {
    let all = operations();
    assert!(all.len() > 40, "{}", all.len());
    for Operation { method, path, about } in all {
        let what = format!("{method} {path}");
        assert!(about["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what} has no summary");
        assert_eq!(about["tags"].as_array().map(Vec::len), Some(1), "{what} has no tag");
        assert!(about["security"].as_array().is_some_and(|security| !security.is_empty()), "{what}");
        let responses = about["responses"].as_object().expect("responses");
        for status in ["400", "401", "403", "404", "422", "429"] {
            let content = &responses[status]["content"]["application/problem+json"];
            assert!(content.is_object(), "{what} does not say {status}");
        }
        assert!(responses.keys().any(|status| status.starts_with('2')), "{what} never succeeds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_there() {
    let place = Place::open(&[ECHO]).await;
    let parameters = [("name", "nobody"), ("id", "nobody"), ("run", "nobody"), ("step", "nobody")];
    let more = [("output", "nobody"), ("revision", "nobody"), ("index", "7"), ("path", "nobody")];
    for operation in operations() {
        let path = operation.path(&[parameters, more].concat());
        assert!(!path.contains('{'), "{path}");
        let request = place.bare(operation.method.clone(), &path);
        let answer = request.json(&json!({})).send().await.expect("an answer");
        assert_ne!(answer.status(), 405, "{path}");
        if answer.status() == 404 {
            let body: Json = answer.json().await.expect("JSON");
            let detail = body["detail"].as_str().unwrap_or_default();
            assert!(!detail.contains("there is no call"), "{} {path}: {body}", operation.method);
        }
    }
    let served = Answer::of(place.bare(Method::GET, "/openapi.json")).await;
    assert_eq!(served.json(), serde_json::to_value(millwork_http::document()).expect("JSON"));
}
