//! Simple rules that people know, each in one line: `error rate over 5 % within 10m`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::threshold_text::Reader;
use super::{InvalidValue, LatencyBound, Percent, Period};

/// A fixed limit: whoever is beyond it is rolled back, whatever the judge says.
///
/// | written | meaning |
/// |---|---|
/// | `error rate over 5 %` … | the canary fails more than that |
/// | `error rate 50 % over baseline` … | it fails more than half as often again as the baseline in the same time |
/// | `p95 over 500ms` … | more than 5 % of its requests take longer; exact if 500 ms is a bound of the histogram |
/// | … `within 10m` | counted over the last ten minutes, or since the rollout began; against the baseline at one weight only |
/// | … `in 3 scrapes in a row` | counted in each scrape for itself |
/// | … `in 5 scrapes` | the same, added up over the rollout |
/// | … `of at least 200 requests` | fewer say nothing, of a window or a scrape; 50 unless said |
///
/// A threshold is as good as what its author knows of the service: it bounds no error of its own. How often it condemns
/// a canary that is as good as its baseline depends on what is usual, and in an emergency that is not what is known.
/// Simulated, at 10 % of 50 requests a second, over 25 minutes of scrapes every 15 seconds (`cargo xtask compare judge`):
///
/// | usual error rate | 0.1 % | 1 % | 5 % |
/// |---|---|---|---|
/// | `error rate over 5 % within 10m` | 0 % | 0.7 % | 99 % |
/// | `error rate over 1 % in 3 scrapes in a row` | 3.3 % | 100 % | 100 % |
/// | `error rate 50 % over baseline within 10m` | 83 % | 56 % | 24 % |
/// | the judge | 0.05 % | 0.03 % | 0 % |
///
/// `p95 over 500ms in 3 scrapes in a row` condemns 34 % of them when medians are from 60 to 240 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Threshold {
    /// What is measured, and its limit.
    pub measure: Measure,
    /// Over which time, or how often.
    pub span: Span,
    /// How many requests it takes to say anything.
    pub least: u64,
}

/// What a threshold looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// The share of the canary's requests that fail.
    ErrorRate {
        /// More than this is too much.
        over: Percent,
    },
    /// The same, compared with the baseline's in the same time.
    ErrorRateOverBaseline {
        /// By more than this.
        by: Percent,
    },
    /// How long requests take.
    Percentile {
        /// Such a share of the requests …
        rank: Percent,
        /// … must not take longer than this.
        over: LatencyBound,
    },
}

/// Over which time or how often a limit must be exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// Over everything of that last time together.
    Within(Period),
    /// In so many scrapes, one after the other.
    InARow(u32),
    /// In so many scrapes of the rollout.
    InAll(u32),
}

/// How many requests it takes to say anything, unless said.
const LEAST: u64 = 50;

pub(super) const ALLOWED: &str = "thresholds such as \"error rate over 5 % within 10m\", \
    \"error rate 50 % over baseline in 3 scrapes in a row\" or \"p95 over 500ms in 5 scrapes of at least 100 requests\"";

impl Threshold {
    /// A threshold for 50 requests or more.
    ///
    /// # Errors
    /// [`InvalidValue`] for a limit that nothing can exceed, a percentile below 50 %, and a span of nothing.
    pub fn new(measure: Measure, span: Span) -> Result<Self, InvalidValue> {
        Self { measure, span, least: LEAST }.checked()
    }

    /// The same for so many requests or more.
    ///
    /// # Errors
    /// [`InvalidValue`] for none.
    pub fn of_at_least(self, requests: u64) -> Result<Self, InvalidValue> {
        Self { least: requests, ..self }.checked()
    }

    /// Returns the latency bound that must be counted for it.
    #[must_use]
    pub const fn bound(&self) -> Option<LatencyBound> {
        match self.measure {
            Measure::Percentile { over, .. } => Some(over),
            Measure::ErrorRate { .. } | Measure::ErrorRateOverBaseline { .. } => None,
        }
    }

    /// Refuses what can never, or always, be exceeded.
    ///
    /// # Errors
    /// [`InvalidValue`] naming the part.
    pub fn checked(self) -> Result<Self, InvalidValue> {
        let refuse = |what, value: &dyn fmt::Display, allowed: &str| {
            Err(InvalidValue::new(what, &value.to_string(), allowed))
        };
        match self.measure {
            Measure::ErrorRate { over } if over >= Percent::ALL => {
                return refuse("error rate", &over, "0 % up to, and without, 100 %");
            }
            Measure::Percentile { rank, .. } if rank < Percent::HALF || rank >= Percent::ALL => {
                return refuse("percentile", &rank, "50 % up to, and without, 100 %");
            }
            _ => {}
        }
        match self.span {
            Span::Within(period) if period.as_millis() == 0 => {
                refuse("time of a threshold", &period, "periods above 0s")
            }
            Span::InARow(0) | Span::InAll(0) => refuse("scrapes of a threshold", &0, "1 or more"),
            _ if self.least == 0 => refuse("requests of a threshold", &0, "1 or more"),
            _ => Ok(self),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.measure {
            Measure::ErrorRate { over } => write!(f, "error rate over {over}")?,
            Measure::ErrorRateOverBaseline { by } => write!(f, "error rate {by} over baseline")?,
            Measure::Percentile { rank, over } => write!(f, "p{} over {over}", rank.number())?,
        }
        match self.span {
            Span::Within(period) => write!(f, " within {period}")?,
            Span::InARow(scrapes) => write!(f, " in {scrapes} scrape{} in a row", plural(scrapes))?,
            Span::InAll(scrapes) => write!(f, " in {scrapes} scrape{}", plural(scrapes))?,
        }
        if self.least == LEAST { Ok(()) } else { write!(f, " of at least {} requests", self.least) }
    }
}

const fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl FromStr for Threshold {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let mut reader = Reader::of(text);
        let measure = reader.measure()?;
        let span = reader.span()?;
        let least = reader.least()?.unwrap_or(LEAST);
        Self { measure, span, least }.checked()
    }
}

impl TryFrom<String> for Threshold {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Threshold> for String {
    fn from(threshold: Threshold) -> Self {
        threshold.to_string()
    }
}
