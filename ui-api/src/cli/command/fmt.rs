use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use millwork_engine::model::Fault;

use crate::cli::{
    Exit, link, load,
    output::{Output, Tone},
    words::nameless,
};

/// Brings pipelines into the standard form, or says which are not.
pub(super) fn fmt(output: &Output, paths: &[PathBuf], check: bool) -> Result<Exit, Fault> {
    let (mut bad, mut changed) = (false, 0);
    for file in load::files_of(paths)? {
        let source = match load::source(&file)? {
            Ok(source) => source,
            Err((shown, problem)) => {
                bad = true;
                output.say(link::render(&shown, &[problem], output));
                continue;
            }
        };
        match link::format(&source) {
            Ok(text) if text == source.text() => {}
            Ok(text) => {
                changed += 1;
                if check {
                    output.result(file.display());
                } else {
                    replace(&file, &text)?;
                    output.say(format!("{} {}", output.paint(Tone::Good, "formatted"), file.display()));
                }
            }
            Err(problems) => {
                bad = true;
                output.say(link::render(&source, &problems, output));
            }
        }
    }
    Ok(if bad || (check && changed > 0) { Exit::Problems } else { Exit::Ok })
}

/// A crash leaves the old text or the new one, never half of it.
fn replace(file: &Path, text: &str) -> Result<(), Fault> {
    let failed = |e: std::io::Error| {
        Fault::external("fmt.write", format!("{} cannot be written: {e}", file.display()))
            .help("a file takes its place in one step, so its folder must be writable too")
    };
    // What a link points to is written, and the link stays.
    let file = &file.canonicalize().map_err(failed)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(nameless(&e)))?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    if let Ok(old) = fs::metadata(file) {
        fs::set_permissions(new.path(), old.permissions()).map_err(failed)?;
    }
    new.as_file().sync_all().map_err(failed)?;
    new.persist(file).map_err(|e| failed(e.error))?;
    Ok(())
}
