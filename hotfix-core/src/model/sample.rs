//! What one scrape says about the two sides of a rollout: whole numbers of requests and errors that no other scrape
//! counts again, or the reason why there are none.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{InvalidValue, LatencyBound, Tail, Timestamp, Totals};

/// Requests answered, and how many of them with an error. There are never more errors than requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "(u64, u64)", into = "(u64, u64)")]
pub struct Counts {
    requests: u64,
    errors: u64,
}

impl Counts {
    /// No request and no error.
    pub const NONE: Self = Self { requests: 0, errors: 0 };

    /// Counts `errors` among `requests`.
    ///
    /// # Errors
    /// [`InvalidValue`] when there are more errors than requests.
    pub fn new(requests: u64, errors: u64) -> Result<Self, InvalidValue> {
        if errors > requests {
            return Err(InvalidValue::new(
                "error count",
                &errors.to_string(),
                format!("0 to {requests}, the number of requests"),
            ));
        }
        Ok(Self { requests, errors })
    }

    /// Returns how many requests were answered, those with an error included.
    #[must_use]
    pub const fn requests(self) -> u64 {
        self.requests
    }

    /// Returns how many requests were answered with an error.
    #[must_use]
    pub const fn errors(self) -> u64 {
        self.errors
    }

    /// Returns how many requests were answered without an error.
    #[must_use]
    pub const fn successes(self) -> u64 {
        self.requests - self.errors
    }

    /// Adds the counts of another time or place; stops at the largest number there is.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            errors: self.errors.saturating_add(other.errors),
        }
    }
}

impl TryFrom<(u64, u64)> for Counts {
    type Error = InvalidValue;

    fn try_from((requests, errors): (u64, u64)) -> Result<Self, InvalidValue> {
        Self::new(requests, errors)
    }
}

impl From<Counts> for (u64, u64) {
    fn from(counts: Counts) -> Self {
        (counts.requests, counts.errors)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        let Self { requests, errors } = *self;
        write!(f, "{errors} error{} in {requests} request{}", plural(errors), plural(requests))
    }
}

/// What one scrape says about one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// What happened since the scrape before. Zero requests is a fact like any other.
    Counts(Counts),
    /// The metrics were read and hold no fresh series of this side.
    Absent,
    /// Nothing can be said.
    Missing(Missing),
}

impl Reading {
    /// Returns the counts; a side without series had no requests; `None` when nothing can be said.
    #[must_use]
    pub const fn counts(&self) -> Option<Counts> {
        match self {
            Self::Counts(counts) => Some(*counts),
            Self::Absent => Some(Counts::NONE),
            Self::Missing(_) => None,
        }
    }

    /// Returns why nothing can be said.
    #[must_use]
    pub const fn missing(&self) -> Option<&Missing> {
        match self {
            Self::Missing(why) => Some(why),
            Self::Counts(_) | Self::Absent => None,
        }
    }
}

/// Why a scrape says nothing. It is never read as health and never as harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// The metrics could not be read: unreachable, too slow, refused.
    Failed {
        /// What the source says.
        error: String,
    },
    /// The source doubts its own answer, for instance because it is partial.
    Warned {
        /// Its first warning.
        warning: String,
    },
    /// A counter is not a number, infinite or negative.
    NotACount {
        /// The series.
        series: String,
        /// What it says.
        value: String,
    },
    /// A series rose by more errors than requests.
    Inconsistent {
        /// The series.
        series: String,
    },
    /// No series has a newer value than the scrape before.
    Stale,
}

impl Missing {
    /// The metrics could not be read.
    #[must_use]
    pub fn failed(error: &dyn fmt::Display) -> Self {
        Self::Failed { error: brief(error) }
    }

    /// The source doubts its own answer.
    #[must_use]
    pub fn warned(warning: &str) -> Self {
        Self::Warned { warning: brief(&warning) }
    }

    /// A counter of the series says something else than how many.
    #[must_use]
    pub fn not_a_count(series: &str, value: f64) -> Self {
        Self::NotACount { series: brief(&series), value: value.to_string() }
    }

    /// The series rose by more errors than requests.
    #[must_use]
    pub fn inconsistent(series: &str) -> Self {
        Self::Inconsistent { series: brief(&series) }
    }
}

/// Cuts what others say to 200 characters without control characters: it goes into the journal with every scrape, and from
/// there to people. Labels hold whatever a client of the service sent.
fn brief(text: &dyn fmt::Display) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.to_string().chars().map(plain).take(200).collect()
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { error } => write!(f, "the metrics cannot be read: {error}"),
            Self::Warned { warning } => write!(f, "the metrics are incomplete: {warning}"),
            Self::NotACount { series, value } => write!(f, "series {series} says {value}"),
            Self::Inconsistent { series } => write!(f, "series {series} has more errors than requests"),
            Self::Stale => f.write_str("the metrics hold no new values"),
        }
    }
}

/// One look at a rollout. Samples are journaled: the same samples give the same verdict again, bit for bit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When the counters were read.
    pub at: Timestamp,
    /// The side with the fix.
    pub canary: Reading,
    /// The side without it.
    pub baseline: Reading,
    /// The slow requests, by the bound that they exceed. Where a bound is missing, it is not known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tails: BTreeMap<LatencyBound, Tail>,
    /// The same requests by kind, such as a route, where the source tells kinds apart; empty where it does not. What is
    /// compared then is each kind with itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, Totals>,
    /// How many instances of the canary can take traffic; `None` when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<u16>,
}

impl Sample {
    /// A look that saw both sides.
    #[must_use]
    pub const fn counted(at: Timestamp, canary: Counts, baseline: Counts) -> Self {
        let [canary, baseline] = [Reading::Counts(canary), Reading::Counts(baseline)];
        Self { at, canary, baseline, tails: BTreeMap::new(), kinds: BTreeMap::new(), ready: None }
    }

    /// A look that saw nothing.
    #[must_use]
    pub fn missed(at: Timestamp, why: Missing) -> Self {
        let [canary, baseline] = [Reading::Missing(why.clone()), Reading::Missing(why)];
        Self { at, canary, baseline, tails: BTreeMap::new(), kinds: BTreeMap::new(), ready: None }
    }

    /// Adds how many requests of both sides were slower than a bound.
    #[must_use]
    pub fn with_tail(mut self, over: LatencyBound, canary: Counts, baseline: Counts) -> Self {
        self.tails.insert(over, Tail { canary: Some(canary), baseline: Some(baseline) });
        self
    }

    /// Adds how many instances of the canary can take traffic.
    #[must_use]
    pub fn with_ready(self, instances: u16) -> Self {
        Self { ready: Some(instances), ..self }
    }
}
