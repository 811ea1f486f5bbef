//! What follows a value through expressions, edges and outputs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The labels of a value. Joining keeps all; nothing removes one but a declared declassification.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Labels {
    /// Names of the secrets whose text may be inside.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Outside sources whose text may be inside, such as `file` or `llm`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub untrusted: BTreeSet<String>,
}

impl Labels {
    /// No labels.
    pub fn none() -> Self {
        Self::default()
    }

    /// Of text from outside.
    pub fn from_outside(source: &str) -> Self {
        Self { untrusted: BTreeSet::from([source.to_owned()]), ..Self::default() }
    }

    /// Whether no label is set.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.untrusted.is_empty()
    }

    /// Adds every label of `other`.
    pub fn join(&mut self, other: &Self) {
        if !other.is_empty() {
            self.secrets.extend(other.secrets.iter().cloned());
            self.untrusted.extend(other.untrusted.iter().cloned());
        }
    }
}
