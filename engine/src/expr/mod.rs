//! Layer 1: the `${{ }}` language. Parsed once, checked with spans, evaluated totally: every
//! evaluation ends, in time and memory linear in its input.

mod env;
mod reference;
mod scope;

pub use env::{Env, Labelled};
pub use reference::{Part, Ref, Root, StatusCall};
pub use scope::{Scope, Unknown};
