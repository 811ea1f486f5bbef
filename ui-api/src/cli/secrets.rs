use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use millwork_engine::{
    model::{Digest, Fault},
    spec::SecretProvider as Named,
    step::SecretProvider,
};

/// Before a secret's name where `millwork.yaml` says nothing about secrets.
const PREFIX: &str = "MILLWORK_SECRET_";

/// Secrets from the environment and from files, asked in order.
#[derive(Debug)]
pub(super) struct Secrets(Vec<Place>);

#[derive(Debug)]
enum Place {
    /// A variable with a prefix before the secret's name.
    Env(String),
    /// A file with `NAME=value` lines, or a folder with a file each.
    File(PathBuf),
}

impl Secrets {
    /// The places that a workspace names, relative to its folder; the environment if it names none.
    pub(super) fn new(folder: &Path, named: &[Named]) -> Self {
        if named.is_empty() {
            return Self(vec![Place::Env(PREFIX.to_owned())]);
        }
        let place = |named: &Named| match named {
            Named::Env { prefix } => Place::Env(prefix.clone()),
            Named::File { path } => Place::File(folder.join(path)),
        };
        Self(named.iter().map(place).collect())
    }
}

impl Place {
    /// The secret's text, if it is there. What cannot be read is a fault, for silence would hide that
    /// another place was asked instead.
    fn find(&self, name: &str) -> Result<Option<String>, Fault> {
        match self {
            Self::Env(prefix) => Ok(std::env::var(format!("{prefix}{name}")).ok()),
            Self::File(path) if path.is_dir() => {
                Ok(read(&path.join(name))?.map(|text| one_line_end_off(&text).to_owned()))
            }
            Self::File(path) => {
                let text = read(path)?.unwrap_or_default();
                Ok(text.lines().find_map(|line| value_of(line, name)))
            }
        }
    }

    fn told(&self, name: &str) -> String {
        match self {
            Self::Env(prefix) => format!("the environment variable {prefix}{name}"),
            Self::File(path) if path.is_dir() => format!("the file {}", path.join(name).display()),
            Self::File(path) => format!("a line `{name}=...` of {}", path.display()),
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, Fault> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Fault::user("secret.unreadable", format!("{} cannot be read: {}", path.display(), e.kind()))),
    }
}

fn one_line_end_off(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// The value of a `NAME=value` line with this name; quotes around the whole value are taken off.
fn value_of(line: &str, name: &str) -> Option<String> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (found, value) = line.split_once('=')?;
    if found.trim() != name {
        return None;
    }
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    Some(inner.unwrap_or(value).to_owned())
}

impl SecretProvider for Secrets {
    fn open(&self, name: &str) -> Result<Arc<str>, Fault> {
        for place in &self.0 {
            if let Some(text) = place.find(name)? {
                return Ok(text.into());
            }
        }
        let places: Vec<String> = self.0.iter().map(|place| place.told(name)).collect();
        Err(Fault::user("secret.missing", format!("there is no secret `{name}`"))
            .help(format!("set {}", places.join(", or "))))
    }

    /// A keyed digest tells versions apart without telling the text.
    fn version(&self, name: &str) -> Result<String, Fault> {
        let text = self.open(name)?;
        Ok(Digest::of_parts([b"millwork secret version".as_slice(), name.as_bytes(), text.as_bytes()]).to_string()
            [..16]
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_file_are_read() {
        for (line, expected) in [
            ("KEY=a=b", Some("a=b")),
            ("export KEY = \" a \"", Some(" a ")),
            ("KEY='it's'", Some("it's")),
            ("KEY=", Some("")),
            ("# KEY=x", None),
            ("KEYS=x", None),
            ("", None),
        ] {
            assert_eq!(value_of(line, "KEY").as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn places_are_asked_in_order_and_all_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.env"), "A=1\n").expect("a file");
        fs::create_dir(folder.path().join("d")).expect("a folder");
        fs::write(folder.path().join("d/A"), "2\n").expect("a file");
        fs::write(folder.path().join("d/B"), "3\r\n").expect("a file");
        let named = ["a.env", "d"].map(|path| Named::File { path: path.to_owned() });
        let secrets = Secrets::new(folder.path(), &named);
        assert_eq!(&*secrets.open("A").expect("A"), "1");
        assert_eq!(&*secrets.open("B").expect("B"), "3");
        let fault = secrets.open("C").expect_err("missing");
        let help = fault.help.expect("help");
        assert!(help.contains("a line `C=...` of") && help.contains("d/C"), "{help}");
    }
}
