//! Where the durable things of a pipeline are.

use std::path::{Path, PathBuf};

use millwork_engine::model::Fault;

use super::workspace;

const FOLDER: &str = ".millwork";

/// The home for a pipeline's file: what was asked for, else `MILLWORK_HOME`, else that of the nearest
/// folder above which has one or is a workspace, else a new one beside the pipeline.
pub(super) fn for_pipeline(asked: Option<&Path>, file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    given(asked).or_else(|| above(&folder)).unwrap_or_else(|| folder.join(FOLDER))
}

/// The home that is already there, for commands about runs.
pub(super) fn existing(asked: Option<&Path>) -> Result<PathBuf, Fault> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let home = given(asked).or_else(|| above(&here)).unwrap_or_else(|| here.join(FOLDER));
    if home.is_dir() {
        return Ok(home);
    }
    Err(Fault::user("home.missing", format!("there is no state in {}", home.display()))
        .help("go to the folder of the pipeline, or give `--home`"))
}

fn given(asked: Option<&Path>) -> Option<PathBuf> {
    let from_env = || std::env::var_os("MILLWORK_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    asked.map(Path::to_owned).or_else(from_env)
}

fn above(folder: &Path) -> Option<PathBuf> {
    let found = folder.ancestors().find(|at| at.join(FOLDER).is_dir() || at.join(workspace::FILE).is_file())?;
    Some(found.join(FOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_home_above_is_taken() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("a path");
        let deep = root.join("a/b");
        std::fs::create_dir_all(&deep).expect("folders");
        let file = deep.join("p.yaml");
        assert_eq!(for_pipeline(None, &file), deep.join(FOLDER));
        std::fs::write(root.join(workspace::FILE), "").expect("a file");
        assert_eq!(for_pipeline(None, &file), root.join(FOLDER));
        assert_eq!(for_pipeline(Some(Path::new("/x")), &file), Path::new("/x"));
    }
}
