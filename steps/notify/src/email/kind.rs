use millwork_engine::{
    data::Type,
    diag::Diagnostic,
    model::Fault,
    step::{CheckContext, Effect, InputTypes, OneOrMany, Ports, Resolved, Services, Step, StepKind, Templated},
};

use super::{
    config::EmailConfig,
    message::Letter,
    people::{self, People},
    send::Mailing,
};
use crate::http::TIMEOUT;

/// Sends a mail.
#[derive(Debug)]
pub struct Email;

impl StepKind for Email {
    type Config = EmailConfig;
    const NAME: &'static str = "notify.email";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::External;
    const SUMMARY: &'static str = "Sends a mail by SMTP, with attachments if asked.";
    const EXAMPLE: &'static str = r#"version: 1
name: email_example
inputs:
  late: {type: int, default: 0}
secrets: [SMTP_PASSWORD]
steps:
  - id: tell
    if: inputs.late > 10
    uses: notify.email
    with:
      server:
        host: smtp.example.com
        port: 587
        tls: starttls
        user: flights@example.com
        password: ${{ secrets.SMTP_PASSWORD }}
      from: Flights <flights@example.com>
      to: [ann@example.com, Bob Ross <bob@example.com>]
      subject: "${{ inputs.late }} flights are late"
      text: See the report.
    retry: {max_attempts: 5, delay: 10s}
outputs:
  message_id: ${{ steps.tell.outputs.message_id }}
"#;

    fn ports(_: &EmailConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        Ok(Ports::none()
            .output("message_id", Type::String, "the mail's Message-ID, the same however often it is tried")
            .output("accepted", Type::Int, "for how many mailboxes the server took it: all or none"))
    }

    fn check(config: &EmailConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        config.problems(cx)
    }

    fn build(config: Resolved<'_, EmailConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let written = config.config();
        let one = |field: &Templated<People>| OneOrMany(vec![field.clone()]);
        let from = people::resolved("from", &config, &one(&written.from))?;
        let [from] = from.as_slice() else {
            let message = format!("`from` is one mailbox, and here are {}", from.len());
            return Err(Fault::user("notify.address", message));
        };
        let to = people::resolved("to", &config, &written.to)?;
        if to.is_empty() {
            return Err(Fault::user("notify.address", "`to` names nobody").help("skip the step with `if` in that case"));
        }
        let reply_to = match &written.reply_to {
            Some(field) => people::resolved("reply_to", &config, &one(field))?,
            None => Vec::new(),
        };
        let letter = Letter {
            from: from.clone(),
            to,
            cc: people::resolved("cc", &config, &written.cc)?,
            reply_to,
            subject: config.get(&written.subject)?,
            text: config.get_opt(&written.text)?,
            html: config.get_opt(&written.html)?,
        };
        let mut attach = Vec::new();
        for files in written.attach.iter() {
            attach.extend(config.get(files)?.all());
        }
        Ok(Box::new(Mailing {
            server: written.server.resolved(&config)?,
            letter,
            attach,
            timeout: written.timeout.map_or(TIMEOUT, |period| period.0),
        }))
    }
}
