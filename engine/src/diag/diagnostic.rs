use serde::Serialize;

use super::{Code, Source, Span};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look; the pipeline runs.
    Warning,
    /// The pipeline does not run.
    Error,
}

/// One problem of a file: what, where, why and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code with a page behind it.
    pub code: Code,
    /// Whether it stops the pipeline.
    pub severity: Severity,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// The place the problem is shown at.
    pub primary: Label,
    /// Further places that explain it, such as the first use of a duplicate key.
    pub secondary: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// A replacement that a tool can apply.
    pub suggestion: Option<Suggestion>,
}

/// A marked place with a few words under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The bytes that are underlined.
    pub span: Span,
    /// The words; may be empty.
    pub text: String,
}

/// Text that would mend the problem if it replaced what is under `span`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The bytes to replace.
    pub span: Span,
    /// What to put there.
    pub replacement: String,
}

impl Diagnostic {
    /// A diagnostic with the severity that its code has.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: Label { span, text: String::new() },
            secondary: Vec::new(),
            help: None,
            suggestion: None,
        }
    }

    /// Puts words under the primary place.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Marks a further place.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Offers a replacement of the primary place.
    pub fn suggest(mut self, replacement: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion { span: self.primary.span, replacement: replacement.into() });
        self
    }

    /// The nearest of `candidates` as a suggestion, if one is near enough to be a misspelling; else a
    /// few of them are named, unless there is other help.
    pub fn did_you_mean<'a>(self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        if let Some(found) = nearest(wrong, candidates.iter().copied()) {
            return self.suggest(found);
        }
        if self.help.is_some() || candidates.is_empty() || candidates.len() > MOST_NAMED {
            return self;
        }
        let known = format!("known here: {}", candidates.join(", "));
        self.help(known)
    }

    /// `file:line:column: severity[code]: message`, the form that editors understand.
    pub fn one_line(&self, source: &Source) -> String {
        let at = source.position(self.primary.span.start);
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        format!("{}:{}:{}: {severity}[{}]: {}", source.name(), at.line, at.column, self.code, self.message)
    }
}

/// Candidates that help may list.
const MOST_NAMED: usize = 12;

/// The nearest of `candidates`, if one is near enough for `wrong` to be a misspelling of it.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(wrong, c), c))
        // Of two single letters neither is a misspelling of the other.
        .filter(|(distance, c)| {
            let longest = wrong.len().max(c.len());
            (1..=(longest / 3).max(1)).contains(distance) && *distance < longest
        })
        .min()
        .map(|(_, found)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_a_near_name_and_only_a_near_one() {
        let problem = || Diagnostic::new(Code::UnknownKey, Span::new(0, 5), "unknown key `stpes`");
        let near = problem().did_you_mean("stpes", ["name", "steps", "inputs"]);
        assert_eq!(near.suggestion.map(|s| s.replacement), Some("steps".to_owned()));
        assert_eq!(problem().did_you_mean("stpes", ["name", "inputs"]).suggestion, None);
    }

    #[test]
    fn one_line_names_the_place() {
        let source = Source::new("p.yaml", "version: 1\nstpes: []\n");
        let problem = Diagnostic::new(Code::UnknownKey, Span::new(11, 16), "unknown key `stpes`");
        assert_eq!(problem.one_line(&source), "p.yaml:2:1: error[P0004]: unknown key `stpes`");
    }
}
