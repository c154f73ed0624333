//! Latency as the judge sees it: how many requests were slower than a bound, never a quantile.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Counts, InvalidValue};

/// A bound that requests are faster or slower than: 1 µs to 1 hour in whole microseconds, written `250ms`.
///
/// It is one of the bounds of a histogram, so that the requests beyond it can be counted exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LatencyBound(u64);

const UNITS: [(&str, u64); 3] = [("s", 1_000_000), ("ms", 1_000), ("us", 1)];
const LONGEST: u64 = 3_600_000_000;
const ALLOWED: &str = "bounds from 1us to 3600s in whole microseconds, such as 250ms or 2.5s";

impl LatencyBound {
    /// A bound of that many microseconds.
    ///
    /// # Errors
    /// [`InvalidValue`] for 0 and above an hour.
    pub fn from_micros(micros: u64) -> Result<Self, InvalidValue> {
        if (1..=LONGEST).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(InvalidValue::new("latency bound", &format!("{micros}us"), ALLOWED))
        }
    }

    /// A bound of that many seconds, rounded to microseconds.
    ///
    /// # Errors
    /// [`InvalidValue`] for what is not a number, and outside 1 µs to 1 hour.
    pub fn from_seconds(seconds: f64) -> Result<Self, InvalidValue> {
        let micros = (seconds * 1e6).round();
        if (1.0..=LONGEST as f64).contains(&micros) {
            Ok(Self(micros as u64))
        } else {
            Err(InvalidValue::new("latency bound", &format!("{seconds}s"), ALLOWED))
        }
    }

    /// Reads the `le` label of a Prometheus bucket, which is a number of seconds: `0.25`, `1`, `1.0`, `5e-3`.
    ///
    /// # Errors
    /// [`InvalidValue`] for `+Inf`, which bounds nothing, and for what [`from_seconds`](Self::from_seconds) refuses.
    pub fn from_le(label: &str) -> Result<Self, InvalidValue> {
        let seconds: Option<f64> = label.parse().ok();
        let bound = seconds.and_then(|seconds| Self::from_seconds(seconds).ok());
        bound.ok_or_else(|| InvalidValue::new("bucket bound", label, "seconds from 0.000001 to 3600"))
    }

    /// Returns the bound in microseconds.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Returns the bound in seconds, as Prometheus counts.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for LatencyBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.into_iter().find(|(_, size)| self.0 >= *size);
        let (unit, size) = unit.unwrap_or(("us", 1));
        let (whole, rest) = (self.0 / size, self.0 % size);
        if rest == 0 {
            return write!(f, "{whole}{unit}");
        }
        let digits = size.ilog10() as usize;
        let fraction = format!("{rest:0digits$}");
        write!(f, "{whole}.{}{unit}", fraction.trim_end_matches('0'))
    }
}

impl FromStr for LatencyBound {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::new("latency bound", text, ALLOWED);
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = UNITS.iter().find(|(unit, _)| *unit == &text[number.len()..]);
        let (_, size) = unit.ok_or_else(invalid)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let places = size.ilog10() as usize;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = digits(whole) && digits(fraction) && fraction.trim_end_matches('0').len() <= places;
        if !is_number {
            return Err(invalid());
        }
        let fraction = fraction.trim_end_matches('0');
        let fraction = format!("{fraction:0<places$}");
        let part = |part: &str| if part.is_empty() { Ok(0) } else { part.parse().map_err(|_| invalid()) };
        let (whole, fraction): (u64, u64) = (part(whole)?, part(&fraction)?);
        let micros = whole.checked_mul(*size).and_then(|whole| whole.checked_add(fraction));
        micros.and_then(|micros| Self::from_micros(micros).ok()).ok_or_else(invalid)
    }
}

impl TryFrom<String> for LatencyBound {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<LatencyBound> for String {
    fn from(bound: LatencyBound) -> Self {
        bound.to_string()
    }
}

/// What happened beyond one bound since the scrape before: of each side the requests, and as "errors" those of them
/// that took longer.
///
/// The requests may be fewer than those of the [`Sample`](super::Sample): those of an instance that has just started
/// are left out, as it is slow until it is warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tail {
    /// The side with the fix; `None` when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Counts>,
    /// The side without it; `None` when it is not known or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Counts>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_in_the_largest_unit_and_read_back() {
        for (micros, text) in [
            (1, "1us"),
            (999, "999us"),
            (1_000, "1ms"),
            (2_500, "2.5ms"),
            (250_000, "250ms"),
            (1_000_000, "1s"),
            (1_050_000, "1.05s"),
            (1_234_567, "1.234567s"),
            (3_600_000_000, "3600s"),
        ] {
            let bound = LatencyBound::from_micros(micros).unwrap();
            assert_eq!(bound.to_string(), text);
            assert_eq!(text.parse(), Ok(bound));
        }
        assert_eq!("0.25s".parse(), LatencyBound::from_micros(250_000));
        assert_eq!("1.50ms".parse(), LatencyBound::from_micros(1_500));
    }

    #[test]
    fn what_bounds_nothing_is_refused() {
        for text in ["", "5", "ms", ".5s", "5.s", "0s", "-1s", "1.5us", "0.0000001s", "3601s", "1h", "1e3ms"]
        {
            let error = text.parse::<LatencyBound>().unwrap_err();
            assert_eq!((error.what(), error.value()), ("latency bound", text));
        }
        assert_eq!(LatencyBound::from_micros(0).unwrap_err().value(), "0us");
        for seconds in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e-7, 3600.1] {
            assert_eq!(LatencyBound::from_seconds(seconds).unwrap_err().what(), "latency bound");
        }
    }

    #[test]
    fn bucket_labels_are_numbers_of_seconds() {
        for label in ["0.25", "0.250", "2.5e-1", "+0.25"] {
            assert_eq!(LatencyBound::from_le(label), LatencyBound::from_micros(250_000), "{label}");
        }
        assert_eq!(LatencyBound::from_le("1.0").unwrap().seconds().to_bits(), 1.0_f64.to_bits());
        for label in ["+Inf", "NaN", "", "0.25s", "-0.1", "0"] {
            assert_eq!(LatencyBound::from_le(label).unwrap_err().value(), label);
        }
    }
}
