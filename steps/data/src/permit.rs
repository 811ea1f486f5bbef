//! What `permissions: {files: [..]}` says of a path.

use std::path::{Component, Path, PathBuf};

use millwork_engine::{
    diag::{Code, Diagnostic},
    step::{CheckContext, Templated},
};

/// The problem of a literal path outside of what is allowed. Without a list everything is.
pub(crate) fn not_permitted(path: &Templated<String>, cx: &CheckContext<'_>) -> Option<Diagnostic> {
    let written = path.literal()?;
    let allowed = &cx.permissions.files;
    if allowed.is_empty() || is_allowed(cx.base, &written, allowed) {
        return None;
    }
    let message = format!("`{written}` is outside of what `permissions: files` allows");
    Some(Diagnostic::new(Code::FileNotPermitted, path.span(), message).help(format!("allowed: {}", allowed.join(", "))))
}

fn is_allowed(base: &Path, written: &str, allowed: &[String]) -> bool {
    let path = plain(&base.join(written));
    allowed.iter().any(|pattern| {
        let root = plain(&base.join(pattern));
        path.starts_with(&root)
            || glob::Pattern::new(&root.to_string_lossy()).is_ok_and(|pattern| pattern.matches_path(&path))
    })
}

/// The path without `.` and `..`, so that nothing climbs out of a folder by its text.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_patterns_allow_what_is_under_them() {
        let allowed = ["data".to_owned(), "out/*.csv".to_owned()];
        for (path, expected) in [
            ("data/a.csv", true),
            ("data/deep/*.parquet", true),
            ("database/a.csv", false),
            ("data/../secret.csv", false),
            ("./out/x.csv", true),
            ("out/x.parquet", false),
            ("/etc/passwd", false),
        ] {
            assert_eq!(is_allowed(Path::new("/w"), path, &allowed), expected, "{path}");
        }
    }
}
