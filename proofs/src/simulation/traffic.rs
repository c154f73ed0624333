//! What both sides answer in the scrapes of one simulated rollout.

use hotfix_core::decide::Gate;
use hotfix_core::judge::calibrate;
use hotfix_core::model::{Calibration, InvalidValue, Period, Sample, Timestamp};
use hotfix_core::port::{History, LatencyBucket};

use super::latency::{MEDIANS, Timed, Times, bounds};
use super::sampling::{Random, Side};

/// The weights of a ramp, in percent.
pub(crate) const RAMP: [u8; 4] = [10, 25, 50, 75];
/// 50 requests a second for 15 seconds.
const REQUESTS: f64 = 750.0;
/// Scrapes before the rollout with which the judge is calibrated.
const BEFORE: u32 = 60;
/// The time between two scrapes.
const SCRAPE: Period = Period::from_secs(15);

/// How a service behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth {
    /// The share of the baseline's requests that fails.
    pub(crate) baseline: f64,
    /// The share of the canary's requests that fails.
    pub(crate) canary: f64,
    /// How many fail in a row.
    pub(crate) burst: f64,
    /// How many times longer the canary takes; none when nothing is timed.
    pub(crate) slower: Option<f64>,
    /// In which share of the scrapes a side pauses, so that all its requests take five times as long.
    pub(crate) pauses: f64,
}

/// How many times longer requests take in a pause.
const PAUSE: f64 = 5.0;

impl Truth {
    /// Errors that come one by one, and nothing is timed.
    pub(crate) const fn errors(baseline: f64, canary: f64) -> Self {
        Self { baseline, canary, burst: 1.0, slower: None, pauses: 0.0 }
    }

    /// Errors come in bursts of a geometric size.
    pub(crate) const fn in_bursts_of(self, burst: f64) -> Self {
        Self { burst, ..self }
    }

    /// Requests are timed, and take so many times longer on the canary.
    pub(crate) const fn slower(self, factor: f64) -> Self {
        Self { slower: Some(factor), ..self }
    }

    /// Each side pauses in such a share of the scrapes.
    pub(crate) const fn with_pauses(self, pauses: f64) -> Self {
        Self { pauses, ..self }
    }
}

/// The traffic of all rollouts of a cell: before it, and at each weight.
pub(crate) struct Traffic {
    truth: Truth,
    before: (Side, Vec<Timings>),
    pub(crate) steps: Vec<Step>,
}

/// The traffic at one weight.
pub(crate) struct Step {
    pub(crate) gate: Gate,
    canary: (Side, Vec<Timings>),
    baseline: (Side, Vec<Timings>),
}

/// How long the requests of a side take, usually and in a pause.
struct Timings {
    usual: Timed,
    paused: Timed,
}

impl Timings {
    fn draw(&self, pauses: f64, random: &mut Random) -> Times {
        // Without pauses nothing is drawn for them.
        let is_paused = pauses > 0.0 && random.unit() < pauses;
        if is_paused { self.paused.draw(random) } else { self.usual.draw(random) }
    }
}

/// One rollout of a cell.
pub(crate) struct Play<'a> {
    traffic: &'a Traffic,
    pub(crate) random: &'a mut Random,
    median: usize,
    pub(crate) calibration: Calibration,
    pub(crate) scrapes: u32,
    /// How many more requests failed than would have without the rollout, on average.
    pub(crate) excess: f64,
}

impl Traffic {
    /// Traffic at these weights, one after the other.
    pub(crate) fn new(truth: Truth, percents: &[u8]) -> Result<Self, InvalidValue> {
        let timed = |requests: f64, factor: f64| -> Vec<Timings> {
            let medians = MEDIANS.iter().filter(|_| truth.slower.is_some());
            let timings = |median: &f64| Timings {
                usual: Timed::new(requests, median * factor),
                paused: Timed::new(requests, median * factor * PAUSE),
            };
            medians.map(timings).collect()
        };
        let step = |percent: &u8| {
            let share = f64::from(*percent) / 100.0;
            let (canary, baseline) = (REQUESTS * share, REQUESTS * (1.0 - share));
            Ok(Step {
                gate: Gate::at(*percent)?,
                canary: (
                    Side::new(canary, truth.canary, truth.burst),
                    timed(canary, truth.slower.unwrap_or(1.0)),
                ),
                baseline: (Side::new(baseline, truth.baseline, truth.burst), timed(baseline, 1.0)),
            })
        };
        Ok(Self {
            truth,
            before: (Side::new(REQUESTS, truth.baseline, truth.burst), timed(REQUESTS, 1.0)),
            steps: percents.iter().map(step).collect::<Result<_, InvalidValue>>()?,
        })
    }

    /// Begins a rollout: calibrates, as a driver does.
    pub(crate) fn play<'a>(&'a self, random: &'a mut Random) -> Result<Play<'a>, InvalidValue> {
        let median = (random.unit() * MEDIANS.len() as f64) as usize;
        let mut history = History {
            errors: Vec::new(),
            latency: bounds().map(|bound| LatencyBucket { bound, slower: Vec::new(), of: 0 }).collect(),
        };
        for _ in 0..BEFORE {
            history.errors.push(self.before.0.scrape(random)?.errors());
            let Some(timed) = self.before.1.get(median) else { continue };
            let times = timed.draw(self.truth.pauses, random);
            for (bucket, slower) in history.latency.iter_mut().zip(times.slower()) {
                bucket.slower.push(slower);
                bucket.of += times.requests();
            }
        }
        let calibration = calibrate(&history);
        Ok(Play { traffic: self, random, median, calibration, scrapes: 0, excess: 0.0 })
    }
}

impl Play<'_> {
    /// Draws the next scrape, at the weight of a step. The first of a rollout is that of instances that have just
    /// started, so that nothing in it is timed.
    pub(crate) fn scrape(&mut self, step: &Step) -> Result<Sample, InvalidValue> {
        let (canary, baseline) = (step.canary.0.scrape(self.random)?, step.baseline.0.scrape(self.random)?);
        let Truth { canary: bad, baseline: usual, pauses, .. } = self.traffic.truth;
        self.excess += canary.requests() as f64 * (bad - usual);
        let seconds = i64::from(self.scrapes) * SCRAPE.to_delta().num_seconds();
        let at = Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds);
        self.scrapes += 1;
        let mut sample = Sample::counted(at, canary, baseline);
        if let (Some(canary), Some(baseline)) =
            (step.canary.1.get(self.median), step.baseline.1.get(self.median))
        {
            let (canary, baseline) = (canary.draw(pauses, self.random), baseline.draw(pauses, self.random));
            for tail in self.calibration.tails.iter().filter(|_| self.scrapes > 1) {
                let sides = (canary.beyond(tail.over)?, baseline.beyond(tail.over)?);
                sample = sample.with_tail(tail.over, sides.0, sides.1);
            }
        }
        Ok(sample)
    }
}
