//! Ways to find harm at one weight: the production judge, the simple rules, and what others do.
//!
//! To compare another one, add a variant with its name and its [`Watcher`].

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use hotfix_core::decide::{Thresholds, Verification};
use hotfix_core::judge::kayenta::{mann_whitney, shift};
use hotfix_core::model::{Counts, InvalidValue, Ruling, Sample, Threshold, Totals, VerificationRules};

use super::rollout::begin;
use super::sampling::Random;
use super::traffic::{RAMP, Traffic, Truth};

/// Scrapes in a minute.
const MINUTE: u32 = 4;

/// A way to find harm.
#[derive(Debug, Clone)]
pub(crate) enum Method {
    /// The production judge.
    Judge(Box<VerificationRules>),
    /// A rule of the production's.
    Rule(Threshold),
    /// As Argo Rollouts analyses: the canary's error rate of the last minute, at every scrape; the first that is too high
    /// is one too many, or some more are allowed.
    Argo { over: f64, allowed: u32 },
    /// As Flagger's example: the same once a minute; so many that are too high, over the whole rollout.
    Flagger { over: f64, limit: u32 },
    /// The canary's error rate of the last minute against the baseline's.
    Ratio { over: f64 },
    /// The exact binomial test at 1 % on all counts so far, again at every scrape: what a textbook has for one look.
    Binomial,
    /// Kayenta's classifier on the error rates of the scrapes in percent, again at every scrape from the second.
    Kayenta,
    /// The same with one look, after so many scrapes.
    KayentaOnce { at: usize },
    /// The Mann-Whitney test at 1 % on the same rates, again at every scrape from the second.
    Ranks,
}

/// Looks at one rollout.
pub(crate) trait Watcher {
    /// Takes in a scrape and says whether that is harm.
    fn alarms(&mut self, sample: &Sample) -> bool;
}

impl Method {
    pub(crate) fn name(&self) -> String {
        let percent = |share: f64| share * 100.0;
        match self {
            Self::Judge(_) => "judge".to_owned(),
            Self::Rule(rule) => format!("\"{rule}\""),
            Self::Argo { over, allowed } => format!("argo >{} % limit {allowed}", percent(*over)),
            Self::Flagger { over, limit } => format!("flagger >{} % {limit} times", percent(*over)),
            Self::Ratio { over } => format!("canary >{over}x baseline"),
            Self::Binomial => "binomial p<.01 at every look".to_owned(),
            Self::Kayenta => "kayenta at every look".to_owned(),
            Self::KayentaOnce { at } => format!("kayenta after {at} scrapes"),
            Self::Ranks => "mann-whitney p<.01 at every look".to_owned(),
        }
    }

    /// Whether a look takes long, so that fewer runs must do.
    pub(crate) const fn is_slow(&self) -> bool {
        matches!(self, Self::Kayenta | Self::KayentaOnce { .. } | Self::Ranks)
    }

    /// Stays at 10 % for so many scrapes, and returns after how many there is an alarm.
    pub(crate) fn alarm(
        &self,
        traffic: &Traffic,
        scrapes: u32,
        random: &mut Random,
    ) -> Result<Option<u32>, InvalidValue> {
        let mut play = traffic.play(random)?;
        let mut watcher: Box<dyn Watcher> = match self {
            Self::Judge(rules) => Box::new(Judged(begin(rules, traffic, &play)?)),
            Self::Rule(rule) => Box::new(Ruled(Thresholds::new(&[*rule])?, traffic)),
            Self::Argo { over, allowed } => Box::new(Rates::new(*over, 1, allowed + 1)),
            Self::Flagger { over, limit } => Box::new(Rates::new(*over, MINUTE, *limit)),
            Self::Ratio { over } => Box::new(Ratios { over: *over, window: Window::default() }),
            Self::Binomial => Box::new(Binomial(Totals::default())),
            Self::Kayenta => Box::new(Ranked::new(is_shifted, 2..=usize::MAX)),
            Self::KayentaOnce { at } => Box::new(Ranked::new(is_shifted, *at..=*at)),
            Self::Ranks => Box::new(Ranked::new(is_higher, 2..=usize::MAX)),
        };
        for scrape in 1..=scrapes {
            if watcher.alarms(&play.scrape(&traffic.steps[0])?) {
                return Ok(Some(scrape));
            }
        }
        Ok(None)
    }

    /// The traffic of a rollout that stays at 10 %.
    pub(crate) fn traffic(truth: Truth) -> Result<Traffic, InvalidValue> {
        Traffic::new(truth, &[RAMP[0]; RAMP.len()])
    }
}

struct Judged(Verification);

impl Watcher for Judged {
    fn alarms(&mut self, sample: &Sample) -> bool {
        matches!(self.0.observe(sample, &[]).1, Ruling::RollBack { .. })
    }
}

struct Ruled<'a>(Thresholds, &'a Traffic);

impl Watcher for Ruled<'_> {
    fn alarms(&mut self, sample: &Sample) -> bool {
        self.0.count(sample, self.1.steps[0].gate);
        self.0.breaches().next().is_some()
    }
}

/// What was answered in the last minute.
#[derive(Default)]
pub(super) struct Window(VecDeque<Totals>);

impl Window {
    /// Takes in a scrape, and returns what the last minute holds once there was one.
    pub(super) fn push(&mut self, sample: &Sample) -> Option<Totals> {
        let counts = |counts: Option<Counts>| counts.unwrap_or_default();
        let (canary, baseline) = (counts(sample.canary.counts()), counts(sample.baseline.counts()));
        if self.0.len() == MINUTE as usize {
            self.0.pop_front();
        }
        self.0.push_back(Totals { canary, baseline });
        let sum = |sum: Totals, part: &Totals| sum.saturating_add(part.canary, part.baseline);
        (self.0.len() == MINUTE as usize).then(|| self.0.iter().fold(Totals::default(), sum))
    }
}

/// The share of errors; 0 of nothing.
pub(super) fn rate(counts: Counts) -> f64 {
    counts.errors() as f64 / counts.requests().max(1) as f64
}

/// A limit on the rate of the last minute, looked at every so many scrapes, that may be exceeded less than so many times.
pub(super) struct Rates {
    over: f64,
    every: u32,
    limit: u32,
    looks: u32,
    failed: u32,
    window: Window,
}

/// What one look at a rate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    NotDue,
    Good,
    Bad,
    TooOften,
}

impl Rates {
    pub(super) fn new(over: f64, every: u32, limit: u32) -> Self {
        Self { over, every, limit, looks: 0, failed: 0, window: Window::default() }
    }

    pub(super) fn look(&mut self, sample: &Sample) -> Look {
        self.looks += 1;
        let lately = self.window.push(sample).filter(|_| self.looks.is_multiple_of(self.every));
        let Some(lately) = lately else { return Look::NotDue };
        if rate(lately.canary) <= self.over {
            return Look::Good;
        }
        self.failed += 1;
        if self.failed >= self.limit { Look::TooOften } else { Look::Bad }
    }
}

impl Watcher for Rates {
    fn alarms(&mut self, sample: &Sample) -> bool {
        self.look(sample) == Look::TooOften
    }
}

struct Ratios {
    over: f64,
    window: Window,
}

impl Watcher for Ratios {
    fn alarms(&mut self, sample: &Sample) -> bool {
        let lately = self.window.push(sample);
        lately.is_some_and(|lately| rate(lately.canary) > self.over * rate(lately.baseline))
    }
}

struct Binomial(Totals);

impl Watcher for Binomial {
    fn alarms(&mut self, sample: &Sample) -> bool {
        if let (Some(canary), Some(baseline)) = (sample.canary.counts(), sample.baseline.counts()) {
            self.0 = self.0.saturating_add(canary, baseline);
        }
        let Totals { canary, baseline } = self.0;
        let errors = canary.errors() + baseline.errors();
        let requests = canary.requests() + baseline.requests();
        let share = canary.requests() as f64 / requests.max(1) as f64;
        at_least(canary.errors(), errors, share) < 0.01
    }
}

/// The error rates of the scrapes, in percent, compared by their ranks.
struct Ranked {
    test: fn(&[f64], &[f64]) -> bool,
    looks: RangeInclusive<usize>,
    canary: Vec<f64>,
    baseline: Vec<f64>,
}

impl Ranked {
    fn new(test: fn(&[f64], &[f64]) -> bool, looks: RangeInclusive<usize>) -> Self {
        Self { test, looks, canary: Vec::new(), baseline: Vec::new() }
    }
}

impl Watcher for Ranked {
    fn alarms(&mut self, sample: &Sample) -> bool {
        let percent = |counts: Option<Counts>| 100.0 * rate(counts.unwrap_or_default());
        self.canary.push(percent(sample.canary.counts()));
        self.baseline.push(percent(sample.baseline.counts()));
        self.looks.contains(&self.canary.len()) && (self.test)(&self.canary, &self.baseline)
    }
}

/// Kayenta's "High": all of the 98 % interval lies above a quarter of the estimated shift.
fn is_shifted(canary: &[f64], baseline: &[f64]) -> bool {
    shift(canary, baseline, 0.98).is_ok_and(|shift| shift.lower > 0.25 * shift.estimate.abs())
}

fn is_higher(canary: &[f64], baseline: &[f64]) -> bool {
    let pairs = canary.len() as f64 * baseline.len() as f64;
    mann_whitney(canary, baseline).is_ok_and(|test| test.p < 0.01 && test.u > pairs / 2.0)
}

/// The chance of so many or more of `all` coins.
fn at_least(wanted: u64, all: u64, share: f64) -> f64 {
    let (coins, odds) = (all as f64, share.ln() - (-share).ln_1p());
    let mut log = coins * (-share).ln_1p();
    let mut sum = 0.0;
    for heads in 0..=all {
        if heads >= wanted {
            sum += log.exp();
        }
        let heads = heads as f64;
        log += ((coins - heads) / (heads + 1.0)).ln() + odds;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_have_the_chances_of_the_textbook() {
        assert!((at_least(0, 10, 0.5) - 1.0).abs() < 1e-12);
        assert!((at_least(9, 10, 0.5) - 11.0 / 1024.0).abs() < 1e-12);
        assert!((at_least(1, 3, 0.1) - 0.271).abs() < 1e-12);
    }
}
