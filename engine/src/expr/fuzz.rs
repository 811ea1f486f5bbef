//! Random texts and random well-typed expressions. A failure prints its seed; `MILLWORK_SEED` repeats it and
//! `MILLWORK_FUZZ_SECONDS` goes on for longer.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{tests::World, *};
use crate::{
    data::{Type, Value},
    diag::{Span, TextMap},
};

const SOUP: &[&str] = &[
    "inputs",
    "steps",
    "secrets",
    "item",
    "run",
    "load",
    "outputs",
    "n",
    "s",
    "list",
    "map",
    "open",
    "maybe",
    ".",
    ".",
    ".",
    "?.",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    "?",
    "??",
    "||",
    "&&",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "in",
    "not",
    "and",
    "1",
    "0",
    "-1",
    "9223372036854775807",
    "1.5",
    "1e308",
    "0x",
    "10m",
    "'a'",
    "\"b\"",
    "'",
    "\"",
    "\\",
    "'\\u{1F600}'",
    "r'\\d'",
    "é",
    "\u{0}",
    "\n",
    " ",
    "null",
    "true",
    "${{",
    "}}",
    "$",
    "inputs.n",
    "inputs.s",
    "inputs.list",
    "inputs.open",
    "inputs.maybe",
    "inputs.map",
    "inputs.day",
    "steps.load.outputs.table",
    "item.id",
    "my-step",
    "Name",
];

fn seed() -> u64 {
    std::env::var("MILLWORK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random)
}

fn time() -> Duration {
    let seconds = std::env::var("MILLWORK_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    seconds.map_or(Duration::from_millis(400), Duration::from_secs)
}

fn pick<'a, T>(rng: &mut StdRng, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}

fn soup(rng: &mut StdRng) -> String {
    let mut text = String::new();
    for _ in 0..rng.random_range(0..30) {
        if rng.random_ratio(1, 4) {
            text.push_str(pick(rng, catalogue()).name());
            text.push('(');
        } else {
            text.push_str(pick::<&str>(rng, SOUP));
        }
        if rng.random_ratio(1, 3) {
            text.push(' ');
        }
    }
    text
}

fn mutated(rng: &mut StdRng, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=chars.len());
        match rng.random_range(0..3) {
            0 if at < chars.len() => drop(chars.remove(at)),
            1 if at < chars.len() => chars[at] = char::from(rng.random_range(32..127_u8)),
            _ => chars.splice(at..at, pick::<&str>(rng, SOUP).chars()).for_each(drop),
        }
    }
    chars.into_iter().collect()
}

/// Does with a text all that can be done, and gives an expression that has no error.
fn exercise(text: &str, world: &World) -> Option<(Expr, Type)> {
    let map = TextMap::verbatim(3);
    let _ = Expr::parse_bare(text, &map);
    if let Ok(template) = Template::parse(text, &map, Span::new(3, 3 + text.len())) {
        let _ = (template.check(world), template.references().len(), template.eval(world));
    }
    let expr = match Expr::parse(text, &map) {
        Ok(expr) => expr,
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let span = problem.primary.span;
                assert!(span.start >= 3 && span.end as usize <= text.len() + 3, "{problem:?}");
            }
            return None;
        }
    };
    let checked = expr.check(world);
    let value = expr.eval(world);
    if checked.has_errors() {
        return None;
    }
    if let Ok(value) = value {
        assert!(Type::of(&value.value).fits(&checked.ty), "{:?} is not of type {}", value.value, checked.ty);
    }
    Some((expr, checked.ty))
}

#[test]
#[allow(clippy::print_stderr)]
fn no_text_panics_or_hangs() {
    let seed = seed();
    eprintln!("MILLWORK_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::new();
    let end = Instant::now() + time();
    while Instant::now() < end {
        let text = if rng.random_ratio(1, 2) {
            soup(&mut rng)
        } else {
            let ty = random_type(&mut rng);
            let good = typed(&mut rng, &ty, 4);
            mutated(&mut rng, &good)
        };
        let started = Instant::now();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| exercise(&text, &world).is_some()));
        assert!(result.is_ok(), "MILLWORK_SEED={seed}: panic on {text:?}");
        assert!(started.elapsed().as_secs() < 5, "MILLWORK_SEED={seed}: {:?} on {text:?}", started.elapsed());
    }
}

const TYPES: &[&str] = &[
    "int",
    "float",
    "string",
    "bool",
    "date",
    "timestamp",
    "duration",
    "list<int>",
    "list<string>",
    "int?",
    "string?",
    "map<int>",
];

fn random_type(rng: &mut StdRng) -> String {
    (*pick(rng, TYPES)).to_owned()
}

/// An expression of the type, from the language's own rules. Written by hand, so that it does not follow the checker.
fn typed(rng: &mut StdRng, ty: &str, depth: u32) -> String {
    let leaf = depth == 0 || rng.random_ratio(1, 6);
    if leaf {
        return leaf_of(rng, ty);
    }
    let mut sub = |ty: &str| typed(rng, ty, depth - 1);
    if let Some(inner) = ty.strip_suffix('?') {
        let forms =
            [format!("({})", sub(ty)), format!("({} ? {} : null)", sub("bool"), sub(inner)), leaf_of_maybe(inner)];
        return forms[rng.random_range(0..forms.len())].clone();
    }
    let mut forms = vec![
        format!("({} ? {} : {})", sub("bool"), sub(ty), sub(ty)),
        format!("({})", sub(ty)),
        format!("({}[0])", format_args!("[{}, {}]", sub(ty), sub(ty))),
        format!("({{a: {}, b: 1}}.a)", sub(ty)),
    ];
    if matches!(ty, "int" | "string") {
        let maybe = format!("{ty}?");
        forms.push(format!("({} ?? {})", sub(&maybe), sub(ty)));
        forms.push(format!("coalesce({}, {})", sub(&maybe), sub(ty)));
        forms.push(format!("get({}, {}, {})", sub(&format!("list<{ty}>")), sub("int"), sub(ty)));
        forms.push(format!("({}[0])", sub(&format!("list<{ty}>"))));
    }
    match ty {
        "int" => {
            for op in ["+", "-", "*", "/", "%"] {
                forms.push(format!("({} {op} {})", sub("int"), sub("int")));
            }
            forms.push(format!("length({})", sub("string")));
            forms.push(format!("(-{})", sub("int")));
            forms.push(format!("sum({})", sub("list<int>")));
            forms.push(format!(
                "(year({}) + day({}) + hour({}, 'Asia/Tokyo'))",
                sub("date"),
                sub("timestamp"),
                sub("timestamp")
            ));
            forms.push(format!("round({})", sub("float")));
            forms.push(format!("max({}, {})", sub("int"), sub("int")));
            forms.push("(inputs.maybe != null ? inputs.maybe + 1 : 0)".to_owned());
        }
        "float" => {
            for op in ["+", "-", "*", "/", "%"] {
                forms.push(format!("({} {op} {})", sub("float"), sub("int")));
            }
            forms.push(format!("float({})", sub("int")));
            forms.push(format!("abs({})", sub("float")));
            forms.push(format!("seconds({})", sub("duration")));
            forms.push(format!("({} / {})", sub("duration"), sub("duration")));
        }
        "string" => {
            forms.push(format!("({} + {})", sub("string"), sub("string")));
            for function in ["lower", "upper", "trim", "sha256", "base64"] {
                forms.push(format!("{function}({})", sub("string")));
            }
            forms.push(format!("string({})", sub("float")));
            forms.push(format!("toJSON({})", sub("map<int>")));
            forms.push(format!("join({}, {})", sub("list<string>"), sub("string")));
            forms.push(format!("format('{{0}} {{1}}', {}, {})", sub("int"), sub("date")));
            forms.push(format!("substring({}, {})", sub("string"), sub("int")));
            forms.push(format!("replace({}, {}, {})", sub("string"), sub("string"), sub("string")));
            forms.push(format!("format_date({}, '%Y %H')", sub("timestamp")));
            forms.push(format!("in_timezone({}, 'Europe/Paris')", sub("timestamp")));
        }
        "bool" => {
            for op in ["==", "!=", "<", ">="] {
                forms.push(format!("({} {op} {})", sub("int"), sub("float")));
                forms.push(format!("({} {op} {})", sub("string"), sub("string")));
                forms.push(format!("({} {op} {})", sub("date"), sub("date")));
            }
            forms.push(format!("({} && {})", sub("bool"), sub("bool")));
            forms.push(format!("({} || !{})", sub("bool"), sub("bool")));
            forms.push(format!("({} in {})", sub("int"), sub("list<int>")));
            forms.push(format!("contains({}, {})", sub("list<string>"), sub("string")));
            forms.push(format!("({} == null)", sub("int?")));
            forms.push(format!("matches({}, lower({}))", sub("string"), sub("string")));
            forms.push("(inputs.text != null && length(inputs.text) > 0)".to_owned());
        }
        "date" => {
            forms.push(format!("({} + {})", sub("date"), sub("duration")));
            forms.push(format!("date({})", sub("timestamp")));
            forms.push(format!("add_days({}, {})", sub("date"), sub("int")));
            forms.push(format!("add_months({}, {})", sub("date"), sub("int")));
        }
        "timestamp" => {
            forms.push(format!("({} - {})", sub("timestamp"), sub("duration")));
            forms.push(format!("timestamp({})", sub("date")));
            forms.push(format!("timestamp({})", sub("int")));
        }
        "duration" => {
            forms.push(format!("({} - {})", sub("timestamp"), sub("timestamp")));
            forms.push(format!("({} * {})", sub("duration"), sub("float")));
            forms.push(format!("({} / {})", sub("duration"), sub("int")));
            forms.push(format!("({} - {})", sub("date"), sub("date")));
        }
        "map<int>" => {}
        list => {
            let inner = list.trim_start_matches("list<").trim_end_matches('>').to_owned();
            forms.push(format!("({} + {})", sub(list), sub(list)));
            forms.push(format!("[{}, {}]", sub(&inner), sub(&inner)));
            for function in ["sort", "unique", "reverse"] {
                forms.push(format!("{function}({})", sub(list)));
            }
            forms.push(format!("slice({}, {}, {})", sub(list), sub("int"), sub("int")));
            forms.push(format!("flatten([{}, {}])", sub(list), sub(list)));
            forms.push(if inner == "int" {
                format!("range({} % 100)", sub("int"))
            } else {
                format!("split({}, {})", sub("string"), sub("string"))
            });
        }
    }
    forms[rng.random_range(0..forms.len())].clone()
}

fn leaf_of_maybe(inner: &str) -> String {
    if inner == "int" { "inputs.map.a".to_owned() } else { "item.name".to_owned() }
}

fn leaf_of(rng: &mut StdRng, ty: &str) -> String {
    let choices: &[&str] = match ty {
        "int" => &["inputs.n", "0", "3", "-1", "9223372036854775807", "item.id", "steps.load.outputs.table.rows"],
        "float" => &["inputs.f", "0.0", "1.5", "1e300"],
        "string" => &["inputs.s", "''", "'a'", "'ü{'", "run.id", "steps.load.status"],
        "bool" => &["inputs.b", "true", "false", "success()"],
        "date" => &["inputs.day", "date('0001-01-01')", "today()"],
        "timestamp" => &["now()", "timestamp('2024-01-01T00:00:00Z')"],
        "duration" => &["duration('1h')", "duration('2d')", "duration('0s')"],
        "list<int>" => &["inputs.list", "[1]", "range(3)"],
        "list<string>" => &["['a', 'b']", "split(inputs.s, 'l')"],
        "int?" => &["inputs.maybe", "inputs.map.zz", "first(inputs.list)"],
        "string?" => &["inputs.text", "item.name", "steps.load.error?.message"],
        _ => &["inputs.map"],
    };
    (*pick(rng, choices)).to_owned()
}

#[test]
#[allow(clippy::print_stderr)]
fn what_was_checked_has_no_type_fault() {
    let seed = seed();
    eprintln!("MILLWORK_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::new();
    let end = Instant::now() + time();
    let (mut tried, mut evaluated) = (0_u32, 0_u32);
    while Instant::now() < end {
        let wanted = random_type(&mut rng);
        let depth = rng.random_range(1..4);
        let text = typed(&mut rng, &wanted, depth);
        let expr = match Expr::parse(&text, &TextMap::verbatim(0)) {
            Ok(expr) => expr,
            Err(problems) => panic!("MILLWORK_SEED={seed}: {text}: {problems:?}"),
        };
        let checked = expr.check(&world);
        assert!(!checked.has_errors(), "MILLWORK_SEED={seed}: {text}: {:?}", checked.diagnostics);
        let expected = Type::parse(&wanted).expect("a type");
        assert!(checked.ty.fits(&expected), "MILLWORK_SEED={seed}: {text}: {} is not {wanted}", checked.ty);
        tried += 1;
        match expr.eval(&world) {
            Ok(found) => {
                evaluated += 1;
                let found: Value = found.value;
                assert!(
                    Type::of(&found).fits(&checked.ty),
                    "MILLWORK_SEED={seed}: {text}: {found:?} is not {}",
                    checked.ty
                );
            }
            Err(fault) => {
                let code = fault.code.as_str();
                assert!(
                    !matches!(code, "expr.type" | "expr.null" | "expr.field"),
                    "MILLWORK_SEED={seed}: {text}: {code}: {}",
                    fault.message
                );
            }
        }
    }
    assert!(tried < 50 || evaluated * 10 > tried, "{evaluated} of {tried} had a value");
}
