//! Layer 1: the `${{ }}` language. Parsed once, checked with spans, evaluated totally: every
//! evaluation ends, in time and memory linear in its input.

mod env;
mod expression;
mod reference;
mod scope;
mod template;

pub use env::{Env, Labelled};
pub use expression::{Checked, Expr};
pub use reference::{Part, Ref, Root, StatusCall};
pub use scope::{Scope, Unknown};
pub use template::{Piece, Template, TemplateKind};
