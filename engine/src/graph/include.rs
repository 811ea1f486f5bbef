use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::Path,
};

use super::{Bundle, CheckOptions, Plan, check_text, draft::Draft, walk::find_word};
use crate::{
    diag::{Code, Diagnostic, Severity, Source},
    step::{ChildInput, ChildPorts, Registry},
};

/// Sub-pipelines inside sub-pipelines.
const DEEPEST: usize = 16;

/// Included files and pipelines of one pipeline.
pub(super) struct Includes<'a> {
    base: &'a Path,
    registry: &'a Registry,
    options: CheckOptions<'a>,
    /// The pipelines around, and this one last.
    around: Vec<String>,
    pub(super) files: BTreeMap<String, String>,
    children: RefCell<BTreeMap<String, Result<ChildPorts, String>>>,
    inner: RefCell<Bundle>,
    looked: Cell<bool>,
}

impl<'a> Includes<'a> {
    pub(super) fn new(source: &Source, base: &'a Path, registry: &'a Registry, options: CheckOptions<'a>) -> Self {
        let own = source.name().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        let around = if options.around.is_empty() { vec![own] } else { options.around.to_vec() };
        let inner = Bundle {
            path: String::new(),
            base: String::new(),
            text: String::new(),
            files: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        Self {
            base,
            registry,
            options,
            around,
            files: BTreeMap::new(),
            children: RefCell::default(),
            inner: RefCell::new(inner),
            looked: Cell::new(false),
        }
    }

    /// Reads what the steps include. A step whose file cannot be had is broken from here on.
    pub(super) fn read(&mut self, drafts: &mut [Draft], problems: &mut Vec<Diagnostic>) {
        for draft in drafts {
            self.read_one(draft, problems);
            draft.body.iter_mut().for_each(|step| self.read_one(step, problems));
        }
    }

    fn read_one(&mut self, draft: &mut Draft, problems: &mut Vec<Diagnostic>) {
        let (Some(kind), Some(config)) = (&draft.kind, &draft.config) else { return };
        let mut broken = false;
        for path in kind.includes(config) {
            if self.files.contains_key(&path) {
                continue;
            }
            let with = draft.spec.with.as_ref();
            let span = with.and_then(|with| find_word(with, &path)).unwrap_or_else(|| draft.with_span());
            if let Some(around) = self.circle(&path) {
                let message = format!("a pipeline includes itself: {around}");
                let help = "to do something again and again, use `repeat` or `for_each`";
                problems.push(Diagnostic::new(Code::Recursion, span, message).help(help));
                broken = true;
                continue;
            }
            match (self.options.include)(&path) {
                Ok(text) => drop(self.files.insert(path, text)),
                Err(why) => {
                    let message = format!("the file `{path}` cannot be included: {why}");
                    let help = "paths start from the folder of the pipeline";
                    problems.push(Diagnostic::new(Code::IncludeFailed, span, message).help(help));
                    broken = true;
                }
            }
        }
        if broken {
            draft.config = None;
        }
    }

    /// The path of a file from the folder of the outermost pipeline.
    fn root_path(&self, path: &str) -> String {
        join(folder(self.around.last().map_or("", String::as_str)), path)
    }

    fn circle(&self, path: &str) -> Option<String> {
        let root = self.root_path(path);
        let at = self.around.iter().position(|outer| *outer == root)?;
        Some(self.around[at..].iter().chain([&root]).cloned().collect::<Vec<_>>().join(" -> "))
    }

    /// Inputs and outputs of an included pipeline, checked once.
    pub(super) fn child(&self, path: &str) -> Result<ChildPorts, String> {
        if let Some(known) = self.children.borrow().get(path) {
            return known.clone();
        }
        let ports = self.check_child(path);
        self.children.borrow_mut().insert(path.to_owned(), ports.clone());
        ports
    }

    fn check_child(&self, path: &str) -> Result<ChildPorts, String> {
        if let Some(around) = self.circle(path) {
            return Err(format!("a pipeline includes itself: {around}"));
        }
        if self.around.len() >= DEEPEST {
            return Err(format!("pipelines include each other more than {DEEPEST} deep"));
        }
        let text = match self.files.get(path) {
            Some(text) => text.clone(),
            None => (self.options.include)(path)?,
        };
        let source = Source::new(path, text);
        let first = |problems: &[Diagnostic]| {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            errors.clone().next().map(|problem| {
                let more = errors.count() - 1;
                let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
                format!("{}{more}", problem.one_line(&source))
            })
        };
        let include = |inner: &str| (self.options.include)(&join(folder(path), inner));
        let around: Vec<String> = self.around.iter().cloned().chain([self.root_path(path)]).collect();
        let options = CheckOptions { include: &include, around: &around, ..self.options };
        let checked = check_text(&source, &self.base.join(folder(path)), self.registry, options);
        self.looked.set(self.looked.get() || checked.looked);
        match (first(&checked.diagnostics), checked.plan) {
            (None, Some(plan)) => {
                self.keep(path, &plan);
                Ok(ports_of(&plan))
            }
            (problem, _) => Err(problem.unwrap_or_else(|| "it cannot be planned".to_owned())),
        }
    }

    /// Whether files of tables were looked at for included pipelines.
    pub(super) fn looked(&self) -> bool {
        self.looked.get()
    }

    /// What an included pipeline includes belongs to this one's bundle as well.
    fn keep(&self, path: &str, plan: &Plan) {
        let mut inner = self.inner.borrow_mut();
        for (file, text) in &plan.bundle.files {
            inner.files.insert(join(folder(path), file), text.clone());
        }
        inner.kinds.extend(plan.bundle.kinds.clone());
    }

    /// Every file and kind version, those of included pipelines among them.
    pub(super) fn into_parts(self) -> (BTreeMap<String, String>, BTreeMap<String, u32>) {
        let inner = self.inner.into_inner();
        let mut files = inner.files;
        files.extend(self.files);
        (files, inner.kinds)
    }
}

fn ports_of(plan: &Plan) -> ChildPorts {
    let inputs = plan.spec.inputs.iter().map(|(name, input)| {
        let required = input.default.is_none() && !input.ty.allows_null();
        (name.clone(), ChildInput { ty: input.ty.clone(), required })
    });
    ChildPorts { inputs: inputs.collect(), outputs: plan.outputs.clone() }
}

/// The folder part of a path, without its last slash.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `path` seen from `folder`, without `.` and inner `..`.
pub(super) fn join(folder: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if folder.starts_with('/') { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined() {
        for (folder, path, expected) in [
            ("", "a.yaml", "a.yaml"),
            ("sub", "./a.yaml", "sub/a.yaml"),
            ("sub", "../a.yaml", "a.yaml"),
            ("", "../a.yaml", "../a.yaml"),
            ("/x", "../a.yaml", "/a.yaml"),
            ("x", "/a.yaml", "/a.yaml"),
        ] {
            assert_eq!(join(folder, path), expected);
        }
    }
}
