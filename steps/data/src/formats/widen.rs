use std::sync::Arc;

use arrow::datatypes::{DataType as D, Field, FieldRef, Fields, TimeUnit};

/// The type that holds every value of both, if there is one.
pub(super) fn widen(a: &D, b: &D) -> Option<D> {
    Some(match (a, b) {
        _ if a == b => a.clone(),
        (D::Null, other) | (other, D::Null) => other.clone(),
        (D::Dictionary(_, values), other) | (other, D::Dictionary(_, values)) => return widen(values, other),
        _ if a.is_integer() && b.is_integer() => return integer(a, b),
        _ if a.is_floating() && b.is_floating() => wider(a, b),
        _ if number(a) && number(b) => D::Float64,
        _ if a.is_string() && b.is_string() => either(a, b, D::LargeUtf8).unwrap_or(D::Utf8),
        _ if bytes(a) && bytes(b) => either(a, b, D::LargeBinary).unwrap_or(D::Binary),
        (D::Date32, D::Date64) | (D::Date64, D::Date32) => D::Date64,
        // The day begins in the zone, and only of this one it is known when.
        (D::Date32, D::Timestamp(unit, zone)) | (D::Timestamp(unit, zone), D::Date32) if is_utc(zone.as_deref()) => {
            D::Timestamp(*unit, zone.clone())
        }
        // A time with a zone is a moment; one without is not.
        (D::Timestamp(a, here), D::Timestamp(b, there)) if here.is_some() == there.is_some() => {
            let zone = if here == there { here.clone() } else { Some("UTC".into()) };
            D::Timestamp(finer(*a, *b), zone)
        }
        (D::Duration(a), D::Duration(b)) => D::Duration(finer(*a, *b)),
        (D::Decimal128(a, x), D::Decimal128(b, y)) => {
            let whole = (i16::from(*a) - i16::from(*x)).max(i16::from(*b) - i16::from(*y));
            let places = *x.max(y);
            let digits = u8::try_from(whole + i16::from(places)).ok().filter(|digits| *digits <= 38)?;
            D::Decimal128(digits, places)
        }
        (D::List(a), D::List(b)) => D::List(Arc::new(field(a, b)?)),
        (D::LargeList(a), D::LargeList(b)) => D::LargeList(Arc::new(field(a, b)?)),
        (D::Struct(a), D::Struct(b)) => D::Struct(objects(a, b)?),
        _ => return None,
    })
}

/// Whether the query engine's own conversion keeps every value, so that none has to be looked at.
pub(super) fn sure(from: &D, to: &D) -> bool {
    match (from, to) {
        _ if from == to => true,
        (D::Dictionary(_, values), _) => sure(values, to),
        _ if from.is_integer() && to.is_integer() => integer(from, to).as_ref() == Some(to),
        // Beyond 2^53 a float has not every whole number.
        _ if from.is_integer() && *to == D::Float64 => width(from) <= 4,
        _ if from.is_floating() && to.is_floating() => width(from) <= width(to),
        _ if from.is_string() => to.is_string(),
        _ => bytes(from) && bytes(to) && !matches!(to, D::FixedSizeBinary(_)),
    }
}

fn number(ty: &D) -> bool {
    ty.is_integer() || ty.is_floating()
}

fn bytes(ty: &D) -> bool {
    matches!(ty, D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_))
}

/// Bytes that a number takes.
fn width(ty: &D) -> usize {
    ty.primitive_width().unwrap_or(usize::MAX)
}

fn wider(a: &D, b: &D) -> D {
    if width(a) >= width(b) { a.clone() } else { b.clone() }
}

fn integer(a: &D, b: &D) -> Option<D> {
    if a.is_signed_integer() == b.is_signed_integer() {
        return Some(wider(a, b));
    }
    let (signed, unsigned) = if a.is_signed_integer() { (a, b) } else { (b, a) };
    match width(signed).max(width(unsigned).saturating_mul(2)) {
        2 => Some(D::Int16),
        4 => Some(D::Int32),
        8 => Some(D::Int64),
        _ => None,
    }
}

fn either(a: &D, b: &D, large: D) -> Option<D> {
    (*a == large || *b == large).then_some(large)
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    a.max(b)
}

fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "+00:00"))
}

fn field(a: &Field, b: &Field) -> Option<Field> {
    let ty = widen(a.data_type(), b.data_type())?;
    Some(Field::new(a.name(), ty, a.is_nullable() || b.is_nullable()))
}

/// The fields of both; one that either lacks may be null.
fn objects(a: &Fields, b: &Fields) -> Option<Fields> {
    let optional = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
    let find = |fields: &Fields, name: &str| fields.iter().find(|field| field.name() == name).cloned();
    let mut all = Vec::with_capacity(a.len().max(b.len()));
    for one in a {
        all.push(match find(b, one.name()) {
            Some(other) => Arc::new(field(one, &other)?),
            None => optional(one),
        });
    }
    all.extend(b.iter().filter(|other| find(a, other.name()).is_none()).map(optional));
    Some(all.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(unit: TimeUnit, zone: Option<&str>) -> D {
        D::Timestamp(unit, zone.map(Into::into))
    }

    #[test]
    fn types_widen_only_without_loss() {
        let (us, ns) = (TimeUnit::Microsecond, TimeUnit::Nanosecond);
        for (a, b, expected) in [
            (D::Int32, D::Int64, Some(D::Int64)),
            (D::UInt8, D::Int16, Some(D::Int16)),
            (D::UInt32, D::Int8, Some(D::Int64)),
            (D::UInt64, D::Int64, None),
            (D::Int64, D::Float64, Some(D::Float64)),
            (D::Int8, D::Float32, Some(D::Float64)),
            (D::Float32, D::Float64, Some(D::Float64)),
            (D::Null, D::Utf8, Some(D::Utf8)),
            (D::Utf8, D::LargeUtf8, Some(D::LargeUtf8)),
            (D::Utf8, D::Int64, None),
            (D::Boolean, D::Int64, None),
            (D::Date32, moment(us, None), Some(moment(us, None))),
            (D::Date32, moment(us, Some("Asia/Tokyo")), None),
            (moment(us, None), moment(ns, None), Some(moment(ns, None))),
            (moment(us, Some("UTC")), moment(us, Some("+02:00")), Some(moment(us, Some("UTC")))),
            (moment(us, None), moment(us, Some("UTC")), None),
            (D::Decimal128(5, 2), D::Decimal128(6, 1), Some(D::Decimal128(7, 2))),
            (D::Decimal128(38, 0), D::Decimal128(38, 10), None),
        ] {
            assert_eq!(widen(&a, &b), expected, "{a} and {b}");
            assert_eq!(widen(&b, &a), expected, "{b} and {a}");
        }
    }

    #[test]
    fn objects_and_lists_widen_by_their_fields() {
        let list = |ty| D::List(Arc::new(Field::new("item", ty, true)));
        let object = |fields: &[(&str, D)]| {
            D::Struct(fields.iter().map(|(name, ty)| Field::new(*name, ty.clone(), true)).collect())
        };
        assert_eq!(widen(&list(D::Int64), &list(D::Float64)), Some(list(D::Float64)));
        assert_eq!(
            widen(&object(&[("a", D::Int64)]), &object(&[("b", D::Utf8), ("a", D::Null)])),
            Some(object(&[("a", D::Int64), ("b", D::Utf8)]))
        );
        assert_eq!(widen(&object(&[("a", D::Int64)]), &object(&[("a", D::Utf8)])), None);
    }

    #[test]
    fn what_may_lose_a_value_is_not_sure() {
        for (from, to, expected) in [
            (D::Int32, D::Int64, true),
            (D::Int64, D::Int32, false),
            (D::UInt32, D::Int64, true),
            (D::UInt64, D::Int64, false),
            (D::Int32, D::Float64, true),
            (D::Int64, D::Float64, false),
            (D::Float64, D::Int64, false),
            (D::Float64, D::Float32, false),
            (D::LargeUtf8, D::Utf8, true),
            (D::Decimal128(5, 2), D::Int64, false),
            (D::Dictionary(Box::new(D::Int8), Box::new(D::Utf8)), D::Utf8, true),
        ] {
            assert_eq!(sure(&from, &to), expected, "{from} to {to}");
        }
    }
}
