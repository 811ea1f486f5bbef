//! Server-sent events, read as a browser does.

use reqwest::{RequestBuilder, Response};
use serde_json::Value as Json;

use crate::place::within;

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Json,
}

impl Event {
    /// What it says apart from its id.
    pub(crate) fn what(&self) -> (String, Json) {
        (self.name.clone(), self.data.clone())
    }
}

/// A stream that is open.
pub(crate) struct Stream {
    response: Response,
    left: String,
}

impl Stream {
    /// Opens one.
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        // A stream has no end that could be told beforehand.
        let request = request.header("accept", "text/event-stream").timeout(std::time::Duration::from_secs(600));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{:?}", response.text().await);
        Self { response, left: String::new() }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        within("the next event", async {
            loop {
                if let Some(event) = self.take() {
                    return Some(event);
                }
                let chunk = self.response.chunk().await.expect("a stream that is not broken")?;
                self.left.push_str(std::str::from_utf8(&chunk).expect("text"));
            }
        })
        .await
    }

    /// All events to the end.
    pub(crate) async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }

    fn take(&mut self) -> Option<Event> {
        while let Some((block, rest)) = self.left.split_once("\n\n") {
            let (block, rest) = (block.to_owned(), rest.to_owned());
            self.left = rest;
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                line.map(|value| value.trim_start().to_owned())
            };
            // Comments show that the stream lives.
            if let Some(name) = field("event") {
                let data = serde_json::from_str(&field("data").expect("data")).expect("JSON");
                return Some(Event { name, id: field("id"), data });
            }
        }
        None
    }
}
