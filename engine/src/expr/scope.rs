use super::Root;
use crate::data::Type;

/// Gives a check the type of what an expression refers to.
pub trait Scope {
    /// The type of a root, or why there is none.
    fn type_of(&self, root: &Root) -> Result<Type, Unknown>;

    /// Whether `success()` and its like may be asked here.
    fn allows_status(&self) -> bool;

    /// Whether this step exists, for `failed('x')`.
    fn has_step(&self, step: &str) -> bool;
}

/// Why a root has no type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// One sentence, such as ``there is no step `flihgts` ``.
    pub message: String,
    /// The word that was not known.
    pub wrong: String,
    /// Words that would have been, for a suggestion.
    pub candidates: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}
