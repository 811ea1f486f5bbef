use super::{
    Part, Ref, Root,
    ast::{Node, NodeKind},
    functions,
    lexer::{Kind, Token},
    parser::Parser,
};
use crate::{
    diag::{Code, Diagnostic},
    model::Name,
};

/// The words that expressions begin with.
const ROOTS: &[&str] =
    &["inputs", "steps", "secrets", "item", "item_index", "item_key", "outputs", "state", "run", "event"];

/// What stands after `run.`.
const RUN: &[&str] = &[
    "id",
    "pipeline",
    "revision",
    "attempt",
    "started_at",
    "interval.start",
    "interval.end",
    "error.message",
    "error.code",
    "error.step",
];

/// What stands after `steps.ID.`.
const PARTS: &[&str] = &["outputs", "status", "error", "items", "attempts"];

/// Words of other engines: the word, what to write, why.
const FOREIGN: &[(&str, Option<&str>, &str)] = &[
    ("needs", Some("steps"), "write steps.ID.outputs.NAME"),
    ("tasks", Some("steps"), "write steps.ID.outputs.NAME"),
    ("jobs", Some("steps"), "write steps.ID.outputs.NAME"),
    ("params", Some("inputs"), "what a run is given is in `inputs`"),
    ("parameters", Some("inputs"), "what a run is given is in `inputs`"),
    ("vars", Some("inputs"), "what a run is given is in `inputs`"),
    ("matrix", Some("item"), "an element of `for_each` is `item`"),
    ("each", Some("item"), "an element of `for_each` is `item`"),
    ("index", Some("item_index"), "the place in `for_each` is `item_index`"),
    ("if", None, "a choice is written `condition ? value : other`"),
    ("env", None, "expressions read no environment variables: declare an input or a secret"),
    ("github", None, "see `run.` for the run and `event.` for what a trigger brought"),
    ("workflow", Some("run"), "the run is described by `run.`"),
    ("trigger", Some("event"), "what a trigger brought is in `event`"),
    ("True", Some("true"), "words are lower case"),
    ("False", Some("false"), "words are lower case"),
    ("TRUE", Some("true"), "words are lower case"),
    ("FALSE", Some("false"), "words are lower case"),
    ("NULL", Some("null"), "words are lower case"),
    ("None", Some("null"), "nothing is `null`"),
    ("nil", Some("null"), "nothing is `null`"),
    ("undefined", Some("null"), "nothing is `null`"),
];

/// A part of a dotted name, with its place.
struct Segment {
    text: String,
    start: usize,
    end: usize,
}

impl Parser<'_> {
    /// Reads a reference whose first word, `token`, was read.
    pub(super) fn root(&mut self, token: &Token) -> Node {
        let word = self.word(token);
        match word {
            "item" => self.made(token, Root::Item),
            "item_index" => self.made(token, Root::ItemIndex),
            "item_key" => self.made(token, Root::ItemKey),
            "event" => self.made(token, Root::Event),
            "inputs" => self.named_root(token, Root::Input),
            "outputs" => self.named_root(token, Root::Output),
            "state" => self.named_root(token, Root::State),
            "secrets" => match self.segment(true) {
                Some(segment) => self.made(token, Root::Secret(segment.text)),
                None => self.incomplete(token, "name one: secrets.NAME"),
            },
            "steps" => self.step(token),
            "run" => self.run(token),
            _ => self.unknown(token),
        }
    }

    fn made(&mut self, first: &Token, root: Root) -> Node {
        let end = self.last_end();
        self.refs.push(Ref { root, span: self.span(first.start, end) });
        Node::new(first.start, end, NodeKind::Root(self.refs.len() - 1))
    }

    fn incomplete(&mut self, first: &Token, help: &str) -> Node {
        let end = self.last_end();
        let text = &self.text[first.start..end];
        let problem = self.problem(Code::BadReference, first.start, end, format!("`{text}` is not a value")).help(help);
        self.invalid(problem, first.start)
    }

    /// `.word` or `['word']`, if one follows.
    fn segment(&mut self, brackets: bool) -> Option<Segment> {
        if self.is(".") && self.peek_second().kind == Kind::Word {
            self.advance();
            let token = self.advance();
            return Some(Segment { text: self.word(&token).to_owned(), start: token.start, end: token.end });
        }
        if brackets && self.is("[") {
            let token = self.peek_second().clone();
            if let Kind::Text(text) = &token.kind {
                self.advance();
                self.advance();
                if self.accept("]") {
                    return Some(Segment { text: text.to_string(), start: token.start, end: token.end });
                }
            }
        }
        None
    }

    fn named_root(&mut self, first: &Token, root: fn(Name) -> Root) -> Node {
        let word = self.word(first).to_owned();
        match self.segment(true) {
            Some(segment) => match self.name(&segment) {
                Ok(name) => self.made(first, root(name)),
                Err(problem) => self.invalid(*problem, first.start),
            },
            None if self.is("[") => {
                self.incomplete(first, &format!("write {word}.NAME: what is referred to must be known before the run"))
            }
            None => self.incomplete(first, &format!("name one: {word}.NAME")),
        }
    }

    fn name(&self, segment: &Segment) -> Result<Name, Box<Diagnostic>> {
        Name::new(&segment.text).ok_or_else(|| {
            let code = if segment.text.contains('-') { Code::HyphenInName } else { Code::BadReference };
            let mended = segment.text.to_lowercase().replace(['-', ' '], "_");
            let quoted = self.text[segment.start..].starts_with(['\'', '"']);
            let message = format!("`{}` is not a name: names are made of a-z, 0-9 and _", segment.text.escape_debug());
            let problem = self.problem(code, segment.start, segment.end, message);
            Box::new(match Name::new(&mended) {
                Some(mended) if quoted => problem.suggest(format!("'{mended}'")),
                Some(mended) => problem.suggest(mended.as_str()),
                None => problem,
            })
        })
    }

    /// `my-step` where a step's id belongs: reads on to its end.
    fn hyphened(&mut self, segment: &mut Segment) {
        while self.is("-")
            && self.peek().start == segment.end
            && matches!(self.peek_second().kind, Kind::Word | Kind::Int(_))
            && self.peek_second().start == self.peek().end
        {
            self.advance();
            segment.end = self.advance().end;
            self.text[segment.start..segment.end].clone_into(&mut segment.text);
        }
    }

    fn step(&mut self, first: &Token) -> Node {
        let Some(mut id) = self.segment(true) else {
            return self.incomplete(first, "name a step and its output: steps.ID.outputs.NAME");
        };
        self.hyphened(&mut id);
        let step = match self.name(&id) {
            Ok(step) => Some(step),
            Err(problem) => {
                self.problems.push(*problem);
                None
            }
        };
        let Some(part) = self.segment(true) else {
            let help = format!(
                "a step has outputs: write steps.{}.outputs.NAME (or .status, .error, .items, .attempts)",
                id.text
            );
            return self.incomplete(first, &help);
        };
        let part = match part.text.as_str() {
            "outputs" => match self.segment(true) {
                Some(output) => self.name(&output).map(Part::Output),
                None => return self.incomplete(first, "name one output: steps.ID.outputs.NAME"),
            },
            "status" => Ok(Part::Status),
            "error" => Ok(Part::Error),
            "items" => Ok(Part::Items),
            "attempts" => Ok(Part::Attempts),
            _ => Err(Box::new(self.wrong_part(&id, &part))),
        };
        match (step, part) {
            (Some(step), Ok(part)) => self.made(first, Root::Step { step, part }),
            (_, Err(problem)) => self.invalid(*problem, first.start),
            (None, Ok(_)) => Node::new(first.start, self.last_end(), NodeKind::Literal(crate::data::Value::Null)),
        }
    }

    fn wrong_part(&self, id: &Segment, part: &Segment) -> Diagnostic {
        let word = part.text.as_str();
        let problem = self.problem(Code::BadReference, part.start, part.end, format!("a step has no `{word}`"));
        let known = match word {
            "outcome" | "conclusion" | "state" => Some("status"),
            "result" | "return" | "value" => Some("outputs"),
            "message" | "fault" => Some("error"),
            _ => None,
        };
        if let Some(known) = known {
            return problem.suggest(known);
        }
        let near = problem.clone().did_you_mean(word, PARTS.iter().copied());
        if near.suggestion.is_some() {
            return near;
        }
        problem
            .help(format!("outputs stand under `outputs`: steps.{}.outputs.{word}", id.text))
            .suggest(format!("outputs.{word}"))
    }

    fn run(&mut self, first: &Token) -> Node {
        let Some(field) = self.segment(false) else {
            return self.incomplete(first, &format!("name a field: run.{}", RUN.join(", run.")));
        };
        let mut path = field.text.clone();
        if matches!(path.as_str(), "interval" | "error") {
            match self.segment(false) {
                Some(inner) => path = format!("{path}.{}", inner.text),
                None if path == "interval" => {
                    return self.incomplete(first, "write run.interval.start or run.interval.end");
                }
                None => return self.incomplete(first, "write run.error.message, run.error.code or run.error.step"),
            }
        }
        if RUN.contains(&path.as_str()) {
            return self.made(first, Root::Run(path));
        }
        let end = self.last_end();
        let known = match path.as_str() {
            "run_id" | "number" => Some("id"),
            "name" | "workflow" => Some("pipeline"),
            "start" | "started" | "start_time" | "date" | "time" => Some("started_at"),
            _ => None,
        };
        let problem = self
            .problem(Code::BadReference, field.start, end, format!("a run has no `{path}`"))
            .help(format!("a run has {}", RUN.join(", ")));
        let problem = match known {
            Some(known) => problem.suggest(known),
            None => problem.did_you_mean(&path, RUN.iter().copied()),
        };
        self.invalid(problem, first.start)
    }

    fn unknown(&mut self, token: &Token) -> Node {
        let word = self.word(token);
        let problem = self.problem(Code::UnknownName, token.start, token.end, format!("`{word}` is not a name here"));
        let hyphen = self.text[..token.start].ends_with('-')
            && self.text[..token.start - 1].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let problem = if hyphen {
            let problem = Diagnostic { code: Code::HyphenInName, ..problem };
            problem.help("a hyphen means minus here: names have `_` where others have `-`")
        } else if let Some((_, ours, why)) = FOREIGN.iter().find(|(theirs, ..)| *theirs == word) {
            let problem = Diagnostic { code: Code::ExprForeign, ..problem }.help(*why);
            match ours {
                Some(ours) => problem.suggest(*ours),
                None => problem,
            }
        } else if functions::find(word).is_some() {
            problem.help(format!("`{word}` is a function: write {word}(..)"))
        } else {
            let near = problem.did_you_mean(word, ROOTS.iter().copied().chain(["true", "false", "null"]));
            if near.suggestion.is_some() {
                near
            } else {
                near.help(format!("text stands in quotes: '{word}'; values begin with {}", ROOTS.join(", ")))
            }
        };
        // What hangs on it would only repeat the problem.
        while self.segment(true).is_some() {}
        self.invalid(problem, token.start)
    }
}
