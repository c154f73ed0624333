//! Numbers for people: rates and quantiles over a time. Verdicts rest on counters, never on these.

use std::fmt;
use std::sync::Arc;

use futures_util::future::try_join_all;
use hotfix_core::Result;
use hotfix_core::model::{Period, SlotName, Target};

use super::answer::Answer;
use super::api::Question;
use super::backend::Prometheus;
use super::failure::Failure;
use crate::traffic::Counter;

/// How the traffic of a slot looked over a time. What is not known is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficReport {
    /// Over how long.
    pub over: Period,
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// The share of requests that ended in an error; `None` without requests.
    pub error_ratio: Option<f64>,
    /// What 95 % of the requests did not exceed.
    pub p95: Option<Quantile>,
    /// What 99 % of the requests did not exceed.
    pub p99: Option<Quantile>,
}

/// A quantile of how long requests took, in seconds, as a histogram tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantile {
    /// Interpolated within a bucket.
    About(f64),
    /// Beyond the last bound of the histogram: nobody knows how far.
    Above(f64),
}

impl Prometheus {
    /// Reads how the traffic of a slot looked over the time before now, which should be several intervals.
    ///
    /// # Errors
    /// As [`MetricsSource::scrape`](hotfix_core::port::MetricsSource::scrape). Warnings of the server, for instance
    /// about missing parts, are an error here too.
    pub async fn report(&self, target: &Target, slot: &SlotName, over: Period) -> Result<TrafficReport> {
        let read = self.read_report(target, slot, over).await;
        read.map_err(|failure| failure.into_error("metrics.report"))
    }

    async fn read_report(
        &self,
        target: &Target,
        slot: &SlotName,
        over: Period,
    ) -> std::result::Result<TrafficReport, Failure> {
        let reading = &self.reading;
        let values = reading.values(target, std::slice::from_ref(slot), &[]);
        let (status, rates) = (reading.status_label(), &reading.rates);
        let sum = |counter: &Counter| format!("sum by ({status}) ({})", counter.rate(&values, over));
        let bounds = rates.latency.first().map(|histogram| histogram.fill(&values, Some(over)));
        let questions = [
            rates.requests.as_ref().map(sum),
            rates.errors.as_ref().map(sum),
            rates.quantile(0.95, &values, over, ""),
            rates.quantile(0.99, &values, over, ""),
            bounds.map(|histogram| format!("group by (le) (rate({histogram}))")),
        ];
        let [requests, errors, p95, p99, bounds] = self.ask_each(questions).await?;
        let total = requests.as_deref().map(|answer| rate(answer, |_| true));
        let failed = match &errors {
            Some(errors) => Some(rate(errors, |_| true)),
            None => requests.as_deref().map(|answer| rate(answer, |code| reading.bad().is(code))),
        };
        let last = bounds.as_deref().and_then(last_bound);
        let seconds = |answer: Option<Arc<Answer>>| {
            let value = answer?.value()?;
            let bound = last.filter(|last| value >= *last);
            let per_second = reading.unit.per_second();
            Some(bound.map_or(Quantile::About(value / per_second), |last| Quantile::Above(last / per_second)))
        };
        Ok(TrafficReport {
            over,
            requests_per_second: total,
            error_ratio: failed
                .zip(total)
                .filter(|(_, total)| *total > 0.0)
                .map(|(failed, total)| failed / total),
            p95: seconds(p95),
            p99: seconds(p99),
        })
    }

    async fn ask_each<const N: usize>(
        &self,
        questions: [Option<String>; N],
    ) -> std::result::Result<[Option<Arc<Answer>>; N], Failure> {
        let time = self.now();
        let asked = questions.into_iter().map(|promql| async move {
            let Some(promql) = promql else {
                return Ok(None);
            };
            let answer = self.api.ask(Question::At { promql, time }).await?;
            match answer.warnings().first() {
                Some(warning) => {
                    let kind = hotfix_core::ErrorKind::Unavailable;
                    Err(Failure::new(
                        kind,
                        format!("the answer may not be whole: {}", super::failure::line(warning)),
                    ))
                }
                None => Ok(Some(answer)),
            }
        });
        let mut answers = try_join_all(asked).await?.into_iter();
        Ok(std::array::from_fn(|_| answers.next().flatten()))
    }
}

/// Adds up the rates of the statuses. No series of that kind is a rate of zero.
fn rate(answer: &Answer, wanted: impl Fn(&str) -> bool) -> f64 {
    let series =
        answer.series().filter(|series| wanted(series.labels().next().map_or("", |(_, status)| status)));
    // The sum of no floats would be a negative zero.
    series.filter_map(|series| Some(series.samples().last()?.value)).fold(0.0, |sum, rate| sum + rate)
}

fn last_bound(answer: &Answer) -> Option<f64> {
    let bounds = answer.series().filter_map(|series| series.label("le").parse::<f64>().ok());
    bounds.filter(|bound| bound.is_finite()).max_by(f64::total_cmp)
}

impl fmt::Display for TrafficReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.requests_per_second {
            Some(rate) => write!(f, "{rate:.1} requests/s over {}", self.over)?,
            None => write!(f, "unknown traffic over {}", self.over)?,
        }
        if let Some(ratio) = self.error_ratio {
            write!(f, ", {:.2} % errors", ratio * 100.0)?;
        }
        for (name, quantile) in [("p95", self.p95), ("p99", self.p99)] {
            if let Some(quantile) = quantile {
                write!(f, ", {name} {quantile}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::About(seconds) => write!(f, "{:.0} ms", seconds * 1000.0),
            Self::Above(seconds) => write!(f, "above {:.0} ms", seconds * 1000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line() {
        let report = TrafficReport {
            over: Period::from_mins(5),
            requests_per_second: Some(51.26),
            error_ratio: Some(0.012),
            p95: Some(Quantile::About(0.187)),
            p99: Some(Quantile::Above(10.0)),
        };
        assert_eq!(
            report.to_string(),
            "51.3 requests/s over 5m, 1.20 % errors, p95 187 ms, p99 above 10000 ms"
        );
        let report =
            TrafficReport { requests_per_second: None, error_ratio: None, p95: None, p99: None, ..report };
        assert_eq!(report.to_string(), "unknown traffic over 5m");
    }
}
