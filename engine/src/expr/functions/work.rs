use chrono::{DateTime, Utc};

use crate::{data::Value, expr::Env};

/// The longest text that an expression may make, in bytes.
pub(crate) const MAX_TEXT: usize = 16 << 20;
/// Bytes of text and list elements that one evaluation may make in all.
const MAX_MADE: usize = 64 << 20;

/// Why there is no value. The evaluator adds the place.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The operands or arguments have types that there is no operation for.
    Types,
    /// A fault's code and a sentence.
    Because(&'static str, String),
}

/// A value or why there is none.
pub(crate) type Answer = Result<Value, Problem>;

/// A [`Problem`] with a reason.
pub(crate) fn because(code: &'static str, message: impl Into<String>) -> Problem {
    Problem::Because(code, message.into())
}

/// What an evaluation may still make, and what it knows of the world.
pub(crate) struct Work<'a> {
    env: Option<&'a dyn Env>,
    left: usize,
}

impl<'a> Work<'a> {
    pub(crate) fn new(env: Option<&'a dyn Env>) -> Self {
        Self { env, left: MAX_MADE }
    }

    /// The run's present.
    pub(crate) fn now(&self) -> Result<DateTime<Utc>, Problem> {
        self.env.map(|env| env.now().to_datetime()).ok_or(Problem::Types)
    }

    /// Takes `bytes` from what may be made.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Problem> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(because("expr.too_large", format!("the expression makes more than {} MiB", MAX_MADE >> 20))),
        }
    }

    /// Takes the place of `count` list elements.
    pub(crate) fn spend_elements(&mut self, count: usize) -> Result<(), Problem> {
        self.spend(count.saturating_mul(size_of::<Value>()))
    }

    /// A text as a value, if it is not too long.
    pub(crate) fn text(&mut self, text: impl AsRef<str>) -> Answer {
        let text = text.as_ref();
        check_length(text.len())?;
        self.spend(text.len())?;
        Ok(Value::from(text))
    }

    /// Elements as a value.
    pub(crate) fn list(&mut self, items: Vec<Value>) -> Answer {
        self.spend_elements(items.len())?;
        Ok(Value::List(items.into()))
    }
}

/// Refuses a text of more than [`MAX_TEXT`] bytes.
pub(crate) fn check_length(bytes: usize) -> Result<(), Problem> {
    if bytes <= MAX_TEXT {
        return Ok(());
    }
    Err(because("expr.too_large", format!("the text is longer than {} MiB", MAX_TEXT >> 20)))
}
