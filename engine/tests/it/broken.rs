//! Every file of `tests/broken` gives exactly the problems of its `.expected`.
//! `UPDATE_GOLDEN=1` writes them anew.

use std::{fmt::Write as _, fs, path::Path};

use millwork_engine::{
    diag::{Diagnostic, Source, render},
    spec::{read_pipeline, read_source, shown},
};

/// All problems that a check of the file finds.
fn check(name: &str, bytes: &[u8]) -> (Source, Vec<Diagnostic>) {
    match read_source(name, bytes) {
        Ok(source) => {
            let diagnostics = read_pipeline(&source).diagnostics;
            (source, diagnostics)
        }
        Err(problem) => (shown(name, bytes), vec![*problem]),
    }
}

fn listing(source: &Source, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for problem in diagnostics {
        let at = source.position(problem.primary.span.start);
        let _ = writeln!(out, "{}:{} {} {}", at.line, at.column, problem.code, problem.message);
        if let Some(suggestion) = &problem.suggestion {
            let _ = writeln!(out, "    write: {}", suggestion.replacement);
        }
    }
    out
}

#[test]
fn broken_files_give_their_problems() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of broken files")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 50, "only {} broken files", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("?").to_owned();
        let bytes = fs::read(&path).expect("a readable file");
        let (source, diagnostics) = check(&name, &bytes);
        if diagnostics.is_empty() {
            wrong.push(format!("{name} has no problem"));
        }
        assert!(!render(&source, &diagnostics, 80, false).is_empty());
        for problem in &diagnostics {
            if problem.help.is_none() && problem.suggestion.is_none() {
                wrong.push(format!("{name}: `{}` has no remedy", problem.message));
            }
        }
        let found = listing(&source, &diagnostics);
        let golden = path.with_extension("expected");
        if update {
            fs::write(&golden, found).expect("a writable folder");
        } else {
            let expected = fs::read_to_string(&golden).unwrap_or_default();
            if expected != found {
                wrong.push(format!("{name}\nexpected:\n{expected}found:\n{found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
