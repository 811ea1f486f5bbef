//! Reading a kind's configuration: `with:` to a typed struct, every problem with its place.
//!
//! A configuration is an ordinary struct with `#[derive(Deserialize, JsonSchema)]` and
//! `#[serde(deny_unknown_fields)]`. What it may hold beyond serde's own types:
//!
//! | type | for |
//! |---|---|
//! | [`Templated<T>`] | a value that may be an expression |
//! | [`Located<T>`] | a value whose place matters, such as SQL; `${{` inside is left to the kind |
//! | [`OneOrMany<T>`] | one value or a list of them |
//! | [`Size`], [`Count`], [`Period`] | `6GiB`, `500k`, `10m` |
//!
//! `#[serde(untagged)]`, `#[serde(tag = ..)]` and `#[serde(flatten)]` buffer their content, and places
//! and expressions are lost in the buffer: [`Templated`] and [`Located`] inside them are refused with
//! a message that says so. Use an externally tagged enum, or [`OneOrMany`].

mod access;
mod deserializer;
mod dummy;
mod handover;
mod literal;
mod located;
mod one_or_many;
mod problem;
mod reader;
mod resolved;
mod template;
mod templated;
mod units;

pub use literal::{Mismatch, convert};
pub use located::Located;
pub use one_or_many::OneOrMany;
pub(super) use reader::read;
pub use resolved::{Resolved, SecretText};
pub use template::{conform, template_of};
pub use templated::{Field, Templated};
pub use units::{Count, Period, Size};

#[cfg(test)]
mod tests;
