use serde::Serialize;

use super::{Diagnostic, Severity, Source};

/// A problem as `check --json` prints it. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonDiagnostic {
    /// What messages call the file.
    pub file: String,
    /// Where it begins.
    pub line: usize,
    /// Where it begins.
    pub column: usize,
    /// Where it ends.
    pub end_line: usize,
    /// One past its last character.
    pub end_column: usize,
    /// Stable code.
    pub code: &'static str,
    /// Whether it stops the pipeline.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Text that would mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<JsonSuggestion>,
}

/// A replacement that a tool can apply, in bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonSuggestion {
    /// First byte to replace.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// What to put there.
    pub replacement: String,
}

impl JsonDiagnostic {
    /// The form for tools of a problem.
    pub fn new(source: &Source, diagnostic: &Diagnostic) -> Self {
        let (start, end) =
            (source.position(diagnostic.primary.span.start), source.position(diagnostic.primary.span.end));
        Self {
            file: source.name().to_owned(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            code: diagnostic.code.as_str(),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            suggestion: diagnostic.suggestion.as_ref().map(|s| JsonSuggestion {
                start: s.span.start,
                end: s.span.end,
                replacement: s.replacement.clone(),
            }),
        }
    }
}
