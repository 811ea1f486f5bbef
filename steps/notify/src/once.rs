//! Sends at most once per success, and stops when asked.

use std::future::Future;

use millwork_engine::{
    model::{Digest, Fault},
    step::{Reservation, Settlement, StepContext},
};
use serde::{Serialize, de::DeserializeOwned};

/// Sends, unless an earlier attempt recorded that it did: then what it recorded. Two sends with the same request are
/// the same; secrets are no part of `request`, so that one may be changed between two attempts.
pub(crate) async fn sent<T, F>(cx: &StepContext, request: Digest, send: F) -> Result<T, Fault>
where
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<T, Fault>>,
{
    let part = |again: bool| async move {
        if again {
            cx.log.line("an earlier attempt may have arrived: it is sent again under the same id");
        }
        tokio::select! {
            biased;
            // What was answered counts, though the run is being stopped.
            sent = send => sent.map(|sent| (sent, Settlement::default())),
            () = cx.cancel.cancelled() => Err(Fault::cancelled()),
        }
    };
    cx.journal.effect("send", request, Reservation::default(), part).await
}

/// The beginning of a text, on one line, for logs and faults.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn excerpts_are_short_lines() {
        assert_eq!(excerpt("  a\n b\tc ", 9), "a b c");
        assert_eq!(excerpt("äöü", 2), "äö…");
        assert_eq!(excerpt("äöü", 3), "äöü");
    }
}
