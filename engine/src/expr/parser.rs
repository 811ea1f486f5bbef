use std::sync::Arc;

use super::{
    Ref, StatusCall,
    ast::{Access, AccessKind, Node, NodeKind},
    infix::{Infix, join},
    lexer::{Kind, LexError, Token, lex},
};
use crate::{
    data::Value,
    diag::{Code, Diagnostic, Span, TextMap},
};

/// The longest source of an expression, in bytes.
pub(super) const MAX_SOURCE: usize = 64 * 1024;
/// The deepest nesting of brackets, calls and signs.
const MAX_DEPTH: u32 = 64;

/// What parsing gives.
pub(super) struct Parsed {
    pub(super) root: Node,
    pub(super) refs: Vec<Ref>,
    pub(super) calls: Vec<StatusCall>,
}

/// Parsing cannot go on; the reason is among the problems.
pub(super) struct Stop;

/// Reads tokens into a tree. Mistakes in names are collected, mistakes in the grammar end it.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    map: &'a TextMap,
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
    pub(super) refs: Vec<Ref>,
    pub(super) calls: Vec<StatusCall>,
    /// Patterns compiled so far.
    pub(super) patterns: u32,
    pub(super) problems: Vec<Diagnostic>,
}

/// Parses all of `text`.
pub(super) fn parse(text: &str, map: &TextMap) -> Result<Parsed, Vec<Diagnostic>> {
    if text.len() > MAX_SOURCE {
        let message = format!("an expression may have {MAX_SOURCE} bytes, this one has {}", text.len());
        return Err(vec![
            Diagnostic::new(Code::ExprTooLarge, map.span(0, 1), message)
                .help("compute in a step, and refer to its output"),
        ]);
    }
    let tokens = lex(text).map_err(|problem| vec![lex_problem(text, map, problem)])?;
    let mut parser = Parser {
        text,
        map,
        tokens,
        at: 0,
        depth: 0,
        refs: Vec::new(),
        calls: Vec::new(),
        patterns: 0,
        problems: Vec::new(),
    };
    match parser.whole() {
        Ok(root) if parser.problems.is_empty() => Ok(Parsed { root, refs: parser.refs, calls: parser.calls }),
        _ => Err(parser.problems),
    }
}

fn lex_problem(text: &str, map: &TextMap, problem: LexError) -> Diagnostic {
    let code = if problem.foreign { Code::ExprForeign } else { Code::ExprLiteral };
    // A text that is not closed runs to the end; its first line is enough to show.
    let line = text[problem.start..problem.end].find('\n').map_or(problem.end, |len| problem.start + len);
    let mut out = Diagnostic::new(code, map.span(problem.start, line.max(problem.start)), problem.message);
    out.help = problem.help;
    match problem.instead {
        Some(instead) => out.suggest(instead),
        None => out,
    }
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Result<Node, Stop> {
        if self.peek().kind == Kind::End {
            let problem = self.problem(Code::ExprSyntax, 0, self.text.len(), "an expression is missing");
            return Err(self.stop(problem));
        }
        let root = self.expression()?;
        if self.peek().kind == Kind::End { Ok(root) } else { Err(self.unexpected("an operator or the end")) }
    }

    // --- tokens ---

    pub(super) fn peek(&self) -> &Token {
        // The last token is `End`, which is never passed.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn peek_second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    pub(super) fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(self.peek().kind, Kind::Sign(s) if s == sign)
    }

    pub(super) fn accept(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<usize, Stop> {
        if self.is(sign) { Ok(self.advance().end) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    pub(super) fn word(&self, token: &Token) -> &'a str {
        &self.text[token.start..token.end]
    }

    /// The end of the token before the next one.
    pub(super) fn last_end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |i| self.tokens[i].end)
    }

    // --- problems ---

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        self.map.span(start, end)
    }

    pub(super) fn problem(&self, code: Code, start: usize, end: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.map.span(start, end), message)
    }

    pub(super) fn stop(&mut self, problem: Diagnostic) -> Stop {
        self.problems.push(problem);
        Stop
    }

    fn unexpected(&mut self, expected: &str) -> Stop {
        let token = self.peek().clone();
        if token.kind == Kind::End {
            let end = self.last_end();
            let problem =
                self.problem(Code::ExprSyntax, end, end, format!("the expression ends where {expected} is expected"));
            return self.stop(problem);
        }
        let word = self.word(&token);
        if token.kind == Kind::Word {
            let operator = match word {
                "and" | "AND" => Some("&&"),
                "or" | "OR" => Some("||"),
                "is" | "eq" => Some("=="),
                "ne" => Some("!="),
                "mod" => Some("%"),
                _ => None,
            };
            if let Some(operator) = operator {
                let message = format!("`{word}` is written `{operator}` here");
                let problem = self.problem(Code::ExprForeign, token.start, token.end, message).suggest(operator);
                return self.stop(problem);
            }
            if word == "not" && self.word(self.peek_second()) == "in" {
                let problem = self
                    .problem(Code::ExprForeign, token.start, token.end, "`not in` is not an operator")
                    .help("write `!(x in list)`");
                return self.stop(problem);
            }
        }
        let message = format!("expected {expected}, found `{}`", shorten(word, 40));
        let problem = self.problem(Code::ExprSyntax, token.start, token.end, message);
        self.stop(problem)
    }

    /// A place for what was wrong: never evaluated, because there is a problem.
    pub(super) fn invalid(&mut self, problem: Diagnostic, start: usize) -> Node {
        self.problems.push(problem);
        Node::new(start, self.last_end(), NodeKind::Literal(Value::Null))
    }

    // --- grammar ---

    fn enter(&mut self) -> Result<(), Stop> {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            return Ok(());
        }
        let token = self.peek().clone();
        let message = format!("the expression nests more than {MAX_DEPTH} deep");
        let problem = self
            .problem(Code::ExprTooLarge, token.start, token.end, message)
            .help("compute parts of it in steps, and refer to their outputs");
        Err(self.stop(problem))
    }

    fn expression(&mut self) -> Result<Node, Stop> {
        self.enter()?;
        let first = self.binary(0)?;
        let node = if self.is("?") { self.choice(first)? } else { first };
        self.depth -= 1;
        Ok(node)
    }

    fn choice(&mut self, first: Node) -> Result<Node, Stop> {
        let start = first.start as usize;
        let mut arms = Vec::new();
        let mut condition = first;
        loop {
            self.expect("?")?;
            let value = self.expression()?;
            self.expect(":")?;
            arms.push((condition, value));
            let next = self.binary(0)?;
            if !self.is("?") {
                let end = next.end as usize;
                return Ok(Node::new(start, end, NodeKind::Choice(arms, Box::new(next))));
            }
            condition = next;
        }
    }

    fn binary(&mut self, least: u8) -> Result<Node, Stop> {
        let mut left = self.unary()?;
        let mut compared = false;
        while let Some(infix) = self.infix() {
            let precedence = infix.precedence();
            if precedence < least {
                break;
            }
            let operator = self.advance();
            let compares = matches!(infix, Infix::Compare(_));
            if compares && compared {
                let problem = self
                    .problem(Code::ExprSyntax, operator.start, operator.end, "comparisons cannot be chained")
                    .help("write `a < b && b < c`, or put one comparison in parentheses");
                return Err(self.stop(problem));
            }
            let right = self.binary(precedence + 1)?;
            left = join(infix, left, right);
            compared = compares;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, Stop> {
        let token = self.peek().clone();
        let start = token.start;
        match token.kind {
            Kind::Sign("!") => {
                self.enter()?;
                self.advance();
                let inner = self.unary()?;
                self.depth -= 1;
                Ok(Node::new(start, inner.end as usize, NodeKind::Not(Box::new(inner))))
            }
            Kind::Sign("-") => {
                self.enter()?;
                self.advance();
                let number = self.peek().clone();
                let node = if let Kind::Int(value) = number.kind {
                    // The sign belongs to the number, so that the smallest int can be written.
                    self.advance();
                    let value = 0_i64.checked_sub_unsigned(value);
                    let literal = self.int(value, start, number.end);
                    self.postfix(literal)?
                } else {
                    let inner = self.unary()?;
                    Node::new(start, inner.end as usize, NodeKind::Minus(Box::new(inner)))
                };
                self.depth -= 1;
                Ok(node)
            }
            Kind::Sign("+") => {
                let problem =
                    self.problem(Code::ExprSyntax, start, token.end, "a number has no `+` before it").suggest("");
                Err(self.stop(problem))
            }
            _ => {
                let primary = self.primary()?;
                self.postfix(primary)
            }
        }
    }

    fn int(&mut self, value: Option<i64>, start: usize, end: usize) -> Node {
        match value {
            Some(value) => Node::new(start, end, NodeKind::Literal(Value::Int(value))),
            None => {
                let problem =
                    self.problem(Code::ExprLiteral, start, end, "this number is too large for an int (64 bits)");
                self.invalid(problem, start)
            }
        }
    }

    fn primary(&mut self) -> Result<Node, Stop> {
        let token = self.peek().clone();
        let (start, end) = (token.start, token.end);
        let literal = |value| Ok(Node::new(start, end, NodeKind::Literal(value)));
        match token.kind {
            Kind::Int(value) => {
                self.advance();
                Ok(self.int(i64::try_from(value).ok(), start, end))
            }
            Kind::Float(value) => {
                self.advance();
                literal(Value::Float(value))
            }
            Kind::Text(text) => {
                self.advance();
                literal(Value::String(text))
            }
            Kind::Sign("(") => {
                self.advance();
                let mut inner = self.expression()?;
                inner.start = start as u32;
                inner.end = self.expect(")")? as u32;
                Ok(inner)
            }
            Kind::Sign("[") => {
                self.advance();
                let items = self.items("]")?;
                Ok(Node::new(start, self.last_end(), NodeKind::List(items)))
            }
            Kind::Sign("{") => self.map_literal(),
            Kind::Word => self.named(&token),
            Kind::Sign(_) | Kind::End => Err(self.unexpected("a value")),
        }
    }

    fn named(&mut self, token: &Token) -> Result<Node, Stop> {
        let word = self.word(token);
        self.advance();
        let literal = |value| Ok(Node::new(token.start, token.end, NodeKind::Literal(value)));
        match word {
            "true" => literal(Value::Bool(true)),
            "false" => literal(Value::Bool(false)),
            "null" => literal(Value::Null),
            _ if self.is("(") => self.call(token),
            "not" => {
                let problem =
                    self.problem(Code::ExprForeign, token.start, token.end, "`not` is written `!` here").suggest("!");
                Err(self.stop(problem))
            }
            _ => Ok(self.root(token)),
        }
    }

    /// Expressions with commas between, up to `close`, which is read too.
    pub(super) fn items(&mut self, close: &str) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        while !self.accept(close) {
            items.push(self.expression()?);
            if !self.accept(",") && !self.is(close) {
                return Err(self.unexpected(&format!("`,` or `{close}`")));
            }
        }
        Ok(items)
    }

    fn map_literal(&mut self) -> Result<Node, Stop> {
        let start = self.advance().start;
        let mut entries: Vec<(Arc<str>, Node)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while !self.accept("}") {
            let token = self.peek().clone();
            let key: Arc<str> = match token.kind {
                Kind::Word => self.word(&token).into(),
                Kind::Text(text) => text,
                _ => return Err(self.unexpected("a key (a name or text in quotes)")),
            };
            self.advance();
            self.expect(":")?;
            let value = self.expression()?;
            if !seen.insert(key.clone()) {
                let message = format!("the key `{key}` is given twice");
                let problem = self.problem(Code::ExprSyntax, token.start, token.end, message);
                self.problems.push(problem);
            }
            entries.push((key, value));
            if !self.accept(",") && !self.is("}") {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
        Ok(Node::new(start, self.last_end(), NodeKind::Map(entries)))
    }

    fn postfix(&mut self, base: Node) -> Result<Node, Stop> {
        let start = base.start as usize;
        let mut path = Vec::new();
        loop {
            let token = self.peek().clone();
            let kind = match token.kind {
                Kind::Sign(sign @ ("." | "?.")) => {
                    self.advance();
                    let name = self.peek().clone();
                    if name.kind != Kind::Word {
                        return Err(self.unexpected("a field's name"));
                    }
                    self.advance();
                    let word = self.word(&name);
                    if self.is("(") {
                        return Err(self.method(&name, start, base.end.max(path_end(&path)) as usize));
                    }
                    if sign == "." { AccessKind::Field(word.into()) } else { AccessKind::Maybe(word.into()) }
                }
                Kind::Sign("[") => {
                    self.advance();
                    let index = self.expression()?;
                    self.expect("]")?;
                    AccessKind::Index(index)
                }
                _ => break,
            };
            path.push(Access { start: token.start as u32, end: self.last_end() as u32, kind });
        }
        if path.is_empty() {
            return Ok(base);
        }
        Ok(Node::new(start, self.last_end(), NodeKind::Access(Box::new(base), path)))
    }
}

fn path_end(path: &[Access]) -> u32 {
    path.last().map_or(0, |access| access.end)
}

/// The text on one line, cut after `max` characters.
pub(super) fn shorten(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (i, word) in text.split_whitespace().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        for c in word.chars() {
            if out.chars().count() >= max {
                out.push('…');
                return out;
            }
            out.push(c);
        }
    }
    out
}
