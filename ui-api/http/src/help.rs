//! What an asker can do about a fault by the API, where the engine says what to type on a terminal.

use millwork_engine::{
    diag::{Diagnostic, JsonDiagnostic, Source},
    model::Fault,
};

/// The help of a fault for who asks by HTTP: in terms of the API, or what is left without commands.
pub(crate) fn help(fault: &Fault) -> Option<String> {
    let help = fault.help.as_deref().filter(|help| is_typed(help));
    let Some(typed) = help else { return fault.help.clone() };
    let said = match fault.code.as_str() {
        "answer.given" => "`POST /api/v1/runs/{id}/resume` goes on with that answer",
        "answer.none" => "`GET /api/v1/runs/{id}/why` says what it waits for",
        "answer.wrong" => "give the form's values in `answer.values`",
        "artifact.corrupt" | "artifact.missing" | "artifact.unreadable" => {
            "make it again: `POST /api/v1/runs/{id}/rerun` from the step that gave it"
        }
        "input.missing" => "give it in `inputs`",
        "pipeline.failed" => "the run that it started says more: it is among the `children` of this one",
        "run.owned" => "wait for it, or cancel the run: `POST /api/v1/runs/{id}/cancel`",
        "run.succeeded" => "to run steps of it again, use `POST /api/v1/runs/{id}/rerun`",
        "store.broken" => {
            "the server's disk is in trouble; whoever runs the server can look at its space and its rights"
        }
        "token.none" => "`GET /api/v1/tokens` lists those there are",
        _ => return rest(typed),
    };
    Some(said.to_owned())
}

/// A diagnostic, with help that is of use to who asks by HTTP.
pub(crate) fn diagnostic(source: &Source, problem: &Diagnostic) -> JsonDiagnostic {
    let mut shown = JsonDiagnostic::new(source, problem);
    if let Some(typed) = shown.help.as_deref().filter(|help| is_typed(help)) {
        shown.help = rest(typed);
    }
    shown
}

/// Commands of the program, and options of a command line.
fn is_typed(help: &str) -> bool {
    ["`millwork ", "`runs ", "`token ", "`--", " --"].iter().any(|typed| help.contains(typed))
}

/// The parts of a help that name no command.
fn rest(help: &str) -> Option<String> {
    let parts: Vec<&str> = help.split("; ").filter(|part| !is_typed(part)).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_help_is_a_command() {
        let of = |code: &'static str, text: &str| help(&Fault::user(code, "x").help(text));
        assert_eq!(of("input.type", "give a number").as_deref(), Some("give a number"));
        assert_eq!(
            of("input.missing", "give it, for example with `--input a=...`").as_deref(),
            Some("give it in `inputs`")
        );
        assert_eq!(of("any.code", "look there; `millwork doctor` says more").as_deref(), Some("look there"));
        assert_eq!(of("any.code", "see `millwork steps`"), None);
    }
}
