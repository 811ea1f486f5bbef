use lettre::message::{Mailbox, Mailboxes};
use millwork_engine::{
    data::{FromValue, Type, Value},
    diag::{Code, Diagnostic},
    model::Fault,
    step::{OneOrMany, Resolved, Templated},
};

/// Mails to more people belong to a list that its server knows.
const MOST: usize = 100;

/// One address, several with commas between, or a list of those.
pub(super) struct People(Vec<String>);

impl FromValue for People {
    const TYPE: &'static str = "any";
    fn from_value(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::String(text) => Ok(Self(vec![text.to_string()])),
            Value::List(_) => Vec::from_value(value).map(Self),
            Value::Null => Ok(Self(Vec::new())),
            other => Err(Fault::user(
                "type.mismatch",
                format!("expected the address of a mailbox, or a list of those, found {}", Type::of(other)),
            )),
        }
    }
}

impl People {
    /// The mailboxes; the error is a sentence.
    fn mailboxes(&self) -> Result<Vec<Mailbox>, String> {
        let mut all = Vec::new();
        for text in &self.0 {
            let boxes: Mailboxes = text.trim().parse().map_err(|_| format!("`{text}` is no address of a mailbox"))?;
            all.extend(boxes);
        }
        Ok(all)
    }
}

const HELP: &str = "write it like `ann@example.com` or `Ann Lee <ann@example.com>`";

/// Problems of those that are written in the pipeline.
pub(super) fn problems<'a>(fields: impl IntoIterator<Item = &'a Templated<People>>) -> Vec<Diagnostic> {
    let wrong = |field: &Templated<People>| {
        let value = field.template().literal()?;
        let why = People::from_value(value).map_err(|fault| fault.message).and_then(|people| people.mailboxes());
        Some(Diagnostic::new(Code::WrongShape, field.span(), why.err()?).help(HELP))
    };
    fields.into_iter().filter_map(wrong).collect()
}

/// Everybody that a field names, each once.
pub(super) fn resolved<C>(
    field: &str,
    config: &Resolved<'_, C>,
    people: &OneOrMany<Templated<People>>,
) -> Result<Vec<Mailbox>, Fault> {
    let mut all: Vec<Mailbox> = Vec::new();
    for one in people.iter() {
        let boxes = config.get(one)?.mailboxes();
        let boxes = boxes.map_err(|why| Fault::user("notify.address", format!("`{field}`: {why}")).help(HELP))?;
        for mailbox in boxes {
            if !all.iter().any(|known| known.email == mailbox.email) {
                all.push(mailbox);
            }
        }
    }
    if all.len() > MOST {
        let message = format!("`{field}` names {} mailboxes, and a mail has at most {MOST}", all.len());
        return Err(Fault::user("notify.address", message).help("write to the address of a list"));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read_from_texts_and_lists() {
        for (value, expected) in [
            (Value::from("ann@example.com"), "ann@example.com"),
            (Value::from("Ann Lee <ann@example.com>, bob@example.com"), "ann@example.com bob@example.com"),
            (Value::list([Value::from("a@b.c"), Value::from("d@e.f")]), "a@b.c d@e.f"),
            (Value::Null, ""),
        ] {
            let found = People::from_value(&value).expect("people").mailboxes().expect("mailboxes");
            assert_eq!(found.iter().map(|m| m.email.to_string()).collect::<Vec<_>>().join(" "), expected);
        }
        let wrong = People(vec!["ann at example.com".to_owned()]).mailboxes().expect_err("no address");
        assert_eq!(wrong, "`ann at example.com` is no address of a mailbox");
        assert!(People::from_value(&Value::Int(1)).is_err());
    }
}
