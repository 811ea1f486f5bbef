//! `permissions:`: what steps may reach outside.

use std::path::{Component, Path, PathBuf};

/// What a pipeline or a step was granted. An empty list says nothing of what a built-in step may reach; a sandboxed
/// tool gets what is listed and no more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    /// Hosts.
    pub http: Vec<String>,
    /// Files, folders with all below, or patterns: `data` may be read, `out:rw` written as well.
    pub files: Vec<String>,
    /// Variables of the environment that commands are given.
    pub env: Vec<String>,
    /// Secrets that may be opened.
    pub secrets: Vec<String>,
    /// Memory limit, in bytes.
    pub memory: Option<u64>,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is read.
    Read,
    /// It is made, changed or removed.
    Write,
}

/// What a step was granted: what every block around it grants, those of its pipeline and of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants(Vec<Permissions>);

impl Grants {
    /// Those of a pipeline.
    pub fn of(pipeline: &Permissions) -> Self {
        Self(vec![pipeline.clone()])
    }

    /// These, as narrow as `own` makes them.
    #[must_use]
    pub fn narrowed(&self, own: Option<&Permissions>) -> Self {
        Self(self.0.iter().chain(own).cloned().collect())
    }

    /// Whether a path, which starts from `base` if it is relative, may be used so. Looked at as text, so that a check
    /// needs no file: `..` climbs, links are not followed.
    pub fn allow_written(&self, base: &Path, path: &str, access: Access) -> bool {
        self.allow_file(&plain(&base.join(path)), access, |root| plain(&base.join(root)))
    }

    /// The same of a real file, or one that is about to be made: links are followed.
    pub fn allow_real(&self, base: &Path, path: &Path, access: Access) -> bool {
        self.allow_file(&real(&base.join(path)), access, |root| real(&base.join(root)))
    }

    fn allow_file(&self, path: &Path, access: Access, root_of: impl Fn(&str) -> PathBuf) -> bool {
        let allows = |list: &[String]| list.iter().any(|granted| covers(granted, path, access, &root_of));
        self.lists(|permissions| &permissions.files).all(allows)
    }

    /// Whether a secret may be opened.
    pub fn allow_secret(&self, name: &str) -> bool {
        self.lists(|permissions| &permissions.secrets).all(|list| list.iter().any(|granted| granted == name))
    }

    /// Whether a host may be reached at a port. `*.example.com` covers what is below it, `localhost:8080` that port
    /// alone.
    pub fn allow_host(&self, host: &str, port: u16) -> bool {
        self.lists(|permissions| &permissions.http)
            .all(|list| list.iter().any(|granted| covers_host(granted, host, port)))
    }

    /// The narrowest list of hosts, for people.
    pub fn hosts(&self) -> &[String] {
        self.lists(|permissions| &permissions.http).last().unwrap_or_default()
    }

    /// Variables of the environment that commands are given.
    pub fn env(&self) -> Vec<&str> {
        let mut lists = self.lists(|permissions| &permissions.env);
        let first = lists.next().unwrap_or_default().iter().map(String::as_str);
        let others: Vec<_> = lists.collect();
        first.filter(|name| others.iter().all(|list| list.iter().any(|granted| granted == name))).collect()
    }

    /// The lowest memory limit.
    pub fn memory(&self) -> Option<u64> {
        self.0.iter().filter_map(|permissions| permissions.memory).min()
    }

    /// What is allowed, for people: the narrowest list of files.
    pub fn files(&self) -> &[String] {
        self.lists(|permissions| &permissions.files).last().unwrap_or_default()
    }

    /// The narrowest list of secrets, for people.
    pub fn secrets(&self) -> &[String] {
        self.lists(|permissions| &permissions.secrets).last().unwrap_or_default()
    }

    /// Lists that say something.
    fn lists<'a>(&'a self, list: impl Fn(&'a Permissions) -> &'a Vec<String>) -> impl Iterator<Item = &'a [String]> {
        self.0.iter().map(move |permissions| list(permissions).as_slice()).filter(|list| !list.is_empty())
    }
}

fn covers_host(granted: &str, host: &str, port: u16) -> bool {
    let named = granted.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
    let (name, at) = named.map_or((granted, None), |(name, port)| (name, Some(port)));
    let (name, host) = (name.to_ascii_lowercase(), host.to_ascii_lowercase());
    let below = || name.strip_prefix('*').is_some_and(|rest| rest.starts_with('.') && host.ends_with(rest));
    at.is_none_or(|at| at == port) && (name == host || below())
}

fn covers(granted: &str, path: &Path, access: Access, root_of: impl Fn(&str) -> PathBuf) -> bool {
    let (granted, may_write) = split(granted);
    if access == Access::Write && !may_write {
        return false;
    }
    let Some(special) = granted.find(['*', '?', '[']) else { return path.starts_with(root_of(granted)) };
    // The part of a pattern before its first special sign is a place like any other.
    let (folder, rest) = match granted[..special].rfind('/') {
        Some(slash) => (&granted[..=slash], &granted[slash + 1..]),
        None => ("", granted),
    };
    let pattern = Path::new(&glob::Pattern::escape(&root_of(folder).to_string_lossy())).join(rest);
    glob::Pattern::new(&pattern.to_string_lossy()).is_ok_and(|pattern| pattern.matches_path(path))
}

/// A grant of files without its mode, and whether it includes writing.
pub fn split(granted: &str) -> (&str, bool) {
    match granted.strip_suffix(":rw") {
        Some(path) => (path, true),
        None => (granted.strip_suffix(":ro").unwrap_or(granted), false),
    }
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

/// The path with the links of all of it that is there followed.
fn real(path: &Path) -> PathBuf {
    let path = plain_links(path);
    for folder in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (folder.canonicalize(), path.strip_prefix(folder)) {
            return real.join(rest);
        }
    }
    path
}

/// Without `.` and `..`; a `..` after a link is where the link leads from.
fn plain_links(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out = out.canonicalize().unwrap_or(out);
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

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn granted(files: &[&str]) -> Grants {
        Grants::of(&Permissions { files: list(files), ..Permissions::default() })
    }

    #[test]
    fn a_step_narrows_and_never_widens() {
        let own = |files: &[&str], env: &[&str], secrets: &[&str], memory| Permissions {
            files: list(files),
            env: list(env),
            secrets: list(secrets),
            memory,
            ..Permissions::default()
        };
        let pipeline = Grants::of(&own(&["data:rw"], &["A", "B"], &["S", "T"], Some(8)));
        let step = pipeline.narrowed(Some(&own(&["data/in", "/etc"], &["B", "C"], &["T", "U"], Some(9))));
        let reads = |path| step.allow_written(Path::new("/w"), path, Access::Read);
        assert_eq!([reads("data/in/x"), reads("data/x"), reads("/etc/passwd")], [true, false, false]);
        assert!(!step.allow_written(Path::new("/w"), "data/in/x", Access::Write));
        assert_eq!((step.env(), step.memory()), (vec!["B"], Some(8)));
        assert_eq!(["S", "T", "U"].map(|name| step.allow_secret(name)), [false, true, false]);
        assert!(Grants::default().env().is_empty() && Grants::default().allow_secret("S"));
        assert_eq!(pipeline.narrowed(None), pipeline);
    }

    #[test]
    fn hosts_are_granted_by_name_by_what_is_below_and_by_port() {
        let http = |hosts: &[&str]| Permissions { http: list(hosts), ..Permissions::default() };
        let granted = Grants::of(&http(&["api.example.com", "*.slack.com", "localhost:8080", "[::1]:25"]));
        for (host, port, expected) in [
            ("api.example.com", 443, true),
            ("API.example.com", 8443, true),
            ("example.com", 443, false),
            ("evil-api.example.com", 443, false),
            ("hooks.slack.com", 443, true),
            ("slack.com", 443, false),
            ("evilslack.com", 443, false),
            ("localhost", 8080, true),
            ("localhost", 80, false),
            ("[::1]", 25, true),
        ] {
            assert_eq!(granted.allow_host(host, port), expected, "{host}:{port}");
        }
        let step = granted.narrowed(Some(&http(&["hooks.slack.com", "elsewhere.org"])));
        assert_eq!(["hooks.slack.com", "elsewhere.org"].map(|host| step.allow_host(host, 443)), [true, false]);
        assert!(Grants::default().allow_host("anywhere.org", 443) && step.hosts().len() == 2);
    }

    #[test]
    fn grants_cover_folders_patterns_and_writing_where_it_says_so() {
        let permissions = granted(&["data", "in/*.csv", "out:rw"]);
        for (path, read, write) in [
            ("data/a.csv", true, false),
            ("data/deep/*.parquet", true, false),
            ("database/a.csv", false, false),
            ("data/../secret.csv", false, false),
            ("./in/x.csv", true, false),
            ("in/x.parquet", false, false),
            ("out/x.csv", true, true),
            ("out", true, true),
            ("/etc/passwd", false, false),
        ] {
            let allows = |access| permissions.allow_written(Path::new("/w"), path, access);
            assert_eq!((allows(Access::Read), allows(Access::Write)), (read, write), "{path}");
        }
        assert!(granted(&[]).allow_written(Path::new("/w"), "/anywhere", Access::Write));
    }

    #[test]
    fn a_link_leads_out_of_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let (base, outside) = (place.path().join("w"), place.path().join("outside"));
        std::fs::create_dir_all(base.join("data")).unwrap();
        let elsewhere = place.path().join("elsewhere");
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&outside, base.join("data/way_out")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, base.join("linked")).unwrap();
        let permissions = granted(&["data", "linked:rw"]);
        let reads = |path: &str| permissions.allow_real(&base, Path::new(path), Access::Read);
        assert!(reads("data/a.csv") && !reads("data/way_out/a.csv"));
        // A folder that is granted may be a link itself.
        assert!(reads("linked/a.csv") && permissions.allow_real(&base, Path::new("linked/new/a"), Access::Write));
        assert!(!reads("data/way_out/../w/secret"));
    }
}
