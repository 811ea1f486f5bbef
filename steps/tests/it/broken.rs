//! Every file of `tests/broken` gives exactly the problems of its `.expected`, checked in full.
//! `UPDATE_GOLDEN=1` writes them anew.

use std::fs;

use millwork_engine::diag::{Code, render};

use crate::checking::{check, here, listing, yaml_files};

/// Problems whose message names what is wanted beside what was found.
const SAY_WHAT_IS_WANTED: &[Code] = &[
    Code::EdgeType,
    Code::BadLiteral,
    Code::WrongShape,
    Code::OperandTypes,
    Code::UnknownField,
    Code::AlwaysTrue,
    Code::BadArgument,
    Code::SqlType,
    Code::SqlSyntax,
];

#[test]
fn broken_files_give_their_problems() {
    let folder = here().join("tests/broken");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let registry = millwork_steps::registry();
    let files = yaml_files(&folder);
    assert!(files.len() >= 100, "only {} broken files", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("?").to_owned();
        let bytes = fs::read(&path).expect("a readable file");
        let checked = check(&name, &bytes, &folder.join("with"), &registry);
        if checked.diagnostics.is_empty() {
            wrong.push(format!("{name} has no problem"));
        }
        assert!(!render(&checked.source, &checked.diagnostics, 80, false).is_empty());
        for problem in &checked.diagnostics {
            if problem.help.is_none() && problem.suggestion.is_none() && !SAY_WHAT_IS_WANTED.contains(&problem.code) {
                wrong.push(format!("{name}: `{}` has no remedy", problem.message));
            }
        }
        let found = listing(&checked);
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
