use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::include::{folder, join};
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
    /// The bundle of an included pipeline, by its path from this one's folder: its run is made of this
    /// alone, whatever the files on disk say by then.
    pub fn child(&self, path: &str) -> Option<Bundle> {
        let path = join("", path);
        let text = self.files.iter().find(|(file, _)| join("", file) == path).map(|(_, text)| text.clone())?;
        let folder = folder(&path).to_owned();
        let up = folder.split('/').filter(|part| !part.is_empty()).count();
        let files = self.files.iter().map(|(file, text)| {
            let inner = match join("", file).strip_prefix(&format!("{folder}/")) {
                Some(inside) => inside.to_owned(),
                None if folder.is_empty() => join("", file),
                None => format!("{}{}", "../".repeat(up), join("", file)),
            };
            (inner, text.clone())
        });
        Some(Bundle {
            base: std::path::Path::new(&self.base).join(&folder).to_string_lossy().into_owned(),
            files: files.collect(),
            kinds: self.kinds.clone(),
            text,
            path,
        })
    }

    /// The text of an included file, by its path from this bundle's folder.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files
            .get(path)
            .or_else(|| {
                let path = join("", path);
                self.files.iter().find(|(file, _)| join("", file) == path).map(|(_, text)| text)
            })
            .map(String::as_str)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_of_a_child_finds_its_files_from_its_own_folder() {
        let files = [("sub/x.yaml", "x"), ("sub/y.yaml", "y"), ("z.sql", "z")];
        let bundle = Bundle {
            path: "p.yaml".into(),
            base: "/base".into(),
            text: String::new(),
            files: files.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            kinds: BTreeMap::new(),
        };
        let child = bundle.child("./sub/x.yaml").expect("a child");
        assert_eq!((child.text.as_str(), child.base.as_str()), ("x", "/base/sub"));
        assert_eq!((child.file("y.yaml"), child.file("../z.sql"), child.file("z.sql")), (Some("y"), Some("z"), None));
        assert_ne!(child.revision(), bundle.revision());
    }
}
