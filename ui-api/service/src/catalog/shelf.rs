use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use millwork_engine::{
    diag::{Code, Diagnostic, Span},
    graph::{CheckedPipeline, Plan, triggers_across},
    spec::{self, PipelineSpec},
};
use tokio::sync::watch;

use super::{
    Startable,
    entry::{Checker, Entry, Standing},
    files::{self, Stamp},
};

/// A check also reads what tables look like; a start takes one that is this old at most.
const FRESH: Duration = Duration::from_secs(2);

/// The pipelines of a folder.
#[derive(Debug)]
pub struct Catalog {
    folder: PathBuf,
    checker: Arc<dyn Checker>,
    entries: RwLock<Arc<BTreeMap<String, Arc<Entry>>>>,
    loaded: AtomicBool,
    changes: watch::Sender<u64>,
    /// Pipelines whose change a start was the first to see, until all who wait for changes are told.
    untold: Mutex<BTreeSet<String>>,
}

impl Catalog {
    /// Of a folder; empty until [`Catalog::reload`].
    pub fn new(folder: &Path, checker: Arc<dyn Checker>) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Self {
            folder,
            checker,
            entries: RwLock::default(),
            loaded: AtomicBool::new(false),
            changes: watch::channel(0).0,
            untold: Mutex::default(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks a text that is in no file.
    pub fn check_text(&self, name: &str, text: &str) -> CheckedPipeline {
        self.checker.check(name, text.as_bytes(), &self.folder)
    }

    /// Whether all files were read once.
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// All pipelines, by name.
    pub fn all(&self) -> Arc<BTreeMap<String, Arc<Entry>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One pipeline.
    pub fn get(&self, name: &str) -> Option<Arc<Entry>> {
        self.all().get(name).cloned()
    }

    /// Changes when a pipeline came, went or changed.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The pipeline, if it was checked just now, so that nothing has to be read.
    pub fn recent(&self, name: &str) -> Option<Arc<Entry>> {
        self.get(name).filter(|entry| entry.checked.elapsed() < FRESH)
    }

    /// The pipeline, checked just now: tables that it reads may have other columns than when its file changed last.
    /// Blocks on files.
    pub fn fresh(&self, name: &str) -> Option<Arc<Entry>> {
        let entry = self.get(name)?;
        if entry.checked.elapsed() < FRESH {
            return Some(entry);
        }
        let again = if !entry.looked && is_unchanged(&entry) {
            // Another check would read the same bytes, and nothing else.
            Entry { checked: Instant::now(), ..Entry::clone(&entry) }
        } else {
            let Ok(bytes) = std::fs::read(&entry.file) else { return Some(entry) };
            let (read, plan) = self.read(&entry.file, &bytes, Some(&entry));
            // It is about to be started.
            if let (Some(startable), Some(plan)) = (&read.startable, plan) {
                startable.keep(plan);
            }
            read
        };
        let again = Arc::new(again);
        let same = |a: &Entry, b: &Entry| {
            let revision = |entry: &Entry| entry.startable.as_ref().map(|startable| startable.revision);
            revision(a) == revision(b) && a.standing == b.standing && a.source.text() == b.source.text()
        };
        if again.name == name {
            if !same(&again, &entry) {
                self.untold.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
            }
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            Arc::make_mut(&mut entries).insert(name.to_owned(), again.clone());
        }
        Some(again)
    }

    /// Reads what is new or has changed, and forgets what is gone; the names concerned. Blocks on files.
    pub fn reload(&self) -> Vec<String> {
        let before = self.all();
        before.values().filter_map(|entry| entry.startable.as_ref()).for_each(|startable| startable.cool());
        let by_file: BTreeMap<&Path, &Arc<Entry>> =
            before.values().map(|entry| (entry.file.as_path(), entry)).collect();
        let found = files::pipelines(&self.folder);
        let work: Vec<(PathBuf, Option<Arc<Entry>>)> =
            found.into_iter().map(|file| (file.clone(), by_file.get(file.as_path()).map(|e| Arc::clone(e)))).collect();
        let read = self.read_all(&work);
        let mut entries = BTreeMap::new();
        let mut changed = Vec::new();
        for (entry, is_new) in read.into_iter().flatten() {
            if is_new {
                changed.push(entry.name.clone());
            }
            let entry = match entries.get(&entry.name) {
                None => entry,
                Some(first) => Arc::new(twice(&entry, first)),
            };
            entries.insert(entry.name.clone(), entry);
        }
        changed.extend(before.keys().filter(|name| !entries.contains_key(*name)).cloned());
        let untold = std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner));
        changed.extend(untold.into_iter().filter(|name| entries.contains_key(name)));
        changed.sort();
        changed.dedup();
        if !changed.is_empty() {
            look_across(&mut entries);
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(entries);
        self.loaded.store(true, Ordering::Release);
        if !changed.is_empty() {
            self.changes.send_modify(|times| *times += 1);
        }
        changed
    }

    /// Reads files on as many threads as there are processors.
    fn read_all(&self, work: &[(PathBuf, Option<Arc<Entry>>)]) -> Vec<Option<(Arc<Entry>, bool)>> {
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(work.len().max(1));
        let read = |ix: usize| {
            let (file, before) = work.get(ix)?;
            Some((ix, self.read_changed(file, before.as_ref())))
        };
        let some = || std::iter::from_fn(|| read(next.fetch_add(1, Ordering::Relaxed))).collect::<Vec<_>>();
        let mut all: Vec<(usize, Option<(Arc<Entry>, bool)>)> = std::thread::scope(|scope| {
            // The stack of a thread that plans SQL.
            let spawn = || std::thread::Builder::new().stack_size(32 << 20).spawn_scoped(scope, some);
            let handles: Vec<_> = (0..threads).filter_map(|_| spawn().ok()).collect();
            handles.into_iter().filter_map(|handle| handle.join().ok()).flatten().collect()
        });
        all.sort_by_key(|(ix, _)| *ix);
        all.into_iter().map(|(_, entry)| entry).collect()
    }

    fn read_changed(&self, file: &Path, before: Option<&Arc<Entry>>) -> Option<(Arc<Entry>, bool)> {
        if let Some(entry) = before
            && is_unchanged(entry)
        {
            return Some((entry.clone(), false));
        }
        let bytes = std::fs::read(file).ok()?;
        files::is_pipeline(&bytes).then(|| (Arc::new(self.read(file, &bytes, before).0), true))
    }

    /// Reads a file; its plan goes with the entry that is made of it.
    fn read(&self, file: &Path, bytes: &[u8], before: Option<&Arc<Entry>>) -> (Entry, Option<Arc<Plan>>) {
        let own = Stamp::of(file);
        let base = file.parent().unwrap_or(&self.folder);
        let shown = file.strip_prefix(&self.folder).unwrap_or(file).display().to_string();
        let checked = self.checker.check(&shown, bytes, base);
        let named = checked.plan.as_ref().map(|plan| plan.spec.name.value.clone());
        let named = named.or_else(|| spec::read_pipeline(&checked.source).value.map(|spec| spec.name.value));
        // A file whose name cannot be read at present is still the pipeline that it was.
        let named = named.or_else(|| before.map(|entry| entry.name.clone()));
        let name = named.unwrap_or_else(|| file.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        let standing = if checked.plan.is_some() { Standing::Ready } else { Standing::Broken };
        let included = checked.plan.iter().flat_map(|plan| plan.bundle.files.keys()).map(|path| base.join(path));
        let stamps = included.map(|path| (path.clone(), Stamp::of(&path)));
        let stamps = std::iter::once((file.to_owned(), own)).chain(stamps).collect();
        let before = before.filter(|entry| entry.name == name);
        let last_good = before.and_then(|entry| entry.startable.clone());
        let startable = checked.plan.as_deref().map(|plan| Arc::new(Startable::new(plan, self.checker.clone())));
        let own = checked.diagnostics.len();
        // How it stands among the others is looked at when the folder is.
        let across = before.filter(|_| standing == Standing::Ready).map(|entry| entry.across()).unwrap_or_default();
        let diagnostics = checked.diagnostics.into_iter().chain(across.iter().cloned());
        let entry = Entry {
            name,
            file: file.to_owned(),
            source: checked.source,
            diagnostics: diagnostics.collect(),
            own,
            startable: startable.or(last_good),
            standing,
            stamps,
            checked: Instant::now(),
            looked: checked.looked,
        };
        (entry, checked.plan)
    }
}

/// Whether its files are the ones that it was read from.
fn is_unchanged(entry: &Entry) -> bool {
    entry.stamps.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
}

/// Finds what is odd about how pipelines start one another.
fn look_across(entries: &mut BTreeMap<String, Arc<Entry>>) {
    let ready = |entry: &&Arc<Entry>| entry.standing == Standing::Ready;
    let some: Vec<Arc<Entry>> = entries.values().filter(ready).cloned().collect();
    let specs: Vec<&PipelineSpec> = some.iter().filter_map(|entry| entry.spec()).map(|spec| &**spec).collect();
    let mut found: BTreeMap<usize, Vec<Diagnostic>> = BTreeMap::new();
    for (at, problem) in triggers_across(&specs, |name| entries.contains_key(name)) {
        found.entry(at).or_default().push(problem);
    }
    for (at, entry) in some.iter().enumerate() {
        let across = found.remove(&at).unwrap_or_default();
        if entry.across() != across {
            entries.insert(entry.name.clone(), Arc::new(entry.among(across)));
        }
    }
}

/// A pipeline whose name another file has: it is not started, and says why.
fn twice(second: &Entry, first: &Arc<Entry>) -> Entry {
    let message = format!("`{}` is the name of the pipeline in {} as well", second.name, first.file.display());
    let problem = Diagnostic::new(Code::DuplicateId, Span::default(), message).help("give one of the two another name");
    let diagnostics = second.diagnostics.iter().take(second.own).cloned().chain([problem]);
    let key = second.file.file_stem().unwrap_or_default().to_string_lossy();
    Entry {
        name: format!("{}@{key}", second.name),
        diagnostics: diagnostics.collect(),
        own: second.own + 1,
        startable: None,
        standing: Standing::Broken,
        ..second.clone()
    }
}
