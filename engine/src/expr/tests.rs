//! What the language does, seen from outside: text in, values, types and diagnostics out.

use std::time::Instant;

use super::{world::World, *};
use crate::{
    data::{Type, Value},
    diag::{Code, Diagnostic, Severity, Source, Span, TextMap},
    model::Name,
};

fn parse(text: &str) -> Expr {
    Expr::parse(text, &TextMap::verbatim(0)).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

/// The type, and the value as JSON or its fault's code.
fn run(text: &str) -> (String, String) {
    let world = World::new();
    let expr = parse(text);
    let checked = expr.check(&world);
    assert!(!checked.has_errors(), "{text}: {:?}", checked.diagnostics);
    let value = match expr.eval(&world) {
        Ok(found) => {
            assert!(
                Type::of(&found.value).fits(&checked.ty),
                "{text}: {:?} is not of type {}",
                found.value,
                checked.ty
            );
            crate::data::plain(&found.value).to_string()
        }
        Err(fault) => fault.code.to_string(),
    };
    (checked.ty.to_string(), value)
}

/// Code, marked text, and replacement of the first problem of `text`.
fn first_problem(text: &str) -> (String, String, Option<String>) {
    let problems = match Expr::parse(text, &TextMap::verbatim(0)) {
        Ok(expr) => expr.check(&World::new()).diagnostics,
        Err(problems) => problems,
    };
    let problem: &Diagnostic = problems.first().unwrap_or_else(|| panic!("{text} has no problem"));
    let source = Source::new("e", text);
    let marked = source.slice(problem.primary.span).to_owned();
    (problem.code.to_string(), marked, problem.suggestion.as_ref().map(|s| s.replacement.clone()))
}

#[test]
fn values_and_types() {
    for (text, ty, value) in [
        ("1 + 2 * 3", "int", "7"),
        ("(1 + 2) * 3", "int", "9"),
        ("10 - 2 - 3", "int", "5"),
        ("7 / 2", "int", "3"),
        ("7 / 2.0", "float", "3.5"),
        ("-7 % 4", "int", "-3"),
        ("-9223372036854775808", "int", "-9223372036854775808"),
        ("- inputs.n", "int", "-5"),
        ("!inputs.b", "bool", "false"),
        ("inputs.n > 3 && inputs.f < 3", "bool", "true"),
        ("1 == 1.0", "bool", "true"),
        ("inputs.s + '!' + \"?\"", "string", "\"Héllo!?\""),
        ("[1, 2] + [3]", "list<int>", "[1,2,3]"),
        ("{a: 1, 'b c': [true,],}", "object{a: int, b c: list<bool>}", r#"{"a":1,"b c":[true]}"#),
        ("{a: {b: 5}}.a['b']", "int", "5"),
        ("inputs.maybe ?? 4", "int", "4"),
        ("inputs.maybe ?? 0 > 3", "bool", "false"),
        ("inputs.maybe ?? inputs.maybe", "int?", "null"),
        ("coalesce(inputs.maybe, null, 2)", "int", "2"),
        ("inputs.maybe != null && inputs.maybe > 3", "bool", "false"),
        ("inputs.maybe == null || inputs.maybe > 3", "bool", "true"),
        ("inputs.text != null ? inputs.text : 'none'", "string", "\"x\""),
        ("!(inputs.text == null) ? lower(inputs.text) : ''", "string", "\"x\""),
        ("steps.load.error != null ? steps.load.error.message : 'fine'", "string", "\"fine\""),
        ("steps.load.error?.message != null && steps.load.error.message == ''", "bool", "false"),
        ("steps.load.error?.message", "string?", "null"),
        ("item.name ?? 'anonymous'", "string", "\"anonymous\""),
        ("inputs.table != null ? inputs.table.rows : -1", "int", "-1"),
        ("steps.load.outputs.table in [null]", "bool", "false"),
        ("inputs.maybe == 5 && inputs.maybe > 3 || !(inputs.maybe != 5)", "bool", "false"),
        ("inputs.n > 9 ? 'big' : inputs.n > 3 ? 'middle' : 'small'", "string", "\"middle\""),
        ("inputs.list[0] + item.id", "int", "10"),
        ("inputs.map.a ?? 0", "int", "1"),
        ("inputs.map['zz']", "int?", "null"),
        ("inputs['n']", "int", "5"),
        ("2 in inputs.list && 'a' in inputs.map", "bool", "true"),
        ("inputs.open.k[1] == 'two'", "bool", "true"),
        ("inputs.open.none.deeper", "any", "expr.null"),
        ("steps.load.outputs.table.rows", "int", "0"),
        ("steps.load.outputs.table.columns", "list<string>", "[\"carrier\"]"),
        ("success() && !failure() || failed('load')", "bool", "true"),
        ("inputs.day + duration('2d')", "date", "\"2024-03-02\""),
        ("inputs.day - date('2024-01-01')", "duration", "\"PT5097600S\""),
        ("seconds(duration('1h') / 2)", "float", "1800.0"),
        ("duration('1h') / duration('30m')", "float", "2.0"),
        ("timestamp('2024-02-29T12:00:00+07:00') + duration('90s')", "timestamp", "\"2024-02-29T05:01:30Z\""),
        ("today()", "date", "\"2024-03-01\""),
        ("format_date(now(), '%H:%M', 'Asia/Ho_Chi_Minh')", "string", "\"07:00\""),
        ("in_timezone(now(), 'America/New_York')", "string", "\"2024-02-29T19:00:00-05:00\""),
        ("parse_date('29.02.2024', '%d.%m.%Y') == inputs.day", "bool", "true"),
        ("[year(inputs.day), month(inputs.day), day(inputs.day), weekday(inputs.day)]", "list<int>", "[2024,2,29,4]"),
        ("add_days(inputs.day, -1) < inputs.day", "bool", "true"),
        ("add_months(date('2024-01-31'), 1)", "date", "\"2024-02-29\""),
        ("length(inputs.s) + length(inputs.list)", "int", "8"),
        ("contains(inputs.s, 'éll') && contains(inputs.list, 2) && contains(inputs.map, 'a')", "bool", "true"),
        ("startsWith(inputs.s, 'H') && endsWith(inputs.s, 'o')", "bool", "true"),
        ("format('{0} {{{1}}} {0}', 'a', 2)", "string", "\"a {2} a\""),
        ("join(sort(inputs.list), '-') + join([1.5, true])", "string", "\"1-2-31.5,true\""),
        ("split('a,b,', ',')", "list<string>", r#"["a","b",""]"#),
        ("upper(trim(' é ')) + lower('Ä') + replace('aXbX', 'X', '--')", "string", "\"Éäa--b--\""),
        ("substring('Héllo', 1, 3) + substring('abc', 9)", "string", "\"él\""),
        (r"matches('abc123', r'^[a-z]+\d+$') && matches('ABC', '(?i)b')", "bool", "true"),
        ("[int('42'), int(2.9), int(true), round(2.5), floor(-0.5), ceil(0.2)]", "list<int>", "[42,2,1,3,-1,1]"),
        ("round(3.14159, 2) + float('1')", "float", "4.140000000000001"),
        ("bool('true')", "bool", "true"),
        ("string(1.0) + string(null) + string([1, 'a'])", "string", "\"1.0null[1,\\\"a\\\"]\""),
        ("[first(inputs.list), last(inputs.list), min(inputs.list), max(4, 9)]", "list<int?>", "[3,2,1,9]"),
        ("sum(inputs.list) + sum([])", "any", "6"),
        ("unique([1, 1.0, 2, 1])", "list<float>", "[1,2]"),
        ("flatten([[1], [2, 3]]) + slice([1, 2, 3], 1) + reverse([1, 2])", "list<int>", "[1,2,3,2,3,2,1]"),
        ("range(2, 5)", "list<int>", "[2,3,4]"),
        ("keys(merge({a: 1}, {b: 2}))", "list<string>", r#"["a","b"]"#),
        ("get(inputs.map, 'zz', 9) + get(inputs.list, 1, 0)", "int", "10"),
        ("fromJSON('{\"a\": [1, 2.5, null]}').a", "any", "[1,2.5,null]"),
        ("toJSON({a: inputs.day})", "string", r#""{\"a\":\"2024-02-29\"}""#),
        ("sha256('a')", "string", "\"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\""),
        ("md5('a')", "string", "\"0cc175b9c0f1b6a831c399e269772661\""),
        ("length(blake3('a'))", "int", "64"),
        ("string(base64_decode(base64('hé')))", "string", "\"hé\""),
        ("repeat('ab', 2)", "string", "\"abab\""),
        ("1 / 0", "int", "expr.division_by_zero"),
        ("9223372036854775807 + 1", "int", "expr.overflow"),
        ("1e308 * 10", "float", "expr.overflow"),
        ("inputs.list[3]", "int", "expr.index"),
        ("inputs.list[-1]", "int", "expr.index"),
        ("inputs.wrong > 3", "bool", "expr.type"),
        ("inputs.wrong && true", "bool", "expr.type"),
        ("date(inputs.s)", "date", "expr.date"),
        ("inputs.day + duration('1h')", "date", "expr.date"),
        ("fromJSON(inputs.s)", "any", "expr.json"),
        ("int(inputs.s)", "int", "expr.argument"),
        ("repeat('ab', 99999999)", "string", "expr.too_large"),
        ("repeat(repeat('a', 9999999) + 'b', 2)", "string", "expr.too_large"),
        ("range(0, 2000000)", "list<int>", "expr.too_large"),
        ("matches('a', inputs.s + '(')", "bool", "expr.argument"),
        ("sort([1, null])", "list<int?>", "expr.type"),
    ] {
        if text.starts_with("sort([1, null") {
            assert_eq!(first_problem(text).0, "E0011");
            continue;
        }
        assert_eq!(run(text), (ty.to_owned(), value.to_owned()), "{text}");
    }
}

#[test]
fn mistakes_are_placed_and_mended() {
    for (text, code, marked, instead) in [
        ("", "E0001", "", None),
        ("inputs.n >", "E0001", "", None),
        ("inputs.n inputs.f", "E0001", "inputs", None),
        ("1 < 2 < 3", "E0001", "<", None),
        ("(1", "E0001", "", None),
        ("[1 2]", "E0001", "2", None),
        ("{a: 1, a: 2}", "E0001", "a", None),
        ("inputs.s.startsWith('a')", "E0001", "startsWith", None),
        ("'open", "E0004", "'open", None),
        ("10m", "E0004", "10m", Some("duration('10m')")),
        ("9223372036854775808", "E0004", "9223372036854775808", None),
        ("inputs.b and true", "E0005", "and", Some("&&")),
        ("not inputs.b", "E0005", "not", Some("!")),
        ("inputs.n = 5", "E0005", "=", Some("==")),
        ("inputs.s | upper", "E0005", "|", None),
        ("None", "E0005", "None", Some("null")),
        ("params.n", "E0005", "params", Some("inputs")),
        ("inptus.n", "E0006", "inptus", Some("inputs")),
        ("inputs.s == fast", "E0006", "fast", None),
        ("length", "E0006", "length", None),
        ("inputs", "E0007", "inputs", None),
        ("inputs[inputs.s]", "E0007", "inputs", None),
        ("steps.load", "E0007", "steps.load", None),
        ("steps.load.table", "E0007", "table", Some("outputs.table")),
        ("steps.load.output.table", "E0007", "output", Some("outputs")),
        ("steps.load.conclusion", "E0007", "conclusion", Some("status")),
        ("inputs.Name", "E0007", "Name", Some("name")),
        ("run.interval", "E0007", "run.interval", None),
        ("run.atempt", "E0007", "atempt", Some("attempt")),
        ("steps.my-load.outputs.table", "E0008", "my-load", Some("my_load")),
        ("inputs.my-name", "E0008", "name", None),
        ("lenght(inputs.s)", "E0009", "lenght", Some("length")),
        ("to_json(inputs.s)", "E0009", "to_json", Some("toJSON")),
        ("lower()", "E0010", "lower()", None),
        ("lower(5)", "E0011", "5", None),
        ("contains(inputs.list, 'a')", "E0011", "'a'", None),
        ("matches('a', '(')", "E0011", "'('", None),
        ("date('2023-02-29')", "E0011", "'2023-02-29'", None),
        ("duration('10')", "E0011", "'10'", None),
        ("format('{1}', 'a')", "E0011", "'{1}'", None),
        ("format_date(inputs.day, '%Q')", "E0011", "'%Q'", None),
        ("today('Mars')", "E0011", "'Mars'", None),
        ("inputs.n + inputs.s", "E0012", "inputs.n + inputs.s", None),
        ("inputs.n == inputs.s", "E0012", "inputs.n == inputs.s", None),
        ("inputs.day > '2024-01-01'", "E0012", "inputs.day > '2024-01-01'", None),
        ("inputs.b < true", "E0012", "inputs.b < true", None),
        ("'a' in inputs.s", "E0012", "'a' in inputs.s", None),
        ("inputs.maybe + 1", "E0013", "inputs.maybe", None),
        ("lower(inputs.text)", "E0013", "inputs.text", None),
        ("steps.load.error.message", "E0013", "steps.load.error", None),
        ("inputs.maybe != null || inputs.maybe > 3", "E0013", "inputs.maybe", None),
        ("inputs.n && true", "E0014", "inputs.n", None),
        ("inputs.s ? 1 : 2", "E0014", "inputs.s", None),
        ("item.idd", "E0015", "idd", Some("id")),
        ("inputs.list.length", "E0015", "length", None),
        ("steps.load.outputs.table.row", "E0015", "row", Some("rows")),
        ("inputs.n ?? 3", "E0018", "inputs.n", None),
        ("inputs.n == null", "E0018", "inputs.n == null", None),
        ("inputs.b ? 1 : 'a'", "E0019", "'a'", None),
        ("inputs.nn + 1", "E0020", "nn", Some("n")),
        ("steps.t.outputs.ta", "E0020", "ta", None),
        ("if inputs.b", "E0005", "if", None),
        ("1 + ${{ inputs.n }}", "E0004", "$", None),
        ("failed('laod')", "E0020", "failed('laod')", None),
    ] {
        let found = first_problem(text);
        let expected = (code.to_owned(), marked.to_owned(), instead.map(str::to_owned));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn several_mistakes_are_told_together() {
    let text = "inptus.a + lenght('x') + steps.a.b";
    let problems = Expr::parse(text, &TextMap::verbatim(0)).expect_err("problems");
    let codes: Vec<Code> = problems.iter().map(|p| p.code).collect();
    assert_eq!(codes, [Code::UnknownName, Code::UnknownFunction, Code::BadReference]);
}

#[test]
fn status_functions_belong_in_conditions() {
    let world = World { status: false, ..World::new() };
    let problems = parse("always() ? 1 : 2").check(&world).diagnostics;
    assert_eq!(problems[0].code, Code::StatusOutsideCondition);
    assert_eq!(parse("failed('load') || failure()").status_calls().len(), 2);
}

#[test]
fn a_condition_is_a_bool() {
    let world = World::new();
    assert!(!parse("inputs.n > 1").check_as(&world, &Type::Bool).has_errors());
    let problem = parse("inputs.n").check_as(&world, &Type::Bool).diagnostics.remove(0);
    assert_eq!((problem.code, problem.message.as_str()), (Code::WrongType, "a bool is needed, found int"));
    assert!(
        parse("inputs.text")
            .check(&world)
            .expect(&Type::String, Span::new(0, 1))
            .is_some_and(|p| p.code == Code::MayBeNull)
    );
}

#[test]
fn references_come_in_order_with_places() {
    let text = "steps.load.outputs.table.rows + inputs.n";
    let expr = parse(text);
    let names: Vec<String> = expr.references().iter().map(|r| r.root.to_string()).collect();
    assert_eq!(names, ["steps.load.outputs.table", "inputs.n"]);
    assert_eq!(expr.references()[1].span, Span::new(32, 40));
    assert_eq!(
        expr.references()[0].root,
        Root::Step {
            step: Name::new("load").expect("a name"),
            part: Part::Output(Name::new("table").expect("a name"))
        }
    );
}

#[test]
fn labels_follow_what_was_looked_at() {
    let world = World::new();
    let secret = |text: &str| parse(text).eval(&world).expect(text).labels.secrets.len();
    assert_eq!(secret("'a' + secrets.KEY"), 1);
    assert_eq!(secret("length(secrets.KEY) > 2 ? 'long' : 'short'"), 1);
    assert_eq!(secret("inputs.b || secrets.KEY == ''"), 0, "never looked at");
    let text = Template::parse("x ${{ inputs.n }} ${{ secrets.KEY }}", &TextMap::verbatim(0), Span::default());
    let found = text.expect("parses").eval(&world).expect("evaluates");
    assert_eq!((found.value.as_str(), found.labels.secrets.len()), (Some("x 5 hush"), 1));
}

#[test]
fn a_fault_names_the_place_and_the_types_and_no_value() {
    let world = World::new();
    let fault = parse("1 + int(secrets.KEY)").eval(&world).expect_err("a fault");
    assert!(!fault.message.contains("hush"), "{}", fault.message);
    let fault = parse("2 * (inputs.wrong - 1)").eval(&world).expect_err("a fault");
    assert_eq!(fault.message, "`inputs.wrong - 1`: there is no operation for string - int");
    let fault = parse("lower(inputs.open)").eval(&world).expect_err("a fault");
    assert_eq!(fault.message, "`lower(inputs.open)`: there is no operation for lower(map)");
    assert!(fault.help.is_some_and(|help| help.contains("lower(text: string) -> string")));
}

#[test]
fn templates() {
    let world = World::new();
    let eval = |text: &str| {
        let template = Template::parse(text, &TextMap::verbatim(0), Span::default()).expect(text);
        assert!(!template.check(&world).has_errors(), "{text}");
        crate::data::plain(&template.eval(&world).expect(text).value).to_string()
    };
    for (text, value) in [
        ("plain", "\"plain\""),
        ("${{ inputs.n }}", "5"),
        (" ${{ inputs.n }}", "\" 5\""),
        ("${{ inputs.n }}${{ inputs.f }}", "\"52.5\""),
        ("a ${{ '}}' }} b", "\"a }} b\""),
        ("${{ {a: {b: 1}} }}", r#"{"a":{"b":1}}"#),
        ("${{ {a: {b: 1}}}}", r#"{"a":{"b":1}}"#),
        ("$${{ inputs.n }}", "\"${{ inputs.n }}\""),
        ("$${{ ${{ inputs.n }}", "\"${{ 5\""),
        ("${ { }} $ {{", "\"${ { }} $ {{\""),
        ("day ${{ inputs.day }} list ${{ inputs.list }}", "\"day 2024-02-29 list [3,1,2]\""),
    ] {
        assert_eq!(eval(text), value, "{text}");
    }
    let problems = |text: &str| match Template::parse(text, &TextMap::verbatim(10), Span::default()) {
        Ok(template) => template.check(&world).diagnostics,
        Err(problems) => problems,
    };
    for (text, code, span) in [
        ("ab ${{ inputs.n", Code::ExprUnclosed, (13, 16)),
        ("ab ${{ inputs.n }", Code::ExprUnclosed, (13, 16)),
        ("ab ${{ 'x }} c", Code::ExprLiteral, (17, 20)),
        ("ab ${{ {a: 1 }} c", Code::ExprSyntax, (22, 22)),
        ("ab ${{ }}", Code::ExprSyntax, (16, 17)),
        ("ab ${{ inputs.maybe }}", Code::MayBeNull, (17, 29)),
        ("ab ${{ steps.load.outputs.table }}", Code::NotText, (17, 41)),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!((found[0].code, found[0].primary.span), (code, Span::new(span.0, span.1)), "{text}");
    }
    assert_eq!(problems("${{ a }} and ${{ b }}").len(), 2);
    let null = Template::parse("x ${{ inputs.open.none }}", &TextMap::verbatim(0), Span::default()).expect("parses");
    assert_eq!(null.eval(&world).expect_err("a fault").code.as_str(), "expr.null");
}

#[test]
fn a_condition_may_be_bare_or_wrapped() {
    let world = World::new();
    for text in ["inputs.n > 3", "${{ inputs.n > 3 }}", "  ${{inputs.n > 3}}\n"] {
        let expr = Expr::parse_bare(text, &TextMap::verbatim(0)).expect(text);
        assert_eq!(expr.source(), "inputs.n > 3");
        assert_eq!(expr.span().start as usize, text.find('i').expect("inputs"), "{text}");
        assert!(matches!(expr.eval(&world).expect(text).value, Value::Bool(true)));
    }
    for text in ["${{ inputs.b }} == true", "${{ inputs.b }} && ${{ inputs.b }}", "${{ inputs.b"] {
        assert_eq!(
            Expr::parse_bare(text, &TextMap::verbatim(0)).expect_err(text)[0].code,
            Code::ExprUnclosed,
            "{text}"
        );
    }
}

#[test]
fn literals_collapse() {
    let span = Span::default();
    let literal = |v: i64| Template::literal_value(span, Value::Int(v));
    let list = Template::list(span, vec![literal(1), Template::map(span, vec![("a".into(), literal(2))])]);
    assert_eq!(list.literal().map(|v| crate::data::plain(v).to_string()), Some(r#"[1,{"a":2}]"#.to_owned()));
    let open = Template::parse("${{ inputs.n }}", &TextMap::verbatim(0), span).expect("parses");
    let map = Template::map(span, vec![("a".into(), open), ("b".into(), literal(2))]);
    assert!(map.literal().is_none());
    assert_eq!(map.references().len(), 1);
    assert_eq!(map.check(&World::new()).ty.to_string(), "object{a: int, b: int}");
    assert!(map.check_as(&World::new(), &Type::parse("object{a: string}").expect("a type")).has_errors());
}

#[test]
fn long_and_deep_texts_end_soon() {
    let world = World::new();
    let started = Instant::now();
    for one in [
        "1",
        "'a'",
        "[1]",
        "inputs.b && ",
        "inputs.maybe ?? ",
        "-",
        "!",
        "(",
        "[",
        "{a:",
        "inputs.open.a",
        "1 ? ",
        "f(",
    ] {
        for joiner in ["+", "", ".a", "[0]", " ? 1 : ", "&&", "??", " == "] {
            let text = format!("{one}{joiner}").repeat(64 * 1024 / (one.len() + joiner.len()));
            let text = text.strip_suffix(joiner).unwrap_or(&text);
            if let Ok(expr) = Expr::parse(text, &TextMap::verbatim(0)) {
                let _ = (expr.check(&world), expr.eval(&world));
            }
        }
    }
    let chain = vec!["inputs.s"; 5500].join(" + ");
    assert_eq!(parse(&chain).eval(&world).expect("text").value.as_str().map(str::len), Some(33_000));
    let facts = vec!["inputs.maybe != null"; 2700].join(" && ");
    assert!(!parse(&facts).check(&world).has_errors());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    let patterns = vec!["matches(inputs.s, 'a{9}')"; 40].join(" || ");
    for text in [patterns, "(".repeat(65) + "1" + &")".repeat(65), "!".repeat(70) + "true", "1+".repeat(40_000) + "1"] {
        assert_eq!(Expr::parse(&text, &TextMap::verbatim(0)).expect_err("too large")[0].code, Code::ExprTooLarge);
    }
    assert!(Expr::parse(&("(".repeat(60) + "1" + &")".repeat(60)), &TextMap::verbatim(0)).is_ok());
}

#[test]
fn the_deepest_expression_fits_a_small_stack() {
    let deep = |open: &str, inner: &str, close: &str| open.repeat(60) + inner + &close.repeat(60);
    let texts = vec![
        deep("(1 + 2 * ", "3", ")"),
        deep("[", "1", "]"),
        deep("{a: ", "1", "}"),
        deep("!", "true", ""),
        deep("inputs.b ? 1 : (", "1", ")"),
        deep("max(1 + ", "1", ", 2)"),
        deep("toJSON(", "1", ")"),
        deep("(inputs.b || inputs.maybe ?? 1 < 2 * -", "1", ")"),
        deep("inputs.list[", "0", "]"),
    ];
    let work = move || {
        let world = World::new();
        for text in texts {
            if let Ok(expr) = Expr::parse(&text, &TextMap::verbatim(0)) {
                let _ = (expr.check(&world), expr.eval(&world));
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(work).expect("a thread");
    thread.join().expect("no overflow");
}

#[test]
fn what_an_evaluation_makes_is_bounded() {
    for text in [
        vec!["length(repeat('a', 16000000))"; 1500].join(" + "),
        vec!["length(range(1000000))"; 2000].join(" + "),
        vec!["length(split(repeat('a,', 1000000), ','))"; 1000].join(" + "),
        format!("length(flatten([{}]))", vec!["inputs.big"; 5000].join(", ")),
        format!("length({})", vec!["inputs.big"; 5000].join(" + ")),
        format!("length(toJSON([{}]))", vec!["inputs.big"; 5000].join(", ")),
    ] {
        let mut world = World::new();
        world.set("inputs.big", "list<int>", Value::list((0..100_000).map(Value::Int)));
        let fault = parse(&text).eval(&world).expect_err("too large");
        assert_eq!(fault.code.as_str(), "expr.too_large", "{}", &text[..40]);
    }
}

#[test]
fn warnings_do_not_stop() {
    let checked = parse("inputs.n ?? 3").check(&World::new());
    assert_eq!((checked.ty, checked.diagnostics[0].severity), (Type::Int, Severity::Warning));
}

#[test]
fn parsing_is_quick() {
    let text = "steps.load.outputs.table.rows > 3";
    let map = TextMap::verbatim(0);
    let started = Instant::now();
    for _ in 0..2_000 {
        parse(text);
    }
    let each = started.elapsed() / 2_000;
    println_time("parse", each);
    let (world, expr) = (World::new(), Expr::parse(text, &map).expect("parses"));
    let started = Instant::now();
    for _ in 0..2_000 {
        let _ = expr.eval(&world);
    }
    println_time("eval", started.elapsed() / 2_000);
    // Loose, for a busy machine and a lightly optimised build.
    assert!(each.as_micros() < 500, "{each:?}");
}

#[allow(clippy::print_stderr)]
fn println_time(what: &str, each: std::time::Duration) {
    eprintln!("{what}: {each:?}");
}
