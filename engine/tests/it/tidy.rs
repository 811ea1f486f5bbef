//! The house rules: arrows between layers point down, files are small, nothing is left to do.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules and their layers; a module imports only lower ones, or others of the same layer's own name.
const LAYERS: &[(&str, u8)] = &[
    ("model", 0),
    ("diag", 0),
    ("crash", 0),
    ("expr", 1),
    ("data", 1),
    ("schedule", 1),
    ("telemetry", 1),
    ("spec", 2),
    ("step", 3),
    ("graph", 4),
    ("run", 5),
    ("store", 6),
    ("executor", 7),
    ("scheduler", 8),
    ("engine", 9),
];

/// Pairs of one layer that may look at each other.
const SIBLINGS: &[(&str, &str)] = &[("diag", "model"), ("expr", "data")];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut out = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                out.push((path.strip_prefix(&root).expect("below src").to_owned(), text));
            }
        }
    }
    out.sort();
    out
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// The modules behind every `crate::` of a text: plain paths and use trees.
fn imports(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|l| l.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut out = Vec::new();
    for (at, word) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = code[at + word.len()..].trim_start();
        if let Some(tree) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in tree.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => out.push(std::mem::take(&mut name)),
                    c if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            out.push(name);
        } else {
            out.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    out.iter().map(|n| n.split("::").next().unwrap_or("").trim().to_owned()).filter(|n| !n.is_empty()).collect()
}

#[test]
fn imports_are_found_in_every_form() {
    let text =
        "use crate::{\n    a::{B, C},\n    d, // crate::no\n};\nfn f() -> crate::e::F { pub(crate) x }\nuse crate::g;";
    assert_eq!(imports(text), ["a", "d", "e", "g"]);
}

#[test]
fn modules_import_only_lower_layers() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = path.iter().next().and_then(|p| p.to_str()).unwrap_or("").trim_end_matches(".rs");
        let Some(own_layer) = layer(own) else { continue };
        for module in imports(&text) {
            let sibling = SIBLINGS.contains(&(own, module.as_str()));
            match layer(&module) {
                Some(other) if module != own && other >= own_layer && !sibling => {
                    wrong.push(format!("{}: layer {own_layer} imports `{module}` of layer {other}", path.display()));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_small() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn nothing_is_left_to_do() {
    let left: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains(concat!("todo", "!(")) || text.contains(concat!("unimplemented", "!(")))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(left.is_empty(), "unfinished: {}", left.join(", "));
}
