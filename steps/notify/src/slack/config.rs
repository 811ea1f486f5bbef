use millwork_engine::{
    data::{FromValue, Type, Value},
    diag::{Code, Diagnostic},
    model::Fault,
    step::{Period, SecretText, Templated},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::address;

/// `with:` of `notify.slack`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The address of the incoming webhook, a secret such as `${{ secrets.SLACK_HOOK }}`: who has it can post.
    pub(super) webhook: Templated<SecretText>,
    /// The message, in Slack's mrkdwn; with `blocks` it is what notifications show.
    pub(super) text: Templated<String>,
    /// A list of blocks of Slack's Block Kit, for a message with a form of its own; 50 at most.
    #[serde(default)]
    pub(super) blocks: Option<Templated<Blocks>>,
    /// How long request and answer may take together; `30s` if not given.
    #[serde(default)]
    pub(super) timeout: Option<Period>,
}

/// Blocks that a message may have.
const MOST: usize = 50;

/// A list of any values.
pub(super) struct Blocks(pub Value);

impl FromValue for Blocks {
    const TYPE: &'static str = "list<any>";
    fn from_value(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::List(_) => Ok(Self(value.clone())),
            other => Err(Fault::user("type.mismatch", format!("expected a list of blocks, found {}", Type::of(other)))),
        }
    }
}

impl Blocks {
    /// What Slack would say of them; a sentence.
    pub(super) fn wrong(&self) -> Option<String> {
        let Value::List(blocks) = &self.0 else { return None };
        if blocks.len() > MOST {
            return Some(format!("a message has at most {MOST} blocks, and here are {}", blocks.len()));
        }
        let typed = |block: &Value| matches!(block, Value::Map(block) if block.contains_key("type"));
        let at = blocks.iter().position(|block| !typed(block))?;
        Some(format!("block {} has no `type`, such as `section` or `header`", at + 1))
    }
}

impl SlackConfig {
    /// Everything that can be said of it before a run.
    pub(super) fn problems(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let hook = address::problem("webhook", &self.webhook);
        // A server on this machine is one for trying out.
        let tried_out =
            matches!(address::written(&self.webhook), Some(Ok(url)) if url.host_str().is_some_and(address::is_here));
        problems.extend(match hook {
            None if !tried_out => {
                address::in_the_open("the address of the hook, with which anybody can post,", &self.webhook)
            }
            hook => hook,
        });
        if let Some(blocks) = &self.blocks
            && let Some(wrong) = blocks.literal().and_then(|blocks| blocks.wrong())
        {
            problems.push(Diagnostic::new(Code::WrongShape, blocks.span(), wrong));
        }
        if self.text.literal().is_some_and(|text| text.trim().is_empty()) {
            problems.push(Diagnostic::new(Code::WrongShape, self.text.span(), "`text` is empty"));
        }
        problems
    }
}
