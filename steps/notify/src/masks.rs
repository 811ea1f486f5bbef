//! Texts of secrets that a step sends, taken out of what comes back before it is kept or shown: a server may echo
//! what it was sent. What the run itself scrubs is the raw secret; here are the forms that it was sent in, too.

use millwork_engine::{
    model::Fault,
    step::{Resolved, SecretText, Templated},
};
use reqwest::Url;

/// No shorter word is taken out, for it would stand in many texts by chance.
const LEAST: usize = 8;
/// Parts of addresses are often plain words.
const LEAST_OF_URL: usize = 12;

/// Texts to take out.
#[derive(Clone, Default)]
pub(crate) struct Masks(Vec<String>);

/// The text of a field, and whether a secret is in it.
pub(crate) struct Maybe {
    pub text: SecretText,
    pub secret: bool,
}

/// The text of a field that may hold a secret.
pub(crate) fn open<C>(config: &Resolved<'_, C>, field: &Templated<SecretText>) -> Result<Maybe, Fault> {
    let secret = !config.labelled(field)?.labels.secrets.is_empty();
    Ok(Maybe { text: config.get(field)?, secret })
}

impl Masks {
    /// Remembers a text, and its words: `Bearer abc` is not what a server echoes.
    pub(crate) fn add(&mut self, text: &str) {
        let words = std::iter::once(text.trim()).chain(text.split_whitespace());
        self.push(words, LEAST);
    }

    /// Remembers an address and its parts.
    pub(crate) fn add_url(&mut self, url: &Url) {
        let origin = url.origin().ascii_serialization();
        let path = url.as_str().strip_prefix(&origin).unwrap_or(url.path());
        self.push([url.as_str(), path].into_iter(), LEAST);
        let parts = url.path_segments().into_iter().flatten().chain(url.query());
        self.push(parts, LEAST_OF_URL);
    }

    fn push<'a>(&mut self, texts: impl Iterator<Item = &'a str>, least: usize) {
        self.0.extend(texts.filter(|text| text.len() >= least).map(str::to_owned));
        // Longest first, so that one inside another leaves no rest of it.
        self.0.sort_by_key(|text| std::cmp::Reverse(text.len()));
        self.0.dedup();
    }

    /// The text without them.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_masked_in_every_form() {
        let mut masks = Masks::default();
        masks.add("Bearer abcdefgh");
        masks.add_url(&Url::parse("https://example.com/services/T00000001/XXXXXXXXXXXX?key=v").expect("a URL"));
        for (text, clean) in [
            ("token abcdefgh", "token ***"),
            ("you sent Bearer abcdefgh", "you sent ***"),
            ("POST /services/T00000001/XXXXXXXXXXXX?key=v", "POST ***"),
            ("no hook XXXXXXXXXXXX", "no hook ***"),
            ("services at example.com", "services at example.com"),
        ] {
            assert_eq!(masks.clean(text), clean);
        }
    }
}
