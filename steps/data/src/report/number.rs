//! Numbers as people read them.

/// A number with thousands apart and no more digits than it needs: `336,776`, `6.9`, `0.00012`.
pub(super) fn shown(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let digits = match size {
        _ if size == 0.0 || size.fract() == 0.0 => 0,
        _ if size >= 1000.0 => 0,
        _ if size >= 100.0 => 1,
        _ if size >= 1.0 => 2,
        _ => (2.0 - size.log10().floor()).clamp(2.0, 8.0) as usize,
    };
    with_digits(value, digits)
}

/// Digits after the point that suit all of some numbers: those which the greatest of them needs.
pub(super) fn digits_of(values: impl Iterator<Item = f64>) -> usize {
    let mut most = 0.0_f64;
    let mut whole = true;
    for value in values.filter(|value| value.is_finite()) {
        most = most.max(value.abs());
        whole &= value.fract() == 0.0;
    }
    match most {
        _ if whole || most >= 1000.0 => 0,
        _ if most >= 10.0 => 1,
        _ if most >= 1.0 => 2,
        _ => (2.0 - most.log10().floor()).clamp(2.0, 8.0) as usize,
    }
}

/// A number with so many digits after the point, zeros at the end left out.
pub(super) fn with_digits(value: f64, digits: usize) -> String {
    let text = fixed(value, digits);
    match text.split_once('.') {
        Some((whole, fraction)) => {
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
        }
        None => text,
    }
}

/// A number with exactly so many digits after the point and thousands apart.
pub(super) fn fixed(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{value:.digits$}");
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) if rest.chars().any(|c| c.is_ascii_digit() && c != '0') => ("−", rest),
        Some(rest) => ("", rest),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_one_number_of_digits() {
        for (values, expected) in [
            (&[9.0, 4.78, -0.0658, 13.234][..], "9.0 4.8 −0.1 13.2"),
            (&[1.0, 2.0], "1 2"),
            (&[1500.0, 0.25], "1,500 0"),
            (&[0.5, 0.25], "0.500 0.250"),
            (&[f64::NAN, 1.5], "– 1.50"),
            (&[], ""),
        ] {
            let digits = digits_of(values.iter().copied());
            let shown: Vec<_> = values.iter().map(|value| fixed(*value, digits)).collect();
            assert_eq!(shown.join(" "), expected);
        }
    }

    #[test]
    fn numbers_have_the_digits_they_need() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (336_776.0, "336,776"),
            (6.895_377, "6.9"),
            (21.456, "21.46"),
            (-1234.5, "−1,234"),
            (0.000_123_4, "0.000123"),
            (999.0, "999"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }
}
