//! An answer of the query API, parsed in one pass into a few flat tables instead of a tree.

mod decode;
mod histogram;
mod number;
mod symbols;

use std::fmt;
use std::ops::Range;

pub use histogram::{Bucket, Histogram};
use symbols::{Symbol, Symbols};

/// What a query answered: series with their samples.
///
/// Label names and values are kept once, and the samples of all series stand in one table, so that ten thousand series
/// take a tenth of the memory that a tree of JSON values takes.
#[derive(Default)]
pub struct Answer {
    symbols: Symbols,
    labels: Vec<(Symbol, Symbol)>,
    samples: Vec<Sample>,
    histograms: Vec<Histogram>,
    series: Vec<Entry>,
    warnings: Vec<String>,
    infos: Vec<String>,
}

/// A value of a series at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Milliseconds since 1970. Of an instant vector this is when the query was evaluated.
    pub at: i64,
    /// The value, which may be NaN or infinite.
    pub value: f64,
}

/// Where the parts of a series stand.
#[derive(Default, Clone)]
struct Entry {
    labels: Range<u32>,
    samples: Range<u32>,
    histograms: Range<u32>,
}

/// A series of an [`Answer`].
#[derive(Clone, Copy)]
pub struct Series<'a> {
    answer: &'a Answer,
    entry: &'a Entry,
}

impl Answer {
    /// Parses the body of an answer with status 200.
    ///
    /// # Errors
    /// [`Unreadable`] when it is not JSON as the API writes it, when it is an error, or when it is a scalar or a
    /// string instead of series.
    pub fn parse(body: &[u8]) -> Result<Self, Unreadable> {
        decode::answer(body)
    }

    /// Returns the series in the order of the answer.
    pub fn series(&self) -> impl ExactSizeIterator<Item = Series<'_>> {
        self.series.iter().map(|entry| Series { answer: self, entry })
    }

    /// Returns what the server doubts about its answer. It may be incomplete then.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns what the server remarks about the query.
    #[must_use]
    pub fn infos(&self) -> &[String] {
        &self.infos
    }

    /// Returns the shortest time between two samples of a series, in milliseconds; `None` when no series has two.
    pub(crate) fn shortest_gap(&self) -> Option<u64> {
        let times = |series: Series<'_>| -> Vec<i64> {
            let floats = series.samples().iter().map(|sample| sample.at);
            floats.chain(series.histograms().iter().map(|histogram| histogram.at)).collect()
        };
        let gaps = self.series().flat_map(|series| {
            let times = times(series);
            times.windows(2).map(|pair| pair[0].abs_diff(pair[1])).min()
        });
        gaps.min()
    }

    /// Returns the one value of an answer that is a single number; `None` when there is no series, more than one, or
    /// its value is no finite number.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let mut series = self.series();
        let (only, more) = (series.next()?, series.next());
        let value = only.samples().last()?.value;
        (more.is_none() && value.is_finite()).then_some(value)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("series", &self.series.len())
            .field("samples", &self.samples.len())
            .field("histograms", &self.histograms.len())
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

impl<'a> Series<'a> {
    /// Returns the labels in the order of the answer.
    pub fn labels(self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> {
        let text = |symbol| self.answer.symbols.text(symbol);
        self.answer.labels[span(&self.entry.labels)]
            .iter()
            .map(move |(name, value)| (text(*name), text(*value)))
    }

    /// Returns the value of a label; a label that is absent is empty.
    #[must_use]
    pub fn label(self, name: &str) -> &'a str {
        self.labels().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// Returns the samples, oldest first.
    #[must_use]
    pub fn samples(self) -> &'a [Sample] {
        &self.answer.samples[span(&self.entry.samples)]
    }

    /// Returns the samples of a native histogram, oldest first.
    #[must_use]
    pub fn histograms(self) -> &'a [Histogram] {
        &self.answer.histograms[span(&self.entry.histograms)]
    }
}

impl fmt::Debug for Series<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.labels()).finish()?;
        f.debug_list().entries(self.samples()).entries(self.histograms()).finish()
    }
}

const fn span(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is no answer of this API.
    Malformed {
        /// Where and why.
        reason: String,
    },
    /// The server says that the query failed.
    Refused(Refusal),
}

/// What a server says when a query failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// Its word for the kind, such as `bad_data`; empty when it gave none.
    pub error_type: String,
    /// Its message.
    pub error: String,
}

impl Refusal {
    /// Reads the body of an answer with another status; `None` when it is not from this API.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        match Answer::parse(body) {
            Err(Unreadable::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { reason } => write!(f, "not an answer of the Prometheus API: {reason}"),
            Self::Refused(refusal) => write!(f, "{}: {}", refusal.error_type, refusal.error),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests;
