use std::ops::Range;

use datafusion::{
    common::{DataFusionError, Diagnostic as SqlDiagnostic, SchemaError},
    sql::sqlparser::parser::ParserError,
};
use millwork_engine::{
    diag::{Code, Diagnostic, Suggestion},
    model::Fault,
    step::Located,
};

use super::place;

/// What is wrong with a query, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The word that was not known, and the words that are.
    pub(crate) near: Option<(String, Vec<String>)>,
}

impl Problem {
    pub(crate) fn new(code: Code, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, at, message: message.into(), help: None, near: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers the nearest of `known` in place of `wrong`.
    pub(crate) fn near(mut self, wrong: &str, known: impl IntoIterator<Item = String>) -> Self {
        self.near = Some((wrong.to_owned(), known.into_iter().collect()));
        self
    }

    /// The problem in the file.
    pub(crate) fn diagnostic(&self, query: &Located<String>) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.code, query.part(self.at.start, self.at.end), self.message.clone());
        diagnostic.help.clone_from(&self.help);
        if let Some(word) = self.suggested() {
            diagnostic.suggestion = Some(Suggestion { span: diagnostic.primary.span, replacement: word });
        }
        diagnostic
    }

    /// The known word that is nearest.
    pub(crate) fn suggested(&self) -> Option<String> {
        let (wrong, known) = self.near.as_ref()?;
        // Case alone is the likeliest slip where names keep their spelling.
        let same = known.iter().find(|k| k.eq_ignore_ascii_case(wrong)).cloned();
        let blank = Diagnostic::new(self.code, millwork_engine::diag::Span::default(), "");
        let word = same.or_else(|| {
            let lower: Vec<_> = known.iter().map(|k| k.to_lowercase()).collect();
            let found = blank.did_you_mean(&wrong.to_lowercase(), lower.iter().map(String::as_str));
            let found = found.suggestion?.replacement;
            known.iter().find(|k| k.to_lowercase() == found).cloned()
        })?;
        Some(if word.chars().all(|c| c.is_alphanumeric() || c == '_') { word } else { format!("\"{word}\"") })
    }

    /// The problem as the fault of an attempt whose query could not be planned before.
    pub(crate) fn fault(&self) -> Fault {
        let hint = self.suggested().map(|word| format!("did you mean `{word}`?"));
        let fault = Fault::user("sql.plan", self.message.clone());
        match self.help.clone().or(hint) {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}

/// Everything that an error of planning says about a query.
pub(super) fn problems(text: &str, error: &DataFusionError) -> Vec<Problem> {
    match error {
        DataFusionError::Collection(errors) => {
            let mut all: Vec<Problem> = Vec::new();
            for problem in errors.iter().flat_map(|e| problems(text, e)) {
                if !all.contains(&problem) {
                    all.push(problem);
                }
            }
            all
        }
        DataFusionError::Context(_, inner) => problems(text, inner),
        DataFusionError::Shared(inner) => problems(text, inner),
        DataFusionError::Diagnostic(diagnostic, inner) => {
            problems(text, inner).into_iter().map(|problem| placed(text, problem, diagnostic)).collect()
        }
        other => vec![one(text, other)],
    }
}

fn placed(text: &str, mut problem: Problem, diagnostic: &SqlDiagnostic) -> Problem {
    if let Some(span) = diagnostic.span {
        problem.at = place::bytes_of(text, &span);
    }
    if problem.help.is_none() {
        problem.help = diagnostic.helps.first().map(|help| help.message.clone());
    }
    problem
}

fn one(text: &str, error: &DataFusionError) -> Problem {
    let everywhere = place::whole(text);
    match error {
        DataFusionError::SQL(parser, _) => syntax(text, parser),
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let at = place::find_word(text, &field.name).unwrap_or(everywhere);
                let known: Vec<String> = valid_fields.iter().map(|column| column.name.clone()).collect();
                let of = field.relation.as_ref().map(|r| format!(" in `{r}`")).unwrap_or_default();
                let problem = Problem::new(Code::SqlColumn, at, format!("there is no column `{}`{of}", field.name));
                let problem = if known.is_empty() || known.len() > 24 {
                    problem
                } else {
                    problem.help(format!("columns are {}", known.join(", ")))
                };
                problem.near(&field.name, known)
            }
            SchemaError::AmbiguousReference { field } => {
                let at = place::find_word(text, &field.name).unwrap_or(everywhere);
                Problem::new(Code::SqlColumn, at, format!("more than one table has a column `{}`", field.name))
                    .help(format!("say which, such as `t.{}`", field.name))
            }
            other => Problem::new(Code::SqlColumn, everywhere, tidy(&other.to_string()))
                .help("give the columns names of their own with `as`"),
        },
        other => {
            let message = tidy(&other.strip_backtrace());
            if let Some(rest) = message.strip_prefix("Invalid function '") {
                let name = rest.split('\'').next().unwrap_or_default().to_owned();
                let near = rest.split("Did you mean '").nth(1).and_then(|r| r.split('\'').next()).unwrap_or_default();
                let at = place::find_word(text, &name).unwrap_or(everywhere);
                let problem = Problem::new(Code::SqlFunction, at, format!("there is no function `{name}`"));
                return problem
                    .help("functions are those of standard SQL, such as avg, count, coalesce, date_trunc and extract")
                    .near(&name, [near.to_owned()]);
            }
            let named = message.split('\'').nth(1).and_then(|word| place::find_word(text, word));
            let at = named.or_else(|| function_in(text, &message)).unwrap_or(everywhere);
            Problem::new(Code::SqlType, at, lower_first(&message))
        }
    }
}

/// The place of the first function of the query that a message about functions names.
fn function_in(text: &str, message: &str) -> Option<Range<usize>> {
    let words = message.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| word.len() > 2).find_map(|word| {
        let at = place::find_word(text, word)?;
        text[at.end..].trim_start().starts_with('(').then_some(at)
    })
}

/// A message of the parser ends with the place it means.
fn syntax(text: &str, error: &ParserError) -> Problem {
    let (ParserError::ParserError(message) | ParserError::TokenizerError(message)) = error else {
        return Problem::new(Code::SqlSyntax, place::whole(text), "the query nests too deeply");
    };
    let (said, at) = match message.rsplit_once(" at Line: ") {
        Some((said, numbers)) => {
            let mut numbers = numbers.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok());
            let (line, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
            (said, place::word_at(text, place::byte_at(text, line, column)))
        }
        None => (message.as_str(), 0..0),
    };
    // At the end there is nothing to underline but the last word.
    let at = if at.is_empty() { last_word(text) } else { at };
    Problem::new(
        Code::SqlSyntax,
        at,
        lower_first(said).replace("found: EOF", "found the end of the query").replace("expected: ", "expected "),
    )
}

fn last_word(text: &str) -> Range<usize> {
    let end = place::whole(text).end;
    let start = text[..end].rfind(char::is_whitespace).map_or(0, |at| at + 1);
    start.min(end)..end
}

/// The first sentence of an error, without the words that say which part of the library speaks.
pub(super) fn tidy(message: &str) -> String {
    let mut text = message.trim();
    for noise in [
        "Error during planning: ",
        "Schema error: ",
        "Execution error: ",
        "This feature is not implemented: ",
        "Arrow error: ",
        "Parquet error: ",
        "Compute error: ",
        "type_coercion\ncaused by\n",
        "External error: ",
        "Internal error: ",
    ] {
        text = text.trim_start_matches(noise);
    }
    let text = text.split("\nThis issue was likely caused by a bug").next().unwrap_or(text);
    let text = text.split(": While expanding wildcard").next().unwrap_or(text);
    let text = in_our_words(text);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
    lines.join("; ").trim_end_matches('.').to_owned()
}

/// Types by the names that pipelines have for them.
fn in_our_words(text: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        ("LargeUtf8", "string"),
        ("Utf8View", "string"),
        ("Utf8", "string"),
        ("UInt64", "int"),
        ("Int64", "int"),
        ("Int32", "int"),
        ("Float64", "float"),
        ("Boolean", "bool"),
        ("Date32", "date"),
    ];
    let mut text = text.to_owned();
    for (theirs, ours) in WORDS {
        // A call such as `Int64(1)` is how a literal is shown; a type has no bracket behind it.
        let parts: Vec<&str> = text.split(theirs).collect();
        let mut out = parts[0].to_owned();
        for part in &parts[1..] {
            out.push_str(if part.starts_with('(') { theirs } else { ours });
            out.push_str(part);
        }
        text = out;
    }
    text
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // A name in capitals stays.
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}
