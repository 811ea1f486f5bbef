//! What goes into the log of a detail: no secrets, and not much.

use serde_json::{Map, Value as Json, json};

/// The most that a detail's text may have, in bytes.
pub(super) const MOST: usize = 4096;

const MASK: &str = "***";
/// Parts of keys, in lower case and without `_` and `-`, whose values are not for the log.
const SECRET: [&str; 12] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "privatekey",
    "credential",
    "authorization",
    "cookie",
    "csrf",
    "signature",
];
/// What texts of tokens and sessions begin with; 43 letters of base64url follow.
const TEXTS: [&str; 2] = ["mw_", "mws_"];
const BODY: usize = 43;

/// A detail without secrets, and short enough.
pub(super) fn redacted(detail: Json) -> Json {
    let detail = clean(detail);
    let size = |detail: &Json| detail.to_string().len();
    let whole = size(&detail);
    if whole <= MOST {
        return detail;
    }
    // Long texts first, the longest most; then what is left of the whole.
    for most in [1024, 256, 64] {
        let short = cut(detail.clone(), most);
        if size(&short) <= MOST {
            return short;
        }
    }
    let text = cut(detail, 64).to_string();
    // In JSON, a byte of the text becomes two at most: it is JSON already, so nothing in it needs more.
    json!({"cut": ellipsis(&text, MOST / 2 - 64), "bytes": whole})
}

/// A text of at most `most` bytes, the last of them an ellipsis if it was longer.
pub(super) fn ellipsis(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub('…'.len_utf8()));
    format!("{}…", &text[..end])
}

/// A text without tokens in it.
pub(super) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let body = TEXTS.iter().find_map(|prefix| {
            let body = rest.strip_prefix(prefix)?;
            let long = body.bytes().take(BODY).filter(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)).count();
            (long == BODY).then(|| (*prefix, &body[BODY..]))
        });
        match body {
            Some((prefix, after)) => {
                out.push_str(prefix);
                out.push_str(MASK);
                rest = after;
            }
            None => {
                let next = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
                out.push_str(&rest[..next]);
                rest = &rest[next..];
            }
        }
    }
    out
}

fn clean(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(masked(&text)),
        Json::Array(items) => items.into_iter().map(clean).collect(),
        Json::Object(fields) => {
            let field = |(key, value): (String, Json)| {
                let value = if is_secret(&key) && !value.is_null() { Json::from(MASK) } else { clean(value) };
                (masked(&key), value)
            };
            Json::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Whether a key is named like a secret. An id or a name of one is none.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let plain = key.replace(['_', '-', ' ', '.'], "");
    SECRET.iter().any(|part| plain.contains(part)) && !key.ends_with("_id") && !key.ends_with("_name")
}

fn cut(value: Json, most: usize) -> Json {
    match value {
        Json::String(text) => Json::String(ellipsis(&text, most)),
        Json::Array(items) => items.into_iter().map(|item| cut(item, most)).collect(),
        Json::Object(fields) => {
            Json::Object(fields.into_iter().map(|(key, value)| (ellipsis(&key, most), cut(value, most))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let token = format!("mw_{}", "aB3-_".repeat(9).split_at(43).0);
        let session = token.replace("mw_", "mws_");
        let table = [
            (json!({"password": "x"}), json!({"password": "***"})),
            (json!({"a": [{"client_secret": {"deep": 1}}]}), json!({"a": [{"client_secret": "***"}]})),
            (json!({"API-Key": 7, "apiKey": true}), json!({"API-Key": "***", "apiKey": "***"})),
            (json!({"Authorization": "Bearer x"}), json!({"Authorization": "***"})),
            (json!({"token": null}), json!({"token": null})),
            (json!({"token_id": "tok_1", "secret_name": "smtp"}), json!({"token_id": "tok_1", "secret_name": "smtp"})),
            (json!({"token_id": token}), json!({"token_id": "mw_***"})),
            (json!({"step": "load", "n": 1.5}), json!({"step": "load", "n": 1.5})),
            (json!(format!("a {token}, {session}!")), json!("a mw_***, mws_***!")),
            (json!({ token.clone(): 1 }), json!({"mw_***": 1})),
            (json!("mw_short"), json!("mw_short")),
        ];
        for (detail, expected) in table {
            assert_eq!(redacted(detail.clone()), expected, "{detail}");
        }
        assert_eq!(masked(&format!("mw_mw_é{token}x")), "mw_mw_émw_***x");
    }

    #[test]
    fn long_texts_are_cut_and_short_ones_stay() {
        let detail = json!({"error": "é".repeat(5_000), "step": "load"});
        let short = redacted(detail);
        assert_eq!(short["step"], "load");
        let error = short["error"].as_str().unwrap();
        assert!(error.ends_with("é…") && error.len() <= 1024, "{error}");
    }

    #[test]
    fn no_detail_is_longer_than_the_limit() {
        let many = (0..2_000).map(|n| (format!("key{n}"), json!("\"\\\u{1}"))).collect::<Map<_, _>>();
        let table = [
            json!("\u{1}".repeat(10_000)),
            json!("\"".repeat(10_000)),
            json!(vec!["x".repeat(50); 80]),
            json!(vec!["x".repeat(50); 500]),
            json!(vec![vec![0; 50]; 500]),
            Json::Object(many),
            json!({ "k".repeat(100_000): 1 }),
            json!(vec!["\u{1}\u{2}"; 3_000]),
        ];
        for detail in table {
            let text = redacted(detail).to_string();
            assert!(text.len() <= MOST && text.contains('…'), "{} bytes: {text}", text.len());
        }
    }

    #[test]
    fn an_ellipsis_counts() {
        for (text, most, expected) in [("abc", 3, "abc"), ("abcdef", 5, "ab…"), ("ééé", 5, "é…"), ("abcdef", 1, "…")]
        {
            assert_eq!(ellipsis(text, most), expected, "{text} {most}");
        }
    }
}
