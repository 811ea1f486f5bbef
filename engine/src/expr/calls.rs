use std::sync::Arc;

use super::{
    StatusCall,
    ast::{Call, Node, NodeKind},
    functions::{self, Body, Function},
    lexer::Token,
    parser::{Parser, Stop, shorten},
};
use crate::{
    data::Value,
    diag::{Code, Diagnostic},
    model::Name,
};

/// Literal patterns that one expression may have: compiling one takes long beside reading it.
const MAX_PATTERNS: u32 = 32;

impl Parser<'_> {
    pub(super) fn method(&mut self, name: &Token, start: usize, end: usize) -> Stop {
        let word = self.word(name);
        let inner = shorten(&self.text[start..end], 60);
        let problem = self
            .problem(Code::ExprSyntax, name.start, name.end, "values have no methods")
            .help(format!("write `{word}({inner}, ..)`"));
        self.stop(problem)
    }

    pub(super) fn call(&mut self, name: &Token) -> Result<Node, Stop> {
        let word = self.word(name);
        self.advance();
        let args = self.items(")")?;
        let end = self.last_end();
        let Some(function) = functions::find(word) else {
            let message = format!("there is no function `{word}`");
            let problem = self.problem(Code::UnknownFunction, name.start, name.end, message);
            let problem = match functions::foreign(word) {
                Some(ours) => problem.suggest(ours),
                None => problem.did_you_mean(word, functions::catalogue().iter().map(Function::name)),
            };
            return Ok(self.invalid(problem, name.start));
        };
        if !function.takes(args.len()) {
            let count = args.len();
            let message = format!("`{word}` does not take {count} argument{}", if count == 1 { "" } else { "s" });
            let problem = self.problem(Code::ArgumentCount, name.start, end, message).help(function.usage());
            return Ok(self.invalid(problem, name.start));
        }
        let literals: Vec<Option<&Value>> = args.iter().map(Node::literal).collect();
        let checked = function.check_literals(&literals);
        let folded = function.fold(&literals);
        drop(literals);
        match checked.and(folded) {
            Ok(None) => {}
            Ok(Some(value)) => return Ok(Node::new(name.start, end, NodeKind::Literal(value))),
            Err((arg, message)) => {
                let place = args.get(arg).map_or((name.start, end), |a| (a.start as usize, a.end as usize));
                let problem = self.problem(Code::BadArgument, place.0, place.1, message).help(function.usage());
                return Ok(self.invalid(problem, name.start));
            }
        }
        let kind = match function.body() {
            Body::Coalesce => NodeKind::Coalesce(args),
            Body::Status(make) => return Ok(self.status(make(None), name.start, end)),
            Body::Failed => return Ok(self.failed(&args, name.start, end)),
            Body::Matches => match self.pattern(&args) {
                Ok(regex) => NodeKind::Call(Call { function, args, regex }),
                Err(problem) => return Ok(self.invalid(*problem, name.start)),
            },
            Body::Plain(_) => NodeKind::Call(Call { function, args, regex: None }),
        };
        Ok(Node::new(name.start, end, kind))
    }

    fn status(&mut self, call: StatusCall, start: usize, end: usize) -> Node {
        self.calls.push(call.clone());
        Node::new(start, end, NodeKind::Status(call))
    }

    fn failed(&mut self, args: &[Node], start: usize, end: usize) -> Node {
        match args.first().and_then(Node::literal).and_then(Value::as_str) {
            Some(step) => match Name::new(step) {
                Some(name) => self.status(StatusCall::Failed(name), start, end),
                None => {
                    let message = format!("`{}` is not a step's id", shorten(step, 60));
                    let problem = self.problem(Code::BadReference, start, end, message);
                    self.invalid(problem, start)
                }
            },
            None => {
                let problem = self
                    .problem(Code::BadArgument, start, end, "`failed` takes a step's id as literal text")
                    .help("write for example failed('load')");
                self.invalid(problem, start)
            }
        }
    }

    /// Compiles a literal pattern of `matches`.
    fn pattern(&mut self, args: &[Node]) -> Result<Option<Arc<regex::Regex>>, Box<Diagnostic>> {
        let Some(arg) = args.get(1) else { return Ok(None) };
        let Some(pattern) = arg.literal().and_then(Value::as_str) else { return Ok(None) };
        let (start, end) = (arg.start as usize, arg.end as usize);
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            let message = format!("an expression has at most {MAX_PATTERNS} patterns");
            return Err(Box::new(self.problem(Code::ExprTooLarge, start, end, message)));
        }
        functions::compile(pattern)
            .map(|regex| Some(Arc::new(regex)))
            .map_err(|message| Box::new(self.problem(Code::BadArgument, start, end, message)))
    }
}
