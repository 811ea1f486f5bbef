//! The program that these tests were built with.

use std::path::Path;

use millwork_testkit::program::Place;
pub(crate) use millwork_testkit::program::until;

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_millwork"))
}

/// An empty folder for it.
pub(crate) fn empty() -> Place {
    Place::empty(program())
}
