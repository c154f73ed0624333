//! Lengths of time as people write them in a policy: `45s`, `15m`, `2h`, `1d`, `1h30m`, `250ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::InvalidValue;

/// A length of time with millisecond resolution, at most one year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(u64);

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const LONGEST: u64 = 366 * 86_400_000;
const ALLOWED: &str = "lengths of time up to 366d such as 250ms, 45s, 15m, 1h30m";

impl Period {
    /// A period of that many milliseconds, cut at one year.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > LONGEST { LONGEST } else { millis })
    }

    /// A period of that many seconds, cut at one year.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// A period of that many minutes, cut at one year.
    #[must_use]
    pub const fn from_mins(minutes: u64) -> Self {
        Self::from_secs(minutes.saturating_mul(60))
    }

    /// A period of that many hours, cut at one year.
    #[must_use]
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_mins(hours.saturating_mul(60))
    }

    /// Returns the period in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the period as the standard library's duration.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Returns the period as a difference of timestamps.
    #[must_use]
    pub fn to_delta(self) -> chrono::TimeDelta {
        // At most one year, so it always fits.
        chrono::TimeDelta::milliseconds(self.0.cast_signed())
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, size) in UNITS {
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl FromStr for Period {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::new("period", text, ALLOWED);
        let mut rest = text;
        let mut total = 0_u64;
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
            let number: u64 = rest[..digits].parse().map_err(|_| invalid())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (_, size) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(invalid)?;
            rest = &rest[letters..];
            total = number.checked_mul(*size).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        }
        if total > LONGEST { Err(invalid()) } else { Ok(Self(total)) }
    }
}

impl TryFrom<String> for Period {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("45s", 45_000),
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.as_millis(), period.to_string().as_str()), (millis, text));
        }
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        for bad in ["", "5", "m", "5 m", "1y", "99999999999999999999d", "367d", "-5s"] {
            let error = bad.parse::<Period>().unwrap_err();
            assert_eq!(error, InvalidValue::new("period", bad, ALLOWED));
        }
    }
}
