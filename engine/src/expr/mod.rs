//! Layer 1: the `${{ }}` language. Parsed once, checked with spans, evaluated totally: every
//! evaluation ends, in time and memory linear in its input.
//!
//! - `??` binds tighter than comparisons and looser than `+`: `n ?? 0 > 3` asks about a number.
//! - What a map does not have is null: `map.key` is `T?`. A field of null is a fault; `?.` gives null.
//! - A list's element that is not there is a fault; `get(list, index, default)` gives a default.
//! - Values of different types cannot be compared; inside lists they are simply not equal.
//! - Null, tables and bytes have no form in text around `${{ }}`: an error at check, a fault under `any`.
//! - `x != null && ..` and `x != null ? .. : ..` make `T` of a reference's `T?`.

mod ast;
mod calls;
mod check;
mod env;
mod eval;
mod explain;
mod expression;
mod functions;
#[cfg(test)]
mod fuzz;
mod infix;
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
#[cfg(test)]
mod world;

pub use env::{Env, Labelled};
pub use expression::{Checked, Expr};
pub use functions::{Function, Purity, catalogue};
pub use reference::{Part, Ref, Root, StatusCall};
pub use scope::{Scope, Unknown};
pub use template::{Piece, Template, TemplateKind};
