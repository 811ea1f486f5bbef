use indexmap::IndexMap;
use millwork_engine::{
    data::Value,
    diag::{Code, Diagnostic},
    model::Fault,
    step::{Located, OneOrMany, Period, SecretText, Templated},
};
use reqwest::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

/// `with:` of `notify.webhook`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to, such as `https://example.com/hook`; may be a secret. Only its host is ever shown.
    pub(super) url: Templated<SecretText>,
    /// `POST` or `PUT`; `POST` if not given.
    #[serde(default)]
    pub(super) method: Verb,
    /// Headers by name, such as `{Authorization: "Bearer ${{ secrets.TOKEN }}"}`; their values may hold secrets.
    #[serde(default)]
    pub(super) headers: IndexMap<String, Templated<SecretText>>,
    /// What to send: any value, sent as JSON.
    #[serde(default)]
    pub(super) body: Option<Templated<Value>>,
    /// What to send as plain text, in place of `body`.
    #[serde(default)]
    pub(super) text: Option<Templated<String>>,
    /// The status, or a list of those, that says it was received; 200 to 299 if not given.
    #[serde(default)]
    pub(super) expect: OneOrMany<Located<u16>>,
    /// A secret to sign with: the header `webhook-signature` then proves who sent, as Standard Webhooks has it.
    #[serde(default)]
    pub(super) sign: Option<Templated<SecretText>>,
    /// How long request and answer may take together; `30s` if not given.
    #[serde(default)]
    pub(super) timeout: Option<Period>,
}

/// What is asked of the server.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Verb {
    /// Take this.
    #[default]
    Post,
    /// Have this at that address.
    Put,
}

/// Headers that the step sets itself.
const OURS: &[&str] = &[
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
];

/// The name of a header; the error is a sentence.
fn name_of(name: &str) -> Result<HeaderName, String> {
    if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
        return Err(format!("the header `{name}` is set by the step itself"));
    }
    HeaderName::try_from(name).map_err(|_| format!("`{name}` is no name of a header"))
}

/// A header; the error is a sentence that does not hold the value.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = name_of(name)?;
    // Secrets in files often end with a line break.
    let value = HeaderValue::try_from(value.trim());
    let mut value = value.map_err(|_| format!("the value of the header `{name}` has signs that no header may have"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The same in a run.
pub(super) fn resolved_header(name: &str, value: &SecretText) -> Result<(HeaderName, HeaderValue), Fault> {
    header(name, value.expose()).map_err(|why| Fault::user("notify.header", why))
}

impl WebhookConfig {
    /// Everything that can be said of it before a run.
    pub(super) fn problems(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        problems.extend(crate::address::problem("url", &self.url));
        problems.extend(self.sign.as_ref().and_then(|sign| crate::address::in_the_open("the key to sign with", sign)));
        for (name, value) in &self.headers {
            let wrong = match value.literal() {
                Some(text) => header(name, text.expose()).err(),
                None => name_of(name).err(),
            };
            problems.extend(wrong.map(|why| Diagnostic::new(Code::WrongShape, value.span(), why)));
        }
        if let (Some(body), Some(text)) = (&self.body, &self.text) {
            let problem = Diagnostic::new(Code::ConflictingKeys, text.span(), "`body` and `text` exclude each other");
            problems.push(problem.also(body.span(), "this one is sent as JSON").help("remove one of them"));
        }
        for status in self.expect.iter().filter(|status| !(200..600).contains(&status.value)) {
            let message = format!("{} is no status that an answer has", status.value);
            problems.push(
                Diagnostic::new(Code::NumberRange, status.span, message).help("statuses are numbers from 200 to 599"),
            );
        }
        problems
    }
}
