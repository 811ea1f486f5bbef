//! Layer 1: the `${{ }}` language. Parsed once, checked with spans, evaluated totally: every
//! evaluation ends, in time and memory linear in its input.

mod ast;
mod check;
mod env;
mod eval;
mod expression;
mod functions;
#[cfg(test)]
mod fuzz;
mod lexer;
mod names;
mod narrow;
mod ops;
mod parser;
mod reference;
mod scope;
mod show;
mod template;
#[cfg(test)]
mod tests;

pub use env::{Env, Labelled};
pub use expression::{Checked, Expr};
pub use functions::{Function, Purity, catalogue};
pub use reference::{Part, Ref, Root, StatusCall};
pub use scope::{Scope, Unknown};
pub use template::{Piece, Template, TemplateKind};
