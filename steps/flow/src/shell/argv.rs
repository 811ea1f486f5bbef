use std::{borrow::Cow, fmt};

use millwork_engine::step::Templated;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// A command as a list of words. A single text is refused with the list to write instead.
#[derive(Debug, Clone)]
pub(super) struct Argv(pub(super) Vec<Templated<String>>);

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Argv;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list: a program and its arguments")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Argv, E> {
                Err(E::custom(format!("the command is text, not a list of words: write {}", as_list(text))))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Argv, A::Error> {
                let mut argv = Vec::new();
                while let Some(word) = words.next_element()? {
                    argv.push(word);
                }
                if argv.is_empty() {
                    return Err(A::Error::custom("the command is an empty list: it needs a program"));
                }
                Ok(Argv(argv))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// The list that does what the text was meant to do: plain words as they are, anything that needs a
/// shell through one.
fn as_list(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@+% ".contains(c);
    let quoted = |word: &str| serde_json::Value::from(word).to_string();
    if !text.trim().is_empty() && text.chars().all(plain) {
        format!("[{}]", text.split_whitespace().map(quoted).collect::<Vec<_>>().join(", "))
    } else {
        format!("[\"sh\", \"-c\", {}]", quoted(text.trim()))
    }
}

impl schemars::JsonSchema for Argv {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let word = generator.subschema_for::<Templated<String>>();
        schemars::json_schema!({ "type": "array", "items": word, "minItems": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gets_the_list_to_write_instead() {
        for (text, list) in [
            ("git status", r#"["git", "status"]"#),
            ("make -j4 all", r#"["make", "-j4", "all"]"#),
            ("a | b", r#"["sh", "-c", "a | b"]"#),
            ("echo \"x\"", r#"["sh", "-c", "echo \"x\""]"#),
            ("", r#"["sh", "-c", ""]"#),
        ] {
            assert_eq!(as_list(text), list, "{text}");
            let error = serde_json::from_value::<Argv>(text.into()).expect_err("refused").to_string();
            assert!(error.contains(list), "{error}");
        }
        assert!(serde_json::from_str::<Argv>("[]").is_err());
    }
}
