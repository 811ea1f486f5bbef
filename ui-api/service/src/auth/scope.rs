//! Which pipelines a principal sees.

use millwork_engine::model::{Fault, Name};
use serde::{Deserialize, Serialize};

/// The most patterns that a scope may have.
const MOST: usize = 100;

/// Patterns of names of pipelines: `*`, `nightly_*`, `orders`. A name that one of them fits is inside;
/// without any pattern, every name is. `*` stands for any text, also none; nothing else is special.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct PipelineScope(Vec<String>);

impl PipelineScope {
    /// Every pipeline.
    pub const fn all() -> Self {
        Self(Vec::new())
    }

    /// Reads patterns. One that no name can fit is a fault, so that a slip does not look like a rule.
    pub fn parse<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, Fault> {
        let mut out: Vec<String> = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            if let Some(why) = wrong(pattern) {
                let shown = super::token_record::shown(pattern);
                return Err(Fault::user("token.config", format!("`{shown}` is no pattern of pipelines: {why}"))
                    .help("write names of pipelines, with `*` for any text: `orders`, `nightly_*`"));
            }
            if !out.iter().any(|known| known == pattern) {
                out.push(pattern.to_owned());
            }
        }
        if out.len() > MOST {
            let message = format!("a token has at most {MOST} patterns of pipelines, not {}", out.len());
            return Err(Fault::user("token.config", message).help("join some of them with `*`"));
        }
        Ok(Self(out))
    }

    /// Whether a pipeline is inside.
    pub fn contains(&self, pipeline: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| fits(pattern, pipeline))
    }

    /// Whether every pipeline is inside, those to come as well.
    pub fn is_all(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.bytes().all(|b| b == b'*'))
    }

    /// The patterns; none means all.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for PipelineScope {
    type Error = Fault;

    fn try_from(patterns: Vec<String>) -> Result<Self, Fault> {
        Self::parse(patterns)
    }
}

impl From<PipelineScope> for Vec<String> {
    fn from(scope: PipelineScope) -> Self {
        scope.0
    }
}

/// Why a text is no pattern.
fn wrong(pattern: &str) -> Option<&'static str> {
    if pattern.is_empty() {
        return Some("it is empty");
    }
    if pattern.len() > 100 {
        return Some("it is longer than a name may be");
    }
    if !pattern.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'*') {
        return Some("names have lower case letters, digits and `_` only");
    }
    // The shortest name that it fits, or one letter more.
    let least = pattern.replace('*', "");
    let able = Name::new(&least).is_some() || pattern.starts_with('*');
    (!able).then_some("names begin with a letter")
}

/// Whether a text fits a pattern: the piece before the first `*` begins it, the piece after the last ends it,
/// and those between follow each other, each at the first place where it stands.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(inner) = text.strip_prefix(begin).and_then(|text| text.strip_suffix(end)) else { return false };
    let mut left = inner;
    middle.split('*').all(|piece| match left.find(piece) {
        Some(at) => {
            left = &left[at + piece.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn patterns_fit_what_they_say() {
        let table: &[(&[&str], &str, bool)] = &[
            (&[], "anything", true),
            (&["*"], "anything", true),
            (&["orders"], "orders", true),
            (&["orders"], "orders_2", false),
            (&["nightly_*"], "nightly_", true),
            (&["nightly_*"], "nightly_sums", true),
            (&["nightly_*"], "nightly", false),
            (&["*_eu"], "sums_eu", true),
            (&["*_eu"], "sums_eu_2", false),
            (&["a*b*c"], "abc", true),
            (&["a*b*c"], "a_c_b", false),
            (&["a*b*c"], "a_b_b_c", true),
            (&["aa*aa"], "aaa", false),
            (&["x", "*_eu"], "sums_eu", true),
            (&["x", "y"], "z", false),
        ];
        for (patterns, name, expected) in table {
            let scope = PipelineScope::parse(*patterns).unwrap();
            assert_eq!(scope.contains(name), *expected, "{patterns:?} {name}");
        }
    }

    #[test]
    fn what_no_name_can_fit_is_refused() {
        for bad in ["", "Orders", "a.b", "a?", "[a]", "2_*", "_x", "a/../b", "ä", " a", &"a".repeat(101)] {
            let fault = PipelineScope::parse([bad]).unwrap_err();
            assert_eq!(fault.code.as_str(), "token.config", "{bad}");
        }
        assert!(PipelineScope::parse((0..=MOST).map(|n| format!("p{n}"))).is_err());
        assert_eq!(PipelineScope::parse(["a", "a"]).unwrap().patterns().len(), 1);
    }

    #[test]
    fn all_is_known_as_all() {
        for (patterns, all) in [(&[][..], true), (&["*"], true), (&["a", "**"], true), (&["a*"], false)] {
            assert_eq!(PipelineScope::parse(patterns).unwrap().is_all(), all, "{patterns:?}");
        }
    }

    #[test]
    fn a_stored_scope_that_cannot_be_read_is_not_all() {
        let scope = PipelineScope::parse(["a_*"]).unwrap();
        let text = serde_json::to_string(&scope).unwrap();
        assert_eq!(text, r#"["a_*"]"#);
        assert_eq!(serde_json::from_str::<PipelineScope>(&text).unwrap(), scope);
        assert!(serde_json::from_str::<PipelineScope>(r#"["A?"]"#).is_err());
    }

    /// What `*` means, the slow way.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|n| slowly(rest, &text[n..])),
            Some((byte, rest)) => text.first() == Some(byte) && slowly(rest, &text[1..]),
        }
    }

    #[test]
    fn fits_as_the_meaning_of_a_star_says() {
        let seed: u64 = rand::random();
        eprintln!("MILLWORK_SEED={seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..20_000 {
            let mut text = |of: &[u8]| -> String {
                (0..rng.random_range(0..9)).map(|_| char::from(of[rng.random_range(0..of.len())])).collect()
            };
            let (pattern, name) = (text(b"ab**"), text(b"ab"));
            let expected = slowly(pattern.as_bytes(), name.as_bytes());
            assert_eq!(fits(&pattern, &name), expected, "seed {seed}: {pattern} {name}");
        }
    }
}
