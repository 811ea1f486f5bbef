use millwork_engine::model::{Name, Wait};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{InputView, time};
use crate::problem::AnyJson;

/// What a step waits for.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct WaitView {
    /// `until`, `approval`, `run` or `budget`.
    #[serde(rename = "for")]
    pub what: &'static str,
    /// Until when, if it gives up or goes on then.
    pub until: Option<String>,
    /// What a person is asked, without the list of the form's fields that is shown on terminals.
    pub prompt: Option<String>,
    /// Digest of exactly what was shown; an answer names it.
    pub shown: Option<String>,
    /// The run that is waited for.
    pub run: Option<String>,
    /// What ran out.
    pub resource: Option<String>,
}

impl From<&Wait> for WaitView {
    fn from(wait: &Wait) -> Self {
        match wait {
            Wait::Until { at } => Self { what: "until", until: Some(time(*at)), ..Self::default() },
            Wait::Approval { prompt, shown, until } => Self {
                what: "approval",
                until: until.map(time),
                prompt: Some(question(prompt)),
                shown: Some(shown.to_string()),
                ..Self::default()
            },
            Wait::Run { run } => Self { what: "run", run: Some(run.to_string()), ..Self::default() },
            Wait::Budget { resource } => Self { what: "budget", resource: Some(resource.clone()), ..Self::default() },
        }
    }
}

/// What is asked, without the lines that list the form: `  name (type): what for`.
pub(crate) fn question(prompt: &str) -> String {
    let is_field = |line: &str| {
        let named = line.strip_prefix("  ").and_then(|rest| rest.split_once(" ("));
        named.is_some_and(|(name, rest)| Name::new(name).is_some() && rest.contains(')'))
    };
    let mut question = prompt;
    while let Some((before, last)) = question.rsplit_once('\n').filter(|(_, last)| is_field(last)) {
        let _ = last;
        question = before;
    }
    question.to_owned()
}

/// A question to a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalView {
    /// The run that waits.
    pub run: String,
    /// Its pipeline.
    pub pipeline: String,
    /// The step that asks.
    pub step: String,
    /// What it asks.
    pub prompt: String,
    /// Values that are given with the answer.
    pub form: Vec<InputView>,
    /// Digest of exactly what is shown; the answer names it.
    pub shown: String,
    /// Since when it waits.
    pub asked_at: Option<String>,
    /// When the wait is over.
    pub until: Option<String>,
    /// What no answer means then.
    #[schema(value_type = Option<Value>)]
    pub default: Option<AnyJson>,
}

/// An answer to a question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerRequest {
    /// `shown` of the question.
    pub shown: String,
    /// `{approved: true|false, values: {..}}`, with the values of the form.
    #[schema(value_type = Object)]
    pub answer: AnyJson,
}

#[cfg(test)]
mod tests {
    use super::question;

    #[test]
    fn a_question_is_told_without_its_form() {
        for (prompt, expected) in [
            ("Go?", "Go?"),
            ("Go?\n  n (int)", "Go?"),
            ("Go?\n\nOr not?\n  n (int): how many\n  why (string?, \"x\" if left out)", "Go?\n\nOr not?"),
            ("Go?\n  as planned (or not)\n  n (int)", "Go?\n  as planned (or not)"),
            ("  n (int)", "  n (int)"),
            ("", ""),
        ] {
            assert_eq!(question(prompt), expected);
        }
    }
}
