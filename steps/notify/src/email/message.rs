use chrono::{DateTime, Utc};
use lettre::{
    Message,
    message::{Attachment as Part, Mailbox, MultiPart, SinglePart, header::ContentType},
};
use millwork_engine::model::{AttemptKey, Digest, Fault};

use super::attach::Attachment;

/// A mail in words, as it is before anything is read for it.
pub(super) struct Letter {
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub reply_to: Vec<Mailbox>,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
}

/// The id of a mail: the same for every attempt at it, so that servers and readers know a repeat.
pub(super) fn id_of(key: &AttemptKey, from: &Mailbox) -> String {
    let digest = Digest::of(key.0.as_bytes()).to_string();
    format!("<{}@{}>", &digest[..32], from.email.domain())
}

impl Letter {
    /// Digest of what is sent.
    pub(super) fn request(&self, server: &str, attachments: &[Attachment]) -> Digest {
        let mut parts = vec![server.to_owned(), self.from.to_string(), self.subject.clone()];
        for people in [&self.to, &self.cc, &self.reply_to] {
            parts.push(people.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        }
        parts.extend([&self.text, &self.html].map(|text| text.clone().unwrap_or_default()));
        for attachment in attachments {
            parts.extend([attachment.name.clone(), Digest::of(&attachment.bytes).to_string()]);
        }
        Digest::of_parts(parts.iter().map(String::as_bytes))
    }

    /// The mail itself.
    pub(super) fn message(self, id: String, at: DateTime<Utc>, attachments: Vec<Attachment>) -> Result<Message, Fault> {
        let unmade = |why: String| Fault::user("notify.message", format!("the mail cannot be made: {why}"));
        let mut builder = Message::builder()
            .message_id(Some(id))
            .date(at.into())
            .from(self.from)
            // One line, whatever is in it: a line break would begin another header.
            .subject(self.subject.split_whitespace().collect::<Vec<_>>().join(" "));
        builder = self.to.into_iter().fold(builder, lettre::message::MessageBuilder::to);
        builder = self.cc.into_iter().fold(builder, lettre::message::MessageBuilder::cc);
        builder = self.reply_to.into_iter().fold(builder, lettre::message::MessageBuilder::reply_to);

        let words = match (self.text, self.html) {
            (Some(text), Some(html)) => Words::Both(MultiPart::alternative_plain_html(text, html)),
            (None, Some(html)) => Words::One(SinglePart::html(html)),
            (text, None) => Words::One(SinglePart::plain(text.unwrap_or_default())),
        };
        if attachments.is_empty() {
            return match words {
                Words::Both(part) => builder.multipart(part),
                Words::One(part) => builder.singlepart(part),
            }
            .map_err(|e| unmade(e.to_string()));
        }
        let mut whole = match words {
            Words::Both(part) => MultiPart::mixed().multipart(part),
            Words::One(part) => MultiPart::mixed().singlepart(part),
        };
        for attachment in attachments {
            let bytes = ContentType::parse("application/octet-stream").map_err(|e| unmade(e.to_string()))?;
            let media_type = ContentType::parse(&attachment.media_type).unwrap_or(bytes);
            whole = whole.singlepart(Part::new(attachment.name).body(attachment.bytes, media_type));
        }
        builder.multipart(whole).map_err(|e| unmade(e.to_string()))
    }
}

enum Words {
    One(SinglePart),
    Both(MultiPart),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "Flights <f@example.com>".parse().expect("a mailbox"),
            to: vec!["a@b.c".parse().expect("a mailbox")],
            cc: Vec::new(),
            reply_to: Vec::new(),
            subject: "Ünder way\r\nBcc: eve@evil.com".to_owned(),
            text: Some("plain".to_owned()),
            html: Some("<p>rich</p>".to_owned()),
        }
    }

    #[test]
    fn a_mail_has_one_id_and_its_parts() {
        let id = id_of(&AttemptKey("run_1/tell".into()), &letter().from);
        assert_eq!(id, id_of(&AttemptKey("run_1/tell".into()), &letter().from));
        assert_ne!(id, id_of(&AttemptKey("run_1/tell/0".into()), &letter().from));
        let attachment =
            || Attachment { name: "ü.csv".into(), media_type: "text/csv".into(), bytes: b"a\n1\n".into() };
        let message = letter().message(id.clone(), DateTime::default(), vec![attachment()]).expect("a mail");
        let text = String::from_utf8(message.formatted()).expect("text");
        for part in [&*format!("Message-ID: {id}"), "multipart/mixed", "multipart/alternative", "text/csv", "1970"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains("\nBcc:"), "{text}");
        assert_eq!(letter().request("s", &[attachment()]), letter().request("s", &[attachment()]));
        assert_ne!(letter().request("s", &[attachment()]), letter().request("s", &[]));
    }
}
