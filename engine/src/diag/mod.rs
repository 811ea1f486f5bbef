//! Layer 0: places in source text and the problems found there.

mod code;
mod diagnostic;
mod json;
mod render;
mod source;
mod span;
mod text_map;

pub use code::{Code, Page};
pub use diagnostic::{Diagnostic, Label, Severity, Suggestion, nearest};
pub use json::{JsonDiagnostic, JsonSuggestion};
pub use render::{render, summary};
pub use source::{Position, Source};
pub use span::Span;
pub use text_map::TextMap;
