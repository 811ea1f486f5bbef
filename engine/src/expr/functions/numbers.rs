use super::{Answer, Entry, Problem, Work, because};
use crate::{data::Value, expr::ops};

const G: &str = "numbers";

pub(super) const TABLE: &[Entry] = &[
    Entry::pure(
        "int",
        G,
        &["(value: int) -> int", "(value: float) -> int", "(value: string) -> int", "(value: bool) -> int"],
        "the value as an int; a float loses its fraction, a text must be a whole number",
        int,
    ),
    Entry::pure("float", G, &["(value: float) -> float", "(value: string) -> float"], "the value as a float", float),
    Entry::pure(
        "bool",
        G,
        &["(value: bool) -> bool", "(value: string) -> bool"],
        "the value as a bool; a text must be true or false",
        boolean,
    ),
    Entry::pure("abs", G, &["(value: N) -> N"], "the number without its sign", abs),
    Entry::pure("floor", G, &["(value: float) -> int"], "the greatest int that is not greater", floor),
    Entry::pure("ceil", G, &["(value: float) -> int"], "the least int that is not less", ceil),
    Entry::pure(
        "round",
        G,
        &["(value: float) -> int", "(value: float, digits: int) -> float"],
        "the nearest int, or the nearest with so many decimal digits; halves away from zero",
        round,
    ),
];

/// A float without a fraction as an int, if it is in range.
fn whole(f: f64) -> Answer {
    // 2^63 is exact as a float; the range below it is what an i64 holds.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f) {
        return Ok(Value::Int(f as i64));
    }
    Err(because("expr.overflow", format!("{f} cannot be an int")))
}

fn int(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::Int(_)] => Ok(args[0].clone()),
        [Value::Bool(b)] => Ok(Value::Int(i64::from(*b))),
        [Value::Float(f)] => whole(f.trunc()),
        [Value::String(text)] => text
            .trim()
            .parse()
            .map(Value::Int)
            .map_err(|_| because("expr.argument", "the text is not a whole number of 64 bits")),
        _ => Err(Problem::Types),
    }
}

fn float(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::Int(i)] => Ok(Value::Float(*i as f64)),
        [Value::Float(_)] => Ok(args[0].clone()),
        [Value::String(text)] => match text.trim().parse::<f64>() {
            Ok(f) if f.is_finite() => Ok(Value::Float(f)),
            _ => Err(because("expr.argument", "the text is not a number")),
        },
        _ => Err(Problem::Types),
    }
}

fn boolean(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::Bool(_)] => Ok(args[0].clone()),
        [Value::String(text)] => match text.trim() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(because("expr.argument", "the text is neither true nor false")),
        },
        _ => Err(Problem::Types),
    }
}

fn abs(_: &mut Work<'_>, args: &[Value]) -> Answer {
    match args {
        [Value::Int(i)] if *i < 0 => ops::minus(&args[0]),
        [Value::Int(_)] => Ok(args[0].clone()),
        [Value::Float(f)] => Ok(Value::Float(f.abs())),
        _ => Err(Problem::Types),
    }
}

fn rounded(args: &[Value], how: fn(f64) -> f64) -> Answer {
    match args {
        [Value::Int(_)] => Ok(args[0].clone()),
        [Value::Float(f)] => whole(how(*f)),
        _ => Err(Problem::Types),
    }
}

fn floor(_: &mut Work<'_>, args: &[Value]) -> Answer {
    rounded(args, f64::floor)
}

fn ceil(_: &mut Work<'_>, args: &[Value]) -> Answer {
    rounded(args, f64::ceil)
}

fn round(_: &mut Work<'_>, args: &[Value]) -> Answer {
    let (value, digits) = match args {
        [_] => return rounded(args, f64::round),
        [Value::Int(i), Value::Int(digits)] => (*i as f64, *digits),
        [Value::Float(f), Value::Int(digits)] => (*f, *digits),
        _ => return Err(Problem::Types),
    };
    let Some(digits) = i32::try_from(digits).ok().filter(|d| (0..=15).contains(d)) else {
        return Err(because("expr.argument", "the number of digits is from 0 to 15"));
    };
    let scale = 10_f64.powi(digits);
    let scaled = (value * scale).round() / scale;
    // A value so large that scaling overflows has no decimal digits to round.
    Ok(Value::Float(if scaled.is_finite() { scaled } else { value }))
}
