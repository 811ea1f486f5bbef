//! Every code that a fault can have is explained by `millwork explain`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use millwork_engine::model::FaultPage;

/// How a fault is made from a code in the text: what stands before the quote.
const MADE: &[&str] = &["::user(", "::external(", "::internal(", "because(", ": Self = Self::new("];

/// Sources whose faults no run has.
fn is_left_out(path: &Path) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let inside = |folder: &str| path.iter().any(|part| part == folder);
    inside("tests")
        || inside("testkit")
        || inside("bench")
        || name.ends_with("tests")
        || ["fuzz", "world"].contains(&name)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Codes in a source, its tests left out.
fn codes(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let after = MADE.iter().flat_map(|made| text.match_indices(made).map(|(at, _)| &text[at + made.len()..]));
    let quoted = after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    quoted.filter(|code| !code.is_empty() && !code.contains(' ')).map(str::to_owned).collect()
}

#[test]
fn every_code_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut files = Vec::new();
    for folder in [
        "engine/src",
        "steps/src",
        "steps/data/src",
        "steps/flow/src",
        "steps/notify/src",
        "ui-api/src",
        "ui-api/service/src",
        "ui-api/http/src",
    ] {
        sources(&root.join(folder), &mut files);
    }
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in files {
        let path = path.strip_prefix(root).expect("below the workspace").to_owned();
        if !is_left_out(&path) {
            let text = fs::read_to_string(root.join(&path)).expect("a source file");
            found.extend(codes(&text).into_iter().map(|code| (code, path.clone())));
        }
    }
    assert!(found.len() > 100, "codes are looked for in the wrong way: {found:?}");
    let missing: Vec<_> = found.iter().filter(|(code, _)| FaultPage::of(code).is_none()).collect();
    assert!(missing.is_empty(), "add these to engine/src/model/fault_codes.rs: {missing:#?}");
    let unused: Vec<_> =
        FaultPage::ALL.iter().map(|page| page.code).filter(|code| !found.contains_key(*code)).collect();
    assert!(unused.is_empty(), "nothing has these codes, remove their pages: {unused:?}");
}

#[test]
fn codes_are_found_on_the_next_line_too() {
    let text = "Fault::user(\"a.b\", x); Self::external(\n    \"c\", y); because(\"d\", z); Fault::user(code, m); user(\"no\")\n\
                #[cfg(test)]\nmod tests { Fault::user(\"e\", x) }";
    assert_eq!(codes(text), ["a.b", "c", "d"]);
}
