use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What shows that a file is another than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Stamp {
    /// Of a file; one that is not there has a stamp as well.
    pub(super) fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(meta) => Self { modified: meta.modified().ok(), bytes: meta.len() },
            Err(_) => Self { modified: None, bytes: u64::MAX },
        }
    }
}

/// Folders that hold no pipelines of the user.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// Every YAML file below a folder that is a pipeline by its looks, in order.
pub(super) fn pipelines(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(folder, &mut found);
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let Ok(kind) = entry.file_type() else { continue };
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            if !SKIPPED.contains(&&*name) {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml") && name != "millwork.yaml" {
            found.push(path);
        }
    }
}

/// Whether a YAML text is a pipeline rather than something else that lies in the folder.
pub(super) fn is_pipeline(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"steps:"))
}
