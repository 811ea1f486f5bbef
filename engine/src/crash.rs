//! Layer 0: named places at which a test kills this very process, to see that nothing is lost there.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// Every crash point, so that a test can visit each. None is left out where two waits follow each other
/// on the way of a commit or of an artifact.
pub const CRASH_POINTS: &[&str] = &[
    "create.before",
    "create.after",
    "take.before",
    "take.after",
    "take.recovered",
    "driver.collected",
    "driver.evaluated",
    "driver.decided",
    "driver.appending",
    "driver.appended",
    "driver.committed",
    "driver.issued",
    "attempt.loaded",
    "attempt.built",
    "attempt.returned",
    "keep.tables",
    "keep.artifact",
    "keep.done",
    "items.planned",
    "gather.read",
    "gather.kept",
    "child.created",
    "body.ran",
    "body.kept",
    "body.step",
    "artifact.begun",
    "artifact.written",
    "artifact.synced",
    "artifact.renamed",
    "artifact.settled",
    "writer.received",
    "writer.locked",
    "writer.checked",
    "writer.applied",
    "writer.committed",
    "writer.answered",
    "writer.emptied",
    "writer.closing",
    "writer.closed",
];

struct Armed {
    name: String,
    left: AtomicU32,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Kills this process with SIGKILL if `MILLWORK_CRASH_AT` names this point (`name` or `name:nth`) and it
/// is passed for the nth time. Costs one load where nothing is armed.
pub fn crash_point(name: &str) {
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var("MILLWORK_CRASH_AT").ok()?;
        let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
        Some(Armed { name: name.to_owned(), left: AtomicU32::new(nth.parse().unwrap_or(1)) })
    });
    if let Some(armed) = armed
        && armed.name == name
        && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_an_unarmed_point_does_nothing() {
        let unique: std::collections::BTreeSet<_> = CRASH_POINTS.iter().collect();
        assert_eq!(unique.len(), CRASH_POINTS.len());
        for name in CRASH_POINTS {
            crash_point(name);
        }
    }
}
