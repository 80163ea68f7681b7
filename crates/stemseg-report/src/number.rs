//! Numbers as people read them.

/// `value` to `digits` significant digits, without an exponent from a thousandth to a
/// million, and with a true minus: `0.0123`, `−1.20`, `35700`.
pub(super) fn significant(value: f64, digits: usize) -> String {
    minus(&rounded(value, digits))
}

/// Text with hyphens as the minus signs that they stand for.
pub(super) fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

fn rounded(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{}", value + 0.0);
    }
    // Rounded first: 9.996 has one more digit before the point than 9.99.
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    let power: i32 = rounded.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    if !(-4..6).contains(&power) {
        return rounded;
    }
    let decimals = usize::try_from(digits as i32 - 1 - power).unwrap_or(0);
    let rounded: f64 = rounded.parse().unwrap_or(value);
    format!("{rounded:.decimals$}")
}

/// `value` with its standard `error` in brackets, in units of the last digit: `12.902(3)`.
pub fn with_error(value: f64, error: f64) -> String {
    if !(error > 0.0 && error.is_finite() && value.is_finite()) {
        return significant(value, 6);
    }
    // One digit of the error, two where that would be a 1.
    let power = error.log10().floor();
    let leading = (error / 10_f64.powf(power)).round();
    let digits = if leading < 2.0 { power - 1.0 } else { power };
    let decimals = (-digits).clamp(0.0, 9.0);
    let own = (error * 10_f64.powf(decimals)).round().max(1.0);
    let decimals = decimals as usize;
    minus(&format!("{value:.decimals$}({own})"))
}

/// A count with thin spaces between thousands: `35 721`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage: `62.3 %`; one that rounds to nothing says so.
pub(super) fn percent(share: f64) -> String {
    match share {
        s if s > 0.0 && s < 0.0005 => "< 0.1 %".into(),
        s => format!("{:.1} %", 100.0 * s),
    }
}

/// A time given in ms: `0.04 ms`, `4.22 ms`, `1.35 s`.
pub(super) fn time(ms: f64) -> String {
    if ms < 1.0 {
        format!("{ms:.2} ms")
    } else if ms < 999.5 {
        format!("{} ms", significant(ms, 3))
    } else {
        format!("{} s", significant(ms / 1000.0, 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_count_are_kept() {
        let cases = [
            (0.012345, "0.0123"),
            (1.2, "1.20"),
            (-1.2, "\u{2212}1.20"),
            (9.996, "10.0"),
            (35_721.0, "35700"),
            (1.5e9, "1.50e9"),
            (2e-7, "2.00e\u{2212}7"),
            (0.0, "0"),
        ];
        for (value, expected) in cases {
            assert_eq!(significant(value, 3), expected);
        }
        assert_eq!(significant(f64::NAN, 3), "NaN");
    }

    #[test]
    fn errors_are_said_in_the_last_digits() {
        let cases = [
            (12.9021, 0.0031, "12.902(3)"),
            (12.9021, 0.0012, "12.9021(12)"),
            (-2.65432, 0.25, "\u{2212}2.7(3)"),
            (151.0, 31.0, "151(31)"),
            (0.39, 0.0, "0.390000"),
            (1.0, 0.0096, "1.000(10)"),
        ];
        for (value, error, expected) in cases {
            assert_eq!(with_error(value, error), expected);
        }
    }

    #[test]
    fn counts_shares_and_times() {
        assert_eq!(
            (count(721), count(1_035_721)),
            ("721".into(), "1\u{202f}035\u{202f}721".into())
        );
        assert_eq!(
            (percent(0.6231), percent(0.0), percent(0.0001)),
            ("62.3 %".into(), "0.0 %".into(), "< 0.1 %".into())
        );
        assert_eq!(
            (time(4.217), time(1350.0), time(0.042)),
            ("4.22 ms".into(), "1.35 s".into(), "0.04 ms".into())
        );
    }
}
