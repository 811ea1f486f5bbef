//! How deep a query goes. Parsers and planners go down a query by calling themselves, so that thousands of terms in
//! a row would fill a thread's stack, which ends the process.

use datafusion::sql::sqlparser::{
    dialect::GenericDialect,
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Tokenizer},
};
use millwork_engine::diag::Code;

use super::{place, problem::Problem};

/// Terms that may hang together: `a + b + c` are two, and so are `x union y union z`.
const MOST: usize = 500;
/// Stack that a query of the deepest kind leaves unused, several times over.
const ROOM: usize = 16 << 20;

/// Works on a query with stack enough for the deepest.
pub(super) fn with_room<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(ROOM, 2 * ROOM, work)
}

/// What hangs together in one pair of parentheses.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Operators since the last comma or clause.
    operators: usize,
    /// Joins, and operators between queries.
    relations: usize,
}

/// Refuses a query that is too deep, before anything goes down it.
pub(super) fn refuse_deep(text: &str) -> Result<(), Problem> {
    // What is no token is the parser's to tell.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location() else { return Ok(()) };
    let mut levels = vec![Level::default()];
    for TokenWithSpan { token, span } in &tokens {
        let Some(level) = levels.last_mut() else { break };
        match part(token) {
            Part::Operand => {}
            Part::Operator => level.operators += 1,
            Part::Relation => *level = Level { operators: 0, relations: level.relations + 1 },
            Part::Break => level.operators = 0,
            Part::Open => levels.push(Level::default()),
            Part::Close if levels.len() > 1 => drop(levels.pop()),
            Part::Close => {}
        }
        if levels.iter().map(|level| level.operators + level.relations).sum::<usize>() > MOST {
            let at = place::byte_at(text, span.start.line, span.start.column);
            let at = place::word_at(text, at);
            let problem = Problem::new(Code::SqlSyntax, at, format!("more than {MOST} terms hang together here"));
            return Err(problem
                .help("write a long `or` as `in (...)`, a long sum or `union` as a query over a table of its values"));
        }
    }
    Ok(())
}

enum Part {
    Operand,
    Operator,
    Relation,
    Break,
    Open,
    Close,
}

fn part(token: &Token) -> Part {
    use Keyword as K;
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => Part::Open,
        Token::RParen | Token::RBracket | Token::RBrace => Part::Close,
        Token::Comma | Token::SemiColon => Part::Break,
        Token::Word(word) => match word.keyword {
            K::UNION | K::EXCEPT | K::INTERSECT | K::MINUS | K::JOIN => Part::Relation,
            K::SELECT | K::FROM | K::WHERE | K::GROUP | K::HAVING | K::QUALIFY | K::WINDOW | K::ORDER | K::LIMIT => {
                Part::Break
            }
            K::ON | K::WHEN | K::THEN | K::ELSE | K::END | K::AS | K::WITH | K::VALUES => Part::Break,
            K::AND | K::OR | K::XOR | K::NOT | K::IS | K::LIKE | K::ILIKE | K::SIMILAR | K::BETWEEN | K::COLLATE => {
                Part::Operator
            }
            _ => Part::Operand,
        },
        Token::EOF
        | Token::Whitespace(_)
        | Token::Number(..)
        | Token::Char(_)
        | Token::Placeholder(_)
        | Token::Period
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_) => Part::Operand,
        _ => Part::Operator,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::names::parse;

    #[test]
    fn a_query_may_be_long_but_not_deep() {
        let many = |part: &str, n: usize| part.repeat(n);
        let long = [
            format!("select * from t where a in (1{})", many(", 1", 20_000)),
            format!("select 1{}", many(", a + b as c", 5_000)),
            format!("select case {} end from t", many("when a = 1 and b = 2 then 3 ", 2_000)),
            format!("select * from (values (1 - 2){})", many(", (1 - 2)", 5_000)),
            format!("select 1 as a{}", many(" union all select a + 1 from t where a = 2 or a = 3", 400)),
        ];
        for text in &long {
            assert!(refuse_deep(text).is_ok(), "{}", &text[..60]);
        }
        let deep = [
            format!("select 1{}", many(" + 1", 200_000)),
            format!("select a where b{}", many(":c", 200_000)),
            format!("select {}1", many("- ", 200_000)),
            format!("select * from t where a = 1{}", many(" or a = 1", 501)),
            format!("select 1{}", many(" union all select 1", 501)),
            format!("select * from t{}", many(" join t on true", 501)),
            format!("select {}1{}", many("1 + 1 + 1 + 1 + 1 + 1 + (", 100), many(")", 100)),
        ];
        for text in &deep {
            let problem = with_room(|| parse(text)).map(|_| ()).expect_err(&text[..40]);
            assert!(problem[0].message.contains("hang together"), "{problem:?}");
        }
    }
}
