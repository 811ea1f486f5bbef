use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Digest;

/// A frozen bundle: everything a run is made of, stored once by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// What the file was called.
    pub path: String,
    /// The folder that relative paths start from.
    pub base: String,
    /// The pipeline's text.
    pub text: String,
    /// Included files (sub-pipelines, templates, scripts) by path as written.
    pub files: BTreeMap<String, String>,
    /// Versions of the kinds used.
    pub kinds: BTreeMap<String, u32>,
}

impl Bundle {
    /// The revision: a digest of everything in the bundle but the folder it was read from.
    pub fn revision(&self) -> Digest {
        let files = self.files.iter().flat_map(|(path, text)| [path.clone().into_bytes(), text.clone().into_bytes()]);
        let kinds = self.kinds.iter().flat_map(|(kind, v)| [kind.clone().into_bytes(), v.to_le_bytes().to_vec()]);
        let parts: Vec<Vec<u8>> = [self.path.clone().into_bytes(), self.text.clone().into_bytes()]
            .into_iter()
            .chain(files)
            .chain([b"kinds".to_vec()])
            .chain(kinds)
            .collect();
        Digest::of_parts(parts.iter().map(Vec::as_slice))
    }
}
