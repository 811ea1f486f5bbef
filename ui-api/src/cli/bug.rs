//! What a user sees instead of a panic.

use std::{io::Write, panic};

use millwork_engine::executor::COMPUTE;

/// Prints a short message and ends with the exit code of a bug. A panic inside a step is caught there and becomes
/// the fault of that step alone: of it only the place is logged.
pub(super) fn install() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
        let what = info.payload_as_str().unwrap_or("no message");
        if std::thread::current().name() == Some(COMPUTE) {
            tracing::error!(place, "a step panicked: {what}");
            return;
        }
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "\nThis is a bug in Millwork, not in your pipeline: {what} ({place})");
        let _ = writeln!(stderr, "State is safe: `millwork runs resume last` goes on with a run that was under way.");
        let _ = writeln!(stderr, "Please report the line above with the version ({}).", env!("CARGO_PKG_VERSION"));
        std::process::exit(i32::from(super::Exit::Bug as u8));
    }));
}
