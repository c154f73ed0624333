//! Numbers as the API writes them: seconds as JSON numbers, values as text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A time in milliseconds, written as seconds that may have a fraction.
pub(super) struct Millis(pub(super) i64);

/// A value, written as text: `1`, `1.5e3`, `NaN`, `+Inf`.
#[derive(Clone, Copy)]
pub(super) struct Value(pub(super) f64);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let millis = (seconds * 1000.0).round();
        // Beyond this, milliseconds are no longer exact.
        if millis.abs() < 9.0e15 {
            Ok(Self(millis as i64))
        } else {
            Err(Error::invalid_value(Unexpected::Float(seconds), &"seconds since 1970"))
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number as text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        match whole(text) {
            Some(whole) => Ok(Value(whole)),
            None => text.parse().map(Value).map_err(|_| E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// Reads what most counters are: a whole number of at most 15 digits, which a float holds exactly.
fn whole(text: &str) -> Option<f64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    let mut number = 0_i64;
    for byte in text.bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_go_writes_them() {
        let read = |text: &str| serde_json::from_str::<Value>(text).map(|value| value.0);
        for (text, value) in [
            ("\"0\"", 0.0),
            ("\"999999999999999\"", 999_999_999_999_999.0),
            ("\"18446744073709551616\"", 18_446_744_073_709_551_616.0),
            ("\"-1.5e-07\"", -1.5e-7),
            ("\"+Inf\"", f64::INFINITY),
            ("\"-Inf\"", f64::NEG_INFINITY),
        ] {
            assert_eq!(read(text).unwrap(), value, "{text}");
        }
        assert!(read("\"NaN\"").unwrap().is_nan());
        for bad in ["\"\"", "\"1 \"", "\"one\"", "1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_become_milliseconds() {
        let read = |text: &str| serde_json::from_str::<Millis>(text).map(|millis| millis.0);
        for (text, millis) in
            [("1700000000.123", 1_700_000_000_123), ("1700000000", 1_700_000_000_000), ("0.0004", 0)]
        {
            assert_eq!(read(text).unwrap(), millis);
        }
        assert!(read("1e300").is_err());
    }
}
