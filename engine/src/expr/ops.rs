//! What operators do to values, and beside it what they do to types: the two must agree.
// The tables below read as tables only without a path at every name.
#![allow(clippy::enum_glob_use)]

use std::{cmp::Ordering, sync::Arc};

use chrono::TimeDelta;

use super::{
    ast::Arithmetic,
    functions::{Problem, because},
};
use crate::data::{Type, Value};

/// The type of `a op b`, or `None` if there is no such operation. Neither may be optional.
pub(super) fn arithmetic_type(op: Arithmetic, a: &Type, b: &Type) -> Option<Type> {
    use Arithmetic::*;
    use Type::*;
    Some(match (op, a, b) {
        (_, Any, Any) => Any,
        (Rem, Any, Int | Float) | (Rem, Int | Float, Any) => Any,
        (_, Int, Int) => Int,
        (_, Int | Float, Int | Float) => Float,
        (Add, String, String | Any) | (Add, Any, String) => String,
        (Add, List(a), List(b)) => Type::list(a.join(b)),
        (Add, List(_), Any) | (Add, Any, List(_)) => Type::list(Any),
        (Add | Sub, Date, Duration) | (Add, Duration, Date) => Date,
        (Add | Sub, Timestamp, Duration) | (Add, Duration, Timestamp) => Timestamp,
        (Add | Sub, Duration, Duration) => Duration,
        (Sub, Date, Date) | (Sub, Timestamp, Timestamp) => Duration,
        (Mul, Duration, Int | Float | Any) | (Mul, Int | Float, Duration) | (Div, Duration, Int | Float) => Duration,
        (Div, Duration, Duration) => Float,
        (Add | Sub | Mul | Div, Any, Int | Float | Duration | Date | Timestamp) => Any,
        (Add | Sub | Mul | Div, Int | Float | Duration | Date | Timestamp, Any) => Any,
        _ => return None,
    })
}

/// `a op b`. Text and lists are joined by the caller, which keeps them growing.
pub(super) fn arithmetic(op: Arithmetic, a: &Value, b: &Value) -> Result<Value, Problem> {
    use Arithmetic::*;
    use Value::*;
    let overflow = || because("expr.overflow", format!("the result is too large for {}", kinds(op, a, b)));
    Ok(match (op, a, b) {
        (_, Int(a), Int(b)) => {
            if matches!(op, Div | Rem) && *b == 0 {
                return Err(because(
                    "expr.division_by_zero",
                    format!("division by zero ({})", kinds(op, &Int(*a), &Int(0))),
                ));
            }
            let result = match op {
                Add => a.checked_add(*b),
                Sub => a.checked_sub(*b),
                Mul => a.checked_mul(*b),
                Div => a.checked_div(*b),
                Rem => a.checked_rem(*b),
            };
            Int(result.ok_or_else(overflow)?)
        }
        (_, Int(_) | Float(_), Int(_) | Float(_)) => {
            let (x, y) = (float(a), float(b));
            if matches!(op, Div | Rem) && y == 0.0 {
                return Err(because("expr.division_by_zero", format!("division by zero ({})", kinds(op, a, b))));
            }
            let result = match op {
                Add => x + y,
                Sub => x - y,
                Mul => x * y,
                Div => x / y,
                Rem => x % y,
            };
            if result.is_infinite() && x.is_finite() && y.is_finite() {
                return Err(overflow());
            }
            Float(result)
        }
        (Add, Date(d), Duration(t)) | (Add, Duration(t), Date(d)) => Date(shift_days(*d, *t, overflow)?),
        (Sub, Date(d), Duration(t)) => Date(shift_days(*d, negated(*t).ok_or_else(overflow)?, overflow)?),
        (Add, Timestamp(at), Duration(t)) | (Add, Duration(t), Timestamp(at)) => {
            Timestamp(at.checked_add_signed(*t).ok_or_else(overflow)?)
        }
        (Sub, Timestamp(at), Duration(t)) => Timestamp(at.checked_sub_signed(*t).ok_or_else(overflow)?),
        (Add, Duration(a), Duration(b)) => length(a.checked_add(b)).ok_or_else(overflow)?,
        (Sub, Duration(a), Duration(b)) => length(a.checked_sub(b)).ok_or_else(overflow)?,
        (Sub, Date(a), Date(b)) => length(Some(a.signed_duration_since(*b))).ok_or_else(overflow)?,
        (Sub, Timestamp(a), Timestamp(b)) => length(Some(a.signed_duration_since(*b))).ok_or_else(overflow)?,
        (Mul, Duration(t), n @ (Int(_) | Float(_))) | (Mul, n @ (Int(_) | Float(_)), Duration(t)) => {
            Duration(scale(*t, n).ok_or_else(overflow)?)
        }
        (Div, Duration(t), Int(n)) => {
            if *n == 0 {
                return Err(because("expr.division_by_zero", "division of a duration by zero"));
            }
            let micros = t.num_microseconds().and_then(|m| m.checked_div(*n)).ok_or_else(overflow)?;
            Duration(TimeDelta::microseconds(micros))
        }
        (Div, Duration(t), Float(n)) => {
            if *n == 0.0 {
                return Err(because("expr.division_by_zero", "division of a duration by zero"));
            }
            Duration(scale(*t, &Float(1.0 / n)).ok_or_else(overflow)?)
        }
        (Div, Duration(a), Duration(b)) => {
            if b.is_zero() {
                return Err(because("expr.division_by_zero", "division by a duration of zero"));
            }
            Float(seconds(*a) / seconds(*b))
        }
        _ => return Err(Problem::Types),
    })
}

fn kinds(op: Arithmetic, a: &Value, b: &Value) -> String {
    format!("{} {op} {}", kind(a), kind(b))
}

/// A length of time, if it can be recorded: in microseconds, as 64 bits.
fn length(t: Option<TimeDelta>) -> Option<Value> {
    t.filter(|t| t.num_microseconds().is_some()).map(Value::Duration)
}

fn negated(t: TimeDelta) -> Option<TimeDelta> {
    TimeDelta::zero().checked_sub(&t)
}

/// `-a`.
pub(super) fn minus(value: &Value) -> Result<Value, Problem> {
    match value {
        Value::Int(i) => i
            .checked_neg()
            .map(Value::Int)
            .ok_or_else(|| because("expr.overflow", "the result is too large for an int")),
        Value::Float(f) => Ok(Value::Float(-f)),
        Value::Duration(t) => {
            length(negated(*t)).ok_or_else(|| because("expr.overflow", "the result is too large for a duration"))
        }
        _ => Err(Problem::Types),
    }
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Int(i) => *i as f64,
        Value::Float(f) => *f,
        _ => f64::NAN,
    }
}

/// A duration in seconds, fractions included.
pub(super) fn seconds(t: TimeDelta) -> f64 {
    t.num_seconds() as f64 + f64::from(t.subsec_nanos()) / 1e9
}

fn scale(t: TimeDelta, by: &Value) -> Option<TimeDelta> {
    let micros = t.num_microseconds()?;
    let scaled = match by {
        Value::Int(n) => micros.checked_mul(*n)?,
        _ => {
            let scaled = (micros as f64 * float(by)).round();
            // Beyond 2^63 a float cannot be an i64; NaN fails the comparison too.
            if scaled.abs() < 9.2e18 { scaled as i64 } else { return None }
        }
    };
    Some(TimeDelta::microseconds(scaled))
}

fn shift_days(
    d: chrono::NaiveDate,
    t: TimeDelta,
    overflow: impl Fn() -> Problem,
) -> Result<chrono::NaiveDate, Problem> {
    if TimeDelta::days(t.num_days()) != t {
        return Err(because(
            "expr.date",
            format!("{t} is not a whole number of days, which a date needs; use timestamp(..) for times of day"),
        ));
    }
    d.checked_add_signed(t).ok_or_else(overflow)
}

/// The name of a value's type, without what is inside.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::String(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::Date(_) => "date",
        Value::Timestamp(_) => "timestamp",
        Value::Duration(_) => "duration",
        Value::List(_) => "list",
        Value::Map(_) => "map",
        Value::Table(_) => "table",
        Value::File(_) => "file",
    }
}

/// Whether values of these types may be compared with `==`.
pub(super) fn equatable(a: &Type, b: &Type) -> bool {
    use Type::*;
    match (a.required(), b.required()) {
        (Any | Null, _) | (_, Any | Null) => true,
        (Table(_), _) | (_, Table(_)) => false,
        (Int | Float, Int | Float) => true,
        (List(a), List(b)) | (Map(a), Map(b)) => equatable(a, b),
        (Object(_) | Map(_), Object(_) | Map(_)) => true,
        (a, b) => a == b,
    }
}

/// Whether values of this type have an order.
pub(super) fn orderable(ty: &Type) -> bool {
    use Type::*;
    matches!(ty, Any | Int | Float | String | Date | Timestamp | Duration)
}

/// Whether two values are equal; `None` if they have different types. Null equals only null; inside lists
/// and maps, values of different types are simply not equal.
pub(super) fn equal(a: &Value, b: &Value) -> Option<bool> {
    use Value::*;
    Some(match (a, b) {
        (Null, Null) => true,
        (Null, _) | (_, Null) => false,
        (Table(_), _) | (_, Table(_)) => return None,
        (Bool(a), Bool(b)) => a == b,
        (Int(a), Int(b)) => a == b,
        (Int(_) | Float(_), Int(_) | Float(_)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (String(a), String(b)) => a == b,
        (Bytes(a), Bytes(b)) => a == b,
        (Date(a), Date(b)) => a == b,
        (Timestamp(a), Timestamp(b)) => a == b,
        (Duration(a), Duration(b)) => a == b,
        (File(a), File(b)) => a == b,
        (List(a), List(b)) => {
            Arc::ptr_eq(a, b) || (a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b) == Some(true)))
        }
        (Map(a), Map(b)) => {
            Arc::ptr_eq(a, b)
                || (a.len() == b.len()
                    && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b) == Some(true))))
        }
        _ => return None,
    })
}

fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Float(b)) => compare_int_float(*a, *b),
        (Value::Float(a), Value::Int(b)) => compare_int_float(*b, *a).map(Ordering::reverse),
        _ => None,
    }
}

/// Exact: an int is not rounded to a float first.
fn compare_int_float(a: i64, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        return None;
    }
    // 2^63 is a float exactly; every float below it and not below -2^63 has an int part that fits.
    if b >= 9_223_372_036_854_775_808.0 {
        return Some(Ordering::Less);
    }
    if b < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    let whole = b.trunc();
    Some(a.cmp(&(whole as i64)).then(if b > whole {
        Ordering::Less
    } else if b < whole {
        Ordering::Greater
    } else {
        Ordering::Equal
    }))
}

/// Two values have no order between them.
#[derive(Debug, PartialEq)]
pub(super) struct Unordered;

/// How two values are ordered; `None` if one of them is not a number (NaN).
pub(super) fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, Unordered> {
    use Value::*;
    Ok(match (a, b) {
        (Int(_) | Float(_), Int(_) | Float(_)) => compare_numbers(a, b),
        (String(a), String(b)) => Some(a.cmp(b)),
        (Date(a), Date(b)) => Some(a.cmp(b)),
        (Timestamp(a), Timestamp(b)) => Some(a.cmp(b)),
        (Duration(a), Duration(b)) => Some(a.cmp(b)),
        _ => return Err(Unordered),
    })
}

/// An order for sorting, where NaN comes last; `None` if the two cannot be ordered.
pub(super) fn total_order(a: &Value, b: &Value) -> Option<Ordering> {
    let nan = |v: &Value| matches!(v, Value::Float(f) if f.is_nan());
    order(a, b).ok().map(|known| known.unwrap_or_else(|| nan(a).cmp(&nan(b))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_and_floats_compare_exactly() {
        let big = (1_i64 << 53) + 1;
        assert_eq!(order(&Value::Int(big), &Value::Float((1_i64 << 53) as f64)), Ok(Some(Ordering::Greater)));
        assert_eq!(order(&Value::Int(i64::MAX), &Value::Float(i64::MAX as f64)), Ok(Some(Ordering::Less)));
        assert_eq!(order(&Value::Int(-1), &Value::Float(-1.5)), Ok(Some(Ordering::Greater)));
        assert_eq!(order(&Value::Int(0), &Value::Float(f64::NAN)), Ok(None));
        assert_eq!(equal(&Value::Int(1), &Value::Float(1.0)), Some(true));
        assert_eq!(equal(&Value::Int(1), &Value::from("1")), None);
    }

    #[test]
    fn every_operation_on_values_has_the_type_that_was_foretold() {
        let day = chrono::NaiveDate::from_ymd_opt(2024, 2, 29).expect("a day");
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(7),
            Value::Float(2.5),
            Value::from("x"),
            Value::Date(day),
            Value::Timestamp(day.and_time(chrono::NaiveTime::MIN).and_utc()),
            Value::Duration(TimeDelta::days(2)),
            Value::map([("a", Value::Int(1))]),
        ];
        use Arithmetic::*;
        for op in [Add, Sub, Mul, Div, Rem] {
            for a in &values {
                for b in &values {
                    // Joining text is the evaluator's part.
                    if op == Add && matches!((a, b), (Value::String(_), Value::String(_))) {
                        continue;
                    }
                    let foretold = arithmetic_type(op, &Type::of(a), &Type::of(b));
                    let done = arithmetic(op, a, b).ok().map(|v| Type::of(&v));
                    assert_eq!(done, foretold, "{a:?} {op} {b:?}");
                    let open = arithmetic_type(op, &Type::Any, &Type::of(b));
                    assert!(done.is_none() || open.is_some_and(|t| done.is_none_or(|d| d.fits(&t))), "any {op} {b:?}");
                    let open = arithmetic_type(op, &Type::of(a), &Type::Any);
                    let again = arithmetic(op, a, b).ok().map(|v| Type::of(&v));
                    assert!(
                        again.is_none() || open.is_some_and(|t| again.is_none_or(|d| d.fits(&t))),
                        "{a:?} {op} any"
                    );
                }
            }
        }
    }
}
