//! Durations as an operator writes them in a manifest: `300ms`, `10s`, `2m`.

use std::time::Duration;

/// What [`parse`] accepts, for error messages.
pub(crate) const ALLOWED: &str = "a number with a unit, such as \"300ms\", \"10s\" or \"2m\"";

/// Reads `text`, or returns nothing when it is not one of [`ALLOWED`].
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(unit_at);
    let number: u64 = digits.parse().ok()?;
    let milliseconds = match unit {
        "ms" => number,
        "s" => number.checked_mul(1_000)?,
        "m" => number.checked_mul(60_000)?,
        _ => return None,
    };
    Some(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_with_a_known_unit_are_durations() {
        let cases = [("300ms", Some(300)), ("10s", Some(10_000)), ("2m", Some(120_000)), ("0s", Some(0))];
        for (text, milliseconds) in cases {
            assert_eq!(parse(text), milliseconds.map(Duration::from_millis), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1.5s", "1 s", "1h", "99999999999999999999s", "18446744073709551615m"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
