//! What events and texts name: outputs kept as rows, and artifacts.

use std::collections::BTreeSet;

use crate::model::{ArtifactId, Digest, Event, event::StoredOutputs};

/// Digests of the output rows that an event names.
pub(super) fn rows_of(event: &Event) -> Vec<Digest> {
    let row = |outputs: &StoredOutputs| match outputs {
        StoredOutputs::Row { digest } => Some(*digest),
        StoredOutputs::Inline(_) | StoredOutputs::Artifact { .. } | StoredOutputs::Recomputable { .. } => None,
    };
    match event {
        Event::RunCreated { origin } => origin.reused.values().filter_map(row).collect(),
        Event::StepSucceeded { outputs, .. } => row(outputs).into_iter().collect(),
        Event::StepFailed { partial, .. } => partial.as_ref().and_then(row).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Everything in a text that could be an artifact's digest: 64 hexadecimal digits that stand alone.
/// Garbage collection marks with this. It may keep too much, never too little.
pub(super) fn artifacts_in(text: &[u8], found: &mut BTreeSet<ArtifactId>) {
    let is_hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    for word in text.split(|b| !is_hex(b)).filter(|word| word.len() == 64) {
        let digest = std::str::from_utf8(word).ok().and_then(|hex| hex.parse::<Digest>().ok());
        found.extend(digest.map(ArtifactId));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_found_in_any_text() {
        let id = ArtifactId(Digest::of(b"x"));
        let hex = id.0.to_string();
        for (text, expected) in [
            (format!("{{\"kept\":\"{hex}\"}}"), 1),
            (format!("see {id}, and {id}"), 1),
            (format!("{hex}0"), 0),
            ("none".to_owned(), 0),
        ] {
            let mut found = BTreeSet::new();
            artifacts_in(text.as_bytes(), &mut found);
            assert_eq!(found.len(), expected, "{text}");
        }
    }
}
