//! Shares as people write them: `5 %`, `0.25 %`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidValue;

/// A share in thousandths of a percent, up to a thousand times the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(u32);

const WHOLE: u32 = 100_000;
const MOST: u32 = 1000 * WHOLE;

impl Percent {
    /// Everything: 100 %.
    pub const ALL: Self = Self(WHOLE);
    /// 50 %.
    pub const HALF: Self = Self(WHOLE / 2);

    /// A share in thousandths of a percent, cut at a thousand times the whole.
    pub(super) const fn thousandths(thousandths: u32) -> Self {
        Self(if thousandths > MOST { MOST } else { thousandths })
    }

    /// Returns whether `part` of `whole` is more than this share.
    #[must_use]
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(WHOLE) > u128::from(whole) * u128::from(self.0)
    }

    /// Returns what this share leaves of the whole; nothing when it is more.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(WHOLE.saturating_sub(self.0))
    }

    /// Returns the share: 0.05 for 5 %.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// Returns what is to be written before the sign.
    pub(super) fn number(self) -> impl fmt::Display {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.number())
    }
}

/// The sign may be missing.
impl FromStr for Percent {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || {
            let allowed = "percentages from 0 % to 100000 % with up to three digits after the point";
            InvalidValue::new("percentage", text, allowed)
        };
        let number = text.trim_end_matches('%').trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let fraction = if fraction == "0" { fraction } else { fraction.trim_end_matches('0') };
        let fraction = if fraction.is_empty() { "0" } else { fraction };
        if !digits(whole) || !digits(fraction) || fraction.len() > 3 || number.ends_with('.') {
            return Err(invalid());
        }
        let read = |digits: &str| digits.parse::<u32>().map_err(|_| invalid());
        let (whole, fraction) = (read(whole)?, read(&format!("{fraction:0<3}"))?);
        let thousandths = whole.checked_mul(1000).and_then(|whole| whole.checked_add(fraction));
        thousandths.filter(|thousandths| *thousandths <= MOST).map(Self).ok_or_else(invalid)
    }
}

impl TryFrom<String> for Percent {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_written_and_read_back_exactly() {
        for (text, written) in [
            ("5 %", "5 %"),
            ("5.0 %", "5 %"),
            ("5.000%", "5 %"),
            ("0.25 %", "0.25 %"),
            ("99.9", "99.9 %"),
            ("0.001 %", "0.001 %"),
            ("100000 %", "100000 %"),
        ] {
            let percent: Percent = text.parse().unwrap();
            assert_eq!(percent.to_string(), written);
            assert_eq!(written.parse(), Ok(percent));
        }
        for text in ["", "%", "-5 %", "5,0 %", "5. %", ".5 %", "0.0001 %", "100001 %", "five %", "NaN"] {
            assert_eq!(text.parse::<Percent>().unwrap_err().value(), text);
        }
    }

    #[test]
    fn a_share_is_exceeded_by_more_and_not_by_as_much() {
        let five: Percent = "5 %".parse().unwrap();
        assert_eq!(
            [(5, 100), (6, 100), (0, 0), (1, 0)].map(|(a, b)| five.is_exceeded_by(a, b)),
            [false, true, false, true]
        );
        assert_eq!(five.rest(), "95 %".parse().unwrap());
    }
}
