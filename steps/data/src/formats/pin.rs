use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use millwork_engine::{
    data::{Pin, PinnedFile},
    diag::nearest,
    model::{Digest, Fault},
};

use super::fault::{shown, unreadable};

/// The files that a path or a glob names, sorted. A glob without a match is a fault.
pub(crate) fn expand(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, Fault> {
    let full = base.join(pattern);
    if full.is_file() || !pattern.contains(['*', '?', '[']) {
        return match fs::metadata(&full) {
            Ok(meta) if meta.is_file() => Ok(vec![full]),
            Ok(_) => {
                let shown = pattern.trim_end_matches('/');
                Err(Fault::user("table.not_a_file", format!("`{pattern}` is a folder"))
                    .help(format!("name its files, such as `{shown}/**/*.parquet`")))
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(missing(base, pattern, &full))
            }
            Err(e) => Err(unreadable(&shown(&full), &e.to_string())),
        };
    }
    // The base is a place, not a pattern, whatever signs are in its name.
    let escaped = Path::new(&glob::Pattern::escape(&base.to_string_lossy())).join(pattern);
    let matches = glob::glob(&escaped.to_string_lossy())
        .map_err(|e| Fault::user("table.glob", format!("`{pattern}` is not a pattern of paths: {e}")))?;
    let mut files = Vec::new();
    for path in matches {
        let path = path.map_err(|e| unreadable(&shown(e.path()), &e.error().to_string()))?;
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Fault::user("table.missing", format!("no file matches {}", shown(&full)))
            .help("check the pattern and the folder; `**` reaches into subfolders"));
    }
    Ok(files)
}

/// The fault of a path that names nothing, with the name that was perhaps meant.
fn missing(base: &Path, pattern: &str, full: &Path) -> Fault {
    // Names of a folder that are compared.
    const MOST: usize = 10_000;
    let fault = Fault::user("table.missing", format!("there is no file {}", shown(full)));
    let folder = full.parent().unwrap_or(base);
    let Ok(entries) = fs::read_dir(folder) else {
        return fault.help(format!("there is no folder {} either{}", shown(folder), from(base, pattern)));
    };
    let names = entries.take(MOST).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: Vec<String> = names.collect();
    let wrong = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    fault.help(match nearest(&wrong, names.iter().map(String::as_str)) {
        Some(name) => {
            format!("did you mean {}{}", shown(&Path::new(pattern).with_file_name(name)), from(base, pattern))
        }
        None => format!("no file in {} has a similar name{}", shown(folder), from(base, pattern)),
    })
}

/// Where a relative path starts from.
fn from(base: &Path, pattern: &str) -> String {
    if Path::new(pattern).is_absolute() {
        return String::new();
    }
    let base = std::path::absolute(base).unwrap_or_else(|_| base.to_owned());
    format!("; paths start from the folder of the pipeline, {}", shown(&base))
}

/// A file with what its content is known by.
pub(crate) fn pin(path: &Path) -> Result<PinnedFile, Fault> {
    let name = shown(path);
    let full = std::path::absolute(path).map_err(|e| unreadable(&name, &e.to_string()))?;
    let meta = fs::metadata(&full).map_err(|e| unreadable(&name, &e.to_string()))?;
    let text = full.to_str().ok_or_else(|| unreadable(&name, "its path is not UTF-8"))?;
    Ok(PinnedFile { path: text.to_owned(), pin: stat(&meta) })
}

fn stat(meta: &fs::Metadata) -> Pin {
    let modified = meta.modified().unwrap_or(UNIX_EPOCH);
    let modified_ns = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    };
    Pin::Stat { bytes: meta.len(), modified_ns }
}

/// Whether a pinned file still is what it was; if not, the fault `table.changed`.
pub(crate) fn check_pin(file: &PinnedFile) -> Result<(), Fault> {
    let name = format!("`{}`", file.path);
    let changed = |what: &str| {
        Fault::user("table.changed", format!("{name} {what} after the step that reads it had ended"))
            .help("rerun from that step, so that every step sees the same rows")
    };
    let meta = match fs::metadata(&file.path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(changed("was removed")),
        Err(e) => return Err(unreadable(&name, &e.to_string())),
    };
    let same = match &file.pin {
        Pin::Stat { .. } => stat(&meta) == file.pin,
        Pin::Digest(digest) => {
            let bytes = fs::read(&file.path).map_err(|e| unreadable(&name, &e.to_string()))?;
            Digest::of(&bytes) == *digest
        }
    };
    if same { Ok(()) } else { Err(changed("was changed")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_sorted_and_an_empty_one_is_a_fault() {
        let folder = tempfile::tempdir().expect("a folder");
        let base = folder.path().join("odd [name]");
        fs::create_dir(&base).expect("made");
        for name in ["b.csv", "a.csv", "c.txt"] {
            fs::write(base.join(name), "x\n1\n").expect("written");
        }
        let found = expand(&base, "*.csv").expect("found");
        assert_eq!(found, [base.join("a.csv"), base.join("b.csv")]);
        for (pattern, code) in [
            ("*.parquet", "table.missing"),
            ("no.csv", "table.missing"),
            (".", "table.not_a_file"),
            ("a[*", "table.glob"),
        ] {
            assert_eq!(expand(&base, pattern).expect_err(pattern).code.as_str(), code, "{pattern}");
        }
    }

    #[test]
    fn a_missing_file_has_a_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("data")).expect("made");
        fs::write(folder.path().join("data/flights.csv"), "x\n1\n").expect("written");
        let base = folder.path().display();
        for (pattern, help) in [
            (
                "data/fligths.csv",
                format!("did you mean `data/flights.csv`; paths start from the folder of the pipeline, `{base}`"),
            ),
            ("data/weather.parquet", format!("no file in `{base}/data` has a similar name")),
            ("date/flights.csv", format!("there is no folder `{base}/date` either")),
            ("data/flights.csv/x", format!("there is no folder `{base}/data/flights.csv` either")),
        ] {
            let fault = expand(folder.path(), pattern).expect_err(pattern);
            assert_eq!(fault.code.as_str(), "table.missing");
            let found = fault.help.unwrap_or_default();
            assert!(found.starts_with(&help), "{pattern}: {found}");
        }
    }

    #[test]
    fn a_changed_file_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        fs::write(&path, "x\n1\n").expect("written");
        let by_stat = pin(&path).expect("pinned");
        let by_digest = PinnedFile { pin: Pin::Digest(Digest::of(b"x\n1\n")), ..by_stat.clone() };
        assert!(check_pin(&by_stat).is_ok() && check_pin(&by_digest).is_ok());
        fs::write(&path, "x\n12\n").expect("written");
        for file in [by_stat, by_digest] {
            let fault = check_pin(&file).expect_err("changed");
            assert_eq!(fault.code.as_str(), "table.changed");
            assert!(fault.message.contains("a.csv"), "{fault}");
        }
    }
}
