use std::time::Duration;

use async_trait::async_trait;
use indexmap::IndexMap;
use millwork_engine::{
    data::{Type, Value, plain},
    diag::{Code, Diagnostic},
    model::{Digest, Fault, Name, Wait},
    step::{
        CheckContext, Effect, InputTypes, Located, Ports, Resolved, Services, Step, StepContext, StepEnd, StepKind,
        StepOutput, Templated,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::shell::from_json;

/// Parks until a person answers.
#[derive(Debug)]
pub struct Approval;

/// `with:` of `approval`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalConfig {
    /// What the person is asked.
    prompt: Templated<String>,
    /// Values that the person gives with the answer, by name.
    #[serde(default)]
    form: IndexMap<String, FormField>,
    /// How long to wait for an answer; for ever if not given.
    #[serde(default)]
    timeout: Option<Templated<Duration>>,
    /// What a missing answer means when the time is over; a fault if not given.
    #[serde(default)]
    default: Option<Verdict>,
}

/// One value of the form.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FormField {
    /// Its type, such as `string` or `int?`; one with `?` may be left out.
    #[serde(rename = "type")]
    ty: Located<String>,
    /// What it is for, shown to the person.
    #[serde(default)]
    description: Option<String>,
    /// The only values that are accepted; any, if not given.
    #[serde(default, rename = "enum")]
    allowed: Vec<Json>,
    /// What it is where the person leaves it out.
    #[serde(default)]
    default: Option<Json>,
}

/// A value that an answer has, or may have.
#[derive(Debug, Clone)]
struct Field {
    ty: Type,
    allowed: Vec<Json>,
    default: Option<Json>,
}

impl Field {
    fn new(field: &FormField, ty: Type) -> Self {
        Self { ty, allowed: field.allowed.clone(), default: field.default.clone() }
    }

    /// What was given, read as what the field holds; the error says what a person got wrong.
    fn read(&self, name: &str, given: Option<&Json>) -> Result<Value, String> {
        let Self { ty, allowed, default } = self;
        let value = convert(given.or(default.as_ref()).cloned().unwrap_or(Json::Null), ty);
        let value = value.ok_or_else(|| match given {
            Some(wrong) => format!("`{name}` is {ty}, and {wrong} is not"),
            None => format!("`{name}` ({ty}) is missing"),
        })?;
        let text = plain(&value);
        let is_one = || allowed.iter().any(|one| convert(one.clone(), ty).is_some_and(|one| plain(&one) == text));
        // What may be left out was left out.
        if allowed.is_empty() || matches!(value, Value::Null) || is_one() {
            return Ok(value);
        }
        let all: Vec<String> = allowed.iter().map(Json::to_string).collect();
        Err(format!("`{name}` is one of {}", all.join(", ")))
    }

    /// What is wrong with the field itself.
    fn problem(&self) -> Option<String> {
        let Self { ty, allowed, default } = self;
        if let Some(odd) = allowed.iter().find(|one| convert((*one).clone(), ty).is_none()) {
            return Some(format!("{odd} of `enum` is not {ty}"));
        }
        let read = default.as_ref().map(|default| self.read("default", Some(default)));
        read.and_then(Result::err)
    }

    /// As it stands below the question.
    fn shown(&self, name: &str) -> String {
        let Self { ty, allowed, default } = self;
        let all: Vec<String> = allowed.iter().map(Json::to_string).collect();
        let one_of = if all.is_empty() { String::new() } else { format!(", one of {}", all.join(" ")) };
        let left_out = default.as_ref().map(|default| format!(", {default} if left out")).unwrap_or_default();
        format!("\n  {name} ({ty}{one_of}{left_out})")
    }
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// Go on.
    Approve,
    /// Fail the step with `approval.refused`.
    Refuse,
}

struct Question {
    prompt: String,
    form: IndexMap<String, Field>,
    shown: String,
    timeout: Option<Duration>,
    default: Option<Verdict>,
}

impl StepKind for Approval {
    type Config = ApprovalConfig;
    const NAME: &'static str = "approval";
    const VERSION: u32 = 1;
    // What a person said is no function of the inputs.
    const EFFECT: Effect = Effect::Idempotent;
    const SUMMARY: &'static str = "Parks until a person approves or refuses.";
    const EXAMPLE: &'static str = r#"version: 1
name: approval_example
steps:
  - id: review
    uses: approval
    with:
      prompt: Publish the report?
      form:
        note: {type: "string?", description: why}
      timeout: 10ms
      default: approve
  - id: publish
    needs: review
    uses: assert
    with: {that: {condition: "${{ steps.review.outputs.approved }}"}}
"#;

    fn asks_person(_: &ApprovalConfig) -> bool {
        true
    }

    fn ports(config: &ApprovalConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        let fields = config.form.iter().map(|(name, field)| {
            let ty = Type::parse(&field.ty).unwrap_or(Type::Any);
            // A default answers without a form.
            (name.as_str(), if config.default.is_some() { ty.optional() } else { ty })
        });
        Ok(Ports::none()
            .output("approved", Type::Bool, "true; a refusal fails the step")
            .output("by", Type::String, "who answered")
            .output("values", Type::object(fields), "what the person gave"))
    }

    fn check(config: &ApprovalConfig, _: &CheckContext<'_>) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (name, field) in &config.form {
            let problem = match Type::parse(&field.ty) {
                Err(e) => format!("the type cannot be read: {e}"),
                Ok(Type::Table(_) | Type::File | Type::Bytes) => "a person cannot give such a value".to_owned(),
                Ok(_) if Name::new(name).is_none() => {
                    format!("`{name}` is not a name: use small letters, digits and underscores")
                }
                Ok(ty) => match Field::new(field, ty).problem() {
                    Some(problem) => problem,
                    None => continue,
                },
            };
            problems.push(Diagnostic::new(Code::WrongShape, field.ty.span, problem));
        }
        problems
    }

    fn judge_answer(config: &ApprovalConfig, answer: &Json) -> Result<(), String> {
        let read = |field: &FormField| Field::new(field, Type::parse(&field.ty).unwrap_or(Type::Any));
        let form = config.form.iter().map(|(name, field)| (name.clone(), read(field)));
        judge(&form.collect(), answer).map(drop)
    }

    fn build(config: Resolved<'_, ApprovalConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let prompt = config.get(&config.config().prompt)?;
        let mut shown = prompt.clone();
        let mut form = IndexMap::new();
        for (name, field) in &config.config().form {
            let ty = Type::parse(&field.ty).map_err(|e| Fault::user("approval.config", e))?;
            let about = field.description.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            let field = Field::new(field, ty);
            shown.push_str(&field.shown(name));
            shown.push_str(&about);
            form.insert(name.clone(), field);
        }
        let timeout = config.get_opt(&config.config().timeout)?;
        Ok(Box::new(Question { prompt, form, shown, timeout, default: config.default }))
    }
}

#[async_trait]
impl Step for Question {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let until = match self.timeout {
            // Kept, so that a resumed attempt does not begin the wait anew.
            Some(timeout) => {
                let begun = async { Ok(cx.started_at.after(timeout)) };
                Some(cx.journal.once("until", Digest::of(&timeout.as_micros().to_le_bytes()), begun).await?)
            }
            None => None,
        };
        let ask = |shown: String| {
            let digest = Digest::of(shown.as_bytes());
            Ok(StepEnd::Park(Wait::Approval { prompt: shown, shown: digest, until }))
        };
        match &cx.answer {
            None => ask(self.shown),
            Some(Json::Null) => self.on_timeout(),
            Some(answer) => match judge(&self.form, answer) {
                Ok(Answer::Approved { by, values }) => Ok(approved(&by, values)),
                Ok(Answer::Refused { by }) => Err(refused(&format!("by {by}"), &self.prompt)),
                // Asked again rather than failed: a slip of the person must not end the run.
                Err(wrong) => ask(format!("{}\n(the last answer was not accepted: {wrong})", self.shown)),
            },
        }
    }
}

impl Question {
    fn on_timeout(&self) -> Result<StepEnd, Fault> {
        match self.default {
            Some(Verdict::Approve) => {
                let nothing = self.form.keys().map(|name| (name.as_str(), Value::Null));
                Ok(approved("default", Value::map(nothing)))
            }
            Some(Verdict::Refuse) => Err(refused("by default, because nobody answered in time", &self.prompt)),
            None => Err(Fault::external("approval.timeout", format!("nobody answered in time: {}", self.prompt))
                .help("give `default: approve` or `default: refuse` if silence has a meaning")),
        }
    }
}

/// What a person said.
enum Answer {
    Approved { by: String, values: Value },
    Refused { by: String },
}

/// Reads `{approved: bool, by: text, values: {..}}`; the error says what a person got wrong.
fn judge(form: &IndexMap<String, Field>, answer: &Json) -> Result<Answer, String> {
    let by = answer.get("by").and_then(Json::as_str).unwrap_or("somebody").to_owned();
    match answer.get("approved").and_then(Json::as_bool) {
        Some(true) => {}
        Some(false) => return Ok(Answer::Refused { by }),
        None => return Err("`approved` is missing".to_owned()),
    }
    let empty = serde_json::Map::new();
    let given = answer.get("values").and_then(Json::as_object).unwrap_or(&empty);
    if let Some(unknown) = given.keys().find(|name| !form.contains_key(*name)) {
        return Err(format!("the form has no `{unknown}`"));
    }
    let mut values = Vec::new();
    for (name, field) in form {
        values.push((name.as_str(), field.read(name, given.get(name))?));
    }
    Ok(Answer::Approved { by, values: Value::map(values) })
}

/// A person types text: it is read as what the field holds.
fn convert(json: Json, ty: &Type) -> Option<Value> {
    let value = match (&json, ty.required()) {
        (Json::String(text), Type::Int) => text.parse().map(Value::Int).ok()?,
        (Json::String(text), Type::Float) => text.parse().map(Value::Float).ok()?,
        (Json::String(text), Type::Bool) => text.parse().map(Value::Bool).ok()?,
        (Json::String(text), Type::Date) => text.parse().map(Value::Date).ok()?,
        (Json::String(text), Type::Timestamp) => text.parse().map(Value::Timestamp).ok()?,
        (Json::String(text), Type::Duration) => {
            let length = millwork_engine::model::units::parse_duration(text).ok()?;
            Value::Duration(chrono::TimeDelta::from_std(length).ok()?)
        }
        _ => from_json(json),
    };
    Type::of(&value).fits(ty).then_some(value)
}

fn approved(by: &str, values: Value) -> StepEnd {
    let output = StepOutput::none().value("approved", true).value("by", by).value("values", values);
    output.note(format!("approved by {by}")).into()
}

fn refused(how: &str, prompt: &str) -> Fault {
    Fault::user("approval.refused", format!("refused {how}: {prompt}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question() -> Question {
        let field = |ty: &str, allowed: &[Json], default: Option<Json>| Field {
            ty: Type::parse(ty).expect("a type"),
            allowed: allowed.to_vec(),
            default,
        };
        let form = [
            ("n", field("int", &[], None)),
            ("why", field("string?", &[], None)),
            ("how", field("string", &[json!("fast"), json!("well")], Some(json!("well")))),
            ("many", field("int?", &[json!(1), json!(2)], None)),
        ];
        Question {
            prompt: "Go?".to_owned(),
            form: form.map(|(name, field)| (name.to_owned(), field)).into_iter().collect(),
            shown: "Go?".to_owned(),
            timeout: None,
            default: None,
        }
    }

    #[test]
    fn answers_are_judged_and_slips_are_named() {
        for (answer, expected) in [
            (json!({"approved": true, "by": "ann", "values": {"n": "7"}}), "ok"),
            (json!({"approved": true, "values": {"n": 7, "why": "x"}}), "ok"),
            (json!({"approved": true, "values": {"n": 7, "how": "fast", "many": "2"}}), "ok"),
            (json!({"approved": true, "values": {"n": 7, "how": "so"}}), "`how` is one of \"fast\", \"well\""),
            (json!({"approved": true, "values": {"n": 7, "many": 3}}), "`many` is one of 1, 2"),
            (json!({"approved": true}), "`n` (int) is missing"),
            (json!({"approved": true, "values": {"n": "x"}}), "`n` is int"),
            (json!({"approved": true, "values": {"n": 1, "m": 2}}), "has no `m`"),
            (json!({}), "`approved` is missing"),
            (json!({"approved": false, "by": "bob"}), "refused by bob"),
        ] {
            let found = match judge(&question().form, &answer) {
                Ok(Answer::Approved { .. }) => "ok".to_owned(),
                Ok(Answer::Refused { by }) => format!("refused by {by}"),
                Err(slip) => slip,
            };
            assert!(found.contains(expected), "{answer}: {found}");
        }
    }

    #[test]
    fn fields_are_shown_and_what_is_wrong_with_them_is_said() {
        let form = question().form;
        assert_eq!(form["n"].shown("n"), "\n  n (int)");
        assert_eq!(form["how"].shown("how"), "\n  how (string, one of \"fast\" \"well\", \"well\" if left out)");
        assert!(form.values().all(|field| field.problem().is_none()));
        let odd = Field { default: Some(json!("other")), ..form["how"].clone() };
        assert!(odd.problem().is_some_and(|problem| problem.contains("one of")));
        let odd = Field { allowed: vec![json!("x")], ..form["n"].clone() };
        assert_eq!(odd.problem().as_deref(), Some("\"x\" of `enum` is not int"));
    }

    #[test]
    fn silence_means_what_default_says() {
        let after = |default| Question { default, ..question() }.on_timeout().map_err(|fault| fault.code.to_string());
        assert!(after(Some(Verdict::Approve)).is_ok());
        assert_eq!(after(Some(Verdict::Refuse)).expect_err("refused"), "approval.refused");
        assert_eq!(after(None).expect_err("a fault"), "approval.timeout");
    }
}
