use std::{borrow::Cow, sync::RwLock};

use base64::{Engine as _, prelude::*};
use serde_json::Value as Json;

use super::guard::{read, write};
use crate::model::Fault;

const MASK: &str = "***";

/// Takes the texts of opened secrets out of everything that leaves an attempt: as they are, in base64,
/// and URL-encoded.
#[derive(Debug, Default)]
pub struct Scrubber {
    needles: RwLock<Vec<Box<str>>>,
}

impl Scrubber {
    /// Remembers a secret that was opened. Each line of a longer secret is remembered as well, for
    /// sinks see lines.
    pub fn remember(&self, secret: &str) {
        let mut forms = forms(secret);
        forms.extend(secret.lines().map(str::trim).filter(|line| line.len() >= 8).map(str::to_owned));
        if let Ok(json) = serde_json::to_string(secret) {
            forms.push(json.trim_matches('"').to_owned());
        }
        forms.retain(|form| !form.is_empty());
        let mut needles = write(&self.needles);
        for form in forms {
            if !needles.iter().any(|known| **known == *form) {
                needles.push(form.into_boxed_str());
            }
        }
        // Longest first, so that a secret inside another leaves no rest of it.
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    }

    /// The text without secrets.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let needles = read(&self.needles);
        let mut text = Cow::Borrowed(text);
        for needle in needles.iter() {
            if text.contains(&**needle) {
                text = Cow::Owned(text.replace(&**needle, MASK));
            }
        }
        text
    }

    /// The fault without secrets.
    pub fn fault(&self, mut fault: Fault) -> Fault {
        if let Cow::Owned(clean) = self.scrub(&fault.message) {
            fault.message = clean;
        }
        if let Some(help) = &fault.help
            && let Cow::Owned(clean) = self.scrub(help)
        {
            fault.help = Some(clean);
        }
        fault
    }
}

/// The secret as it is, in base64, and URL-encoded.
fn forms(secret: &str) -> Vec<String> {
    vec![
        secret.to_owned(),
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD_NO_PAD.encode(secret),
        BASE64_URL_SAFE.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        url_encoded(secret, false),
        url_encoded(secret, true),
    ]
}

/// Whether a value holds a secret. One of a few letters is only found where it is the whole text, for it
/// stands in many texts by chance.
pub(crate) fn gives_away(secret: &str, value: &Json) -> bool {
    fn inside(forms: &[String], value: &Json) -> bool {
        let found = |text: &str| forms.iter().any(|f| if f.len() >= 8 { text.contains(&**f) } else { text == *f });
        match value {
            Json::String(text) => found(text),
            Json::Array(items) => items.iter().any(|item| inside(forms, item)),
            Json::Object(entries) => entries.iter().any(|(key, entry)| found(key) || inside(forms, entry)),
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }
    let mut forms = forms(secret);
    forms.retain(|form| !form.is_empty());
    inside(&forms, value)
}

fn url_encoded(text: &str, plus: bool) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' if plus => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let scrubber = Scrubber::default();
        scrubber.remember("p@ss word/1");
        for (text, clean) in [
            ("key=p@ss word/1!", "key=***!"),
            ("Basic cEBzcyB3b3JkLzE=", "Basic ***"),
            ("?k=p%40ss%20word%2F1&x", "?k=***&x"),
            ("?k=p%40ss+word%2F1", "?k=***"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(scrubber.scrub(text), clean);
        }
    }

    #[test]
    fn a_value_gives_a_secret_away_in_any_form() {
        use serde_json::json;
        for (secret, value, expected) in [
            ("p@ss word/1", json!(["x", {"a": "key=p@ss word/1!"}]), true),
            ("p@ss word/1", json!({"p@ss word/1": 1}), true),
            ("p@ss word/1", json!("Basic cEBzcyB3b3JkLzE="), true),
            ("p@ss word/1", json!("?k=p%40ss%20word%2F1&x"), true),
            ("p@ss word/1", json!(["word", 1, null]), false),
            ("abc", json!("abcd"), false),
            ("abc", json!(["abc"]), true),
            ("", json!("anything"), false),
        ] {
            assert_eq!(gives_away(secret, &value), expected, "{secret} in {value}");
        }
    }

    #[test]
    fn a_secret_inside_another_leaves_no_rest() {
        let scrubber = Scrubber::default();
        scrubber.remember("abc");
        scrubber.remember("abcdef");
        assert_eq!(scrubber.scrub("xabcdefx abc"), "x***x ***");
        let fault = scrubber.fault(Fault::external("http.401", "token abcdef refused").help("not abc"));
        assert_eq!((fault.message.as_str(), fault.help.as_deref()), ("token *** refused", Some("not ***")));
    }
}
