//! `millwork.yaml`: found, read with its problems, and applied.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use millwork_engine::{
    Durability, Keep,
    diag::{Code, Diagnostic, Severity, Source, Span, nearest},
    graph::CheckedPipeline,
    model::{Fault, Name},
    spec::{self, PipelineSpec, StepSpec, WorkspaceDurability},
};

use super::{link, output::Output, secrets::Secrets};

/// The file that makes a folder a workspace.
pub(super) const FILE: &str = "millwork.yaml";

/// What all pipelines below a folder share; nothing where there is no `millwork.yaml`.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    folder: PathBuf,
    settings: Option<spec::Workspace>,
}

impl Workspace {
    /// The workspace that a folder is in. Problems of the file are printed.
    pub(super) fn above(output: &Output, folder: &Path) -> Result<Self, Fault> {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let Some(found) = folder.ancestors().find(|at| at.join(FILE).is_file()) else {
            return Ok(Self::default());
        };
        let file = found.join(FILE);
        let bytes = std::fs::read(&file)
            .map_err(|e| Fault::external("workspace.unreadable", format!("{} cannot be read: {e}", file.display())))?;
        let name = file.display().to_string();
        let (source, problems, settings) = match spec::read_source(name.as_str(), &bytes) {
            Ok(source) => {
                let read = spec::read_workspace(&source);
                (source, read.diagnostics, read.value)
            }
            Err(problem) => (spec::shown(name, &bytes), vec![*problem], None),
        };
        if !problems.is_empty() {
            output.say(link::render(&source, &problems, output));
        }
        if settings.is_none() || problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(Fault::user("pipeline.problems", format!("{} has problems", file.display())));
        }
        Ok(Self { folder: found.to_owned(), settings })
    }

    /// The workspace of a pipeline's file.
    pub(super) fn of_file(output: &Output, file: &Path) -> Result<Self, Fault> {
        Self::above(output, file.parent().filter(|at| !at.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }

    /// What a commit survives.
    pub(super) fn durability(&self) -> Durability {
        match self.settings.as_ref().map(|settings| settings.durability) {
            Some(WorkspaceDurability::Process) => Durability::Process,
            Some(WorkspaceDurability::Power) | None => Durability::Power,
        }
    }

    /// Attempts at once; 0 leaves it to the engine.
    pub(super) fn max_parallel(&self) -> usize {
        self.settings.as_ref().and_then(|settings| settings.max_parallel).map_or(0, |n| n as usize)
    }

    /// Bytes that all attempts together may hold.
    pub(super) fn memory(&self) -> Option<u64> {
        self.settings.as_ref().and_then(|settings| settings.memory)
    }

    /// Whether it says how long anything is kept: then a service forgets by itself.
    pub(super) fn keeps(&self) -> bool {
        self.settings.as_ref().is_some_and(|settings| settings.retention != spec::Retention::default())
    }

    /// How long `gc` keeps things: what was asked for, else what `retention:` says, else 30 days.
    pub(super) fn keep(&self, asked: Option<Duration>) -> Keep {
        const DAYS: Duration = Duration::from_secs(30 * 86_400);
        let said = self.settings.as_ref().map(|settings| settings.retention).unwrap_or_default();
        let runs = asked.or(said.runs).unwrap_or(DAYS);
        let or_runs = |said: Option<Duration>| asked.or(said).unwrap_or(runs);
        Keep { runs, logs: or_runs(said.logs), cache: or_runs(said.cache) }
    }

    /// Slots of its pools.
    pub(super) fn pools(&self) -> BTreeMap<Name, u32> {
        let pools = self.settings.iter().flat_map(|settings| &settings.pools);
        pools.map(|(name, slots)| (name.clone(), *slots)).collect()
    }

    /// Where secrets come from.
    pub(super) fn secrets(&self) -> Secrets {
        let named = self.settings.as_ref().map(|settings| settings.secrets.as_slice()).unwrap_or_default();
        Secrets::new(&self.folder, named)
    }

    /// Adds what the workspace forbids to the problems of a pipeline, which then has no plan.
    pub(super) fn restrict(&self, checked: &mut CheckedPipeline) {
        let Some(settings) = &self.settings else { return };
        let Some(pipeline) = spec::read_pipeline(&checked.source).value else { return };
        let mut problems = Vec::new();
        for (pool, slots) in pipeline.pools.iter().filter(|(pool, _)| !settings.pools.contains_key(*pool)) {
            let message = format!("`{FILE}` has no pool `{pool}`");
            let known = settings.pools.keys().map(Name::as_str);
            let help = nearest(pool.as_str(), known).map_or_else(
                || format!("add it there: `pools: {{{pool}: {}}}`", slots.value),
                |near| format!("did you mean `{near}`?"),
            );
            problems.push(Diagnostic::new(Code::NotAllowed, slots.span, message).help(help));
        }
        kinds(settings, &pipeline, checked, &mut problems);
        permissions(settings, &pipeline, &checked.source, &mut problems);
        if !problems.is_empty() {
            checked.plan = None;
            checked.diagnostics.extend(problems);
        }
    }
}

fn kinds(
    settings: &spec::Workspace,
    pipeline: &PipelineSpec,
    checked: &CheckedPipeline,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(allowed) = &settings.allow_steps else { return };
    let allowed: Vec<&str> = allowed.iter().map(|kind| kind.value.as_str()).collect();
    let help = || format!("it allows {}", allowed.join(", "));
    let forbidden = |kind: &str| format!("`{FILE}` does not allow the kind `{kind}`");
    let sections = [&pipeline.steps, &pipeline.on_failure, &pipeline.finally];
    let mut own = Vec::new();
    for step in sections.into_iter().flatten().flat_map(with_body) {
        let Some(kind) = &step.uses else { continue };
        own.push(kind.value.as_str());
        if !allowed.contains(&kind.value.as_str()) {
            problems.push(Diagnostic::new(Code::NotAllowed, kind.span, forbidden(&kind.value)).help(help()));
        }
    }
    let included = checked.plan.iter().flat_map(|plan| plan.bundle.kinds.keys());
    for kind in included.filter(|kind| !own.contains(&kind.as_str()) && !allowed.contains(&kind.as_str())) {
        let message = format!("{}, which an included pipeline uses", forbidden(kind));
        problems.push(Diagnostic::new(Code::NotAllowed, pipeline.name.span, message).help(help()));
    }
}

fn with_body(step: &StepSpec) -> impl Iterator<Item = &StepSpec> {
    std::iter::once(step).chain(&step.body)
}

fn permissions(settings: &spec::Workspace, pipeline: &PipelineSpec, source: &Source, problems: &mut Vec<Diagnostic>) {
    let Some(most) = &settings.permissions else { return };
    let at = spec::read_tree(source).root.and_then(|root| root.get("permissions").map(|node| node.span));
    let at = at.unwrap_or(pipeline.name.span);
    let files = [(&pipeline.permissions.files, at)].into_iter();
    let narrowed = pipeline.steps.iter().flat_map(with_body).filter_map(|step| {
        let permissions = step.permissions.as_ref()?;
        Some((&permissions.files, step.span))
    });
    if !most.files.is_empty() {
        if pipeline.permissions.files.is_empty() {
            let message = format!("`{FILE}` limits files, so the pipeline must say which it uses");
            let help = format!("write `permissions: {{files: [..]}}` with some of {}", most.files.join(", "));
            problems.push(Diagnostic::new(Code::NotAllowed, at, message).help(help));
        }
        for (asked, span) in files.chain(narrowed) {
            for path in asked.iter().filter(|path| !most.files.iter().any(|granted| covers(granted, path))) {
                problems.push(refused(span, "the files", path, &most.files));
            }
        }
    }
    for (what, asked, granted) in [
        ("the host", &pipeline.permissions.http, &most.http),
        ("the variable", &pipeline.permissions.env, &most.env),
        ("the secret", &pipeline.permissions.secrets, &most.secrets),
    ] {
        for one in asked.iter().filter(|one| !granted.is_empty() && !granted.iter().any(|g| host_covers(g, one))) {
            problems.push(refused(at, what, one, granted));
        }
    }
    let declared =
        pipeline.secrets.iter().filter(|secret| !most.secrets.is_empty() && !most.secrets.contains(&secret.value));
    problems.extend(declared.map(|secret| refused(secret.span, "the secret", &secret.value, &most.secrets)));
}

fn refused(span: Span, what: &str, asked: &str, granted: &[String]) -> Diagnostic {
    let near = nearest(asked, granted.iter().map(String::as_str));
    let help =
        near.map_or_else(|| format!("it allows {}", granted.join(", ")), |near| format!("did you mean `{near}`?"));
    Diagnostic::new(Code::NotAllowed, span, format!("`{FILE}` does not allow {what} `{asked}`")).help(help)
}

/// Whether a grant of files covers what is asked: the same, or something below; writing only where it
/// is granted.
fn covers(granted: &str, asked: &str) -> bool {
    let parts = |text: &str| match text.strip_suffix(":rw") {
        Some(path) => (path.trim_end_matches('/').to_owned(), true),
        None => (text.trim_end_matches('/').to_owned(), false),
    };
    let ((granted, may_write), (asked, wants_write)) = (parts(granted), parts(asked));
    let climbs = Path::new(&asked).components().any(|part| part == std::path::Component::ParentDir);
    (may_write || !wants_write) && (asked == granted || (!climbs && Path::new(&asked).starts_with(&granted)))
}

fn host_covers(granted: &str, asked: &str) -> bool {
    granted == asked || granted.strip_prefix('*').is_some_and(|rest| rest.starts_with('.') && asked.ends_with(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_cover_what_is_below_them() {
        for (granted, asked, expected) in [
            ("data", "data", true),
            ("data", "data/2013", true),
            ("data/", "data/x.csv", true),
            ("data", "database", false),
            ("data", "data/../etc", false),
            ("data", "data:rw", false),
            ("out:rw", "out/x:rw", true),
            ("out:rw", "out", true),
        ] {
            assert_eq!(covers(granted, asked), expected, "{granted} {asked}");
        }
        assert!(host_covers("*.example.com", "api.example.com") && !host_covers("*.example.com", "example.org"));
    }
}
