//! Lists the files of the web UI for `src/assets.rs`, so that a new file needs no line there.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("assets");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    let mut code = String::from("static ASSETS: &[Asset] = &[\n");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let bytes = std::fs::read(&file).expect("a file of the UI");
        let name = file.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
        let tag = blake3::hash(&bytes).to_hex();
        let _ = writeln!(
            code,
            "Asset {{ path: {name:?}, kind: {:?}, tag: {:?}, bytes: include_bytes!({:?}) }},",
            kind(&file),
            format!("\"{}\"", &tag[..32]),
            file.display().to_string(),
        );
    }
    code.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo")).join("assets.rs");
    std::fs::write(out, code).expect("the list is written");
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|ext| ext.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
