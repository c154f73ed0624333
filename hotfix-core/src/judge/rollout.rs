//! All statistics of one rollout, updated by one scrape at a time.

use std::collections::BTreeMap;

use super::ceiling::CeilingProcess;
use super::compared::{ALIKE, Compared};
use super::errors::ErrorProcess;
use super::latency::LatencyProcess;
use super::promotion::{AbsoluteProof, RelativeProof, log_mean};
use super::start::{Onset, StartMass};
use crate::model::{
    Calibration, Counts, InvalidValue, JudgeSettings, LatencyBound, StatisticWeights, Statistics, Tail,
    Totals,
};

/// The judge of one rollout. It holds some forty numbers, allocates nothing per scrape, and what it says depends on the
/// settings, the calibration and the scrapes only.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    weights: StatisticWeights,
    comparison: Comparison,
    onset: Onset,
    fresh: StartMass,
    errors: ErrorProcess,
    latency: LatencyProcess,
    ceiling: CeilingProcess,
    floor: Option<CeilingProcess>,
    relative: RelativeProof,
    absolute: AbsoluteProof,
    efficacy: RelativeProof,
}

/// Whether there is a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    WithBaseline,
    Alone,
}

impl Judge {
    /// Starts to judge a rollout of one step and `later_steps` more, with what was measured of the baseline before it.
    ///
    /// # Errors
    /// [`InvalidValue`] when the settings would break the bound on false alarms; see [`JudgeSettings::check`].
    pub fn new(
        settings: &JudgeSettings,
        later_steps: u32,
        calibration: impl Into<Calibration>,
    ) -> Result<Self, InvalidValue> {
        settings.check()?;
        let calibration = calibration.into();
        let phi = calibration.dispersion.get();
        let fresh = StartMass::new(settings.planned_scrapes, later_steps);
        let above = |theta| CeilingProcess::new(settings, theta, settings.cap(), fresh.clone(), phi);
        Ok(Self {
            weights: settings.weights,
            comparison: Comparison::WithBaseline,
            onset: Onset::Rollout,
            errors: ErrorProcess::new(settings, settings.tolerated_ratio, settings.cap(), fresh.clone(), phi),
            latency: LatencyProcess::new(settings, &fresh, &calibration),
            ceiling: above(settings.ceiling),
            floor: settings.floor.map(above),
            fresh: fresh.clone(),
            relative: RelativeProof::new(settings.bad_ratio, settings, phi),
            absolute: AbsoluteProof::new(settings, phi),
            efficacy: RelativeProof::new(1.0, settings, phi),
        })
    }

    /// Says that the next scrape is the first of a later step: harm may begin there. Evidence is carried over.
    pub fn begin_step(&mut self) {
        if self.onset == Onset::Within {
            self.onset = Onset::Step;
        }
    }

    /// Says that there is no baseline from here on; `last_baseline` is what it answered at the last weight it had.
    ///
    /// The comparison of errors keeps the evidence it has; that of latencies goes on against what was usual. The ceiling
    /// starts anew with the wealth it counted with so far, the
    /// smaller of its own and the comparison's: what a bet has won may be bet again without breaking the bound.
    pub fn continue_alone(&mut self, last_baseline: Counts) {
        if self.comparison == Comparison::WithBaseline {
            let stake = self.ceiling_share();
            self.comparison = Comparison::Alone;
            self.onset = Onset::Rollout;
            self.ceiling.restart(stake, self.fresh.clone(), last_baseline);
            self.latency.continue_alone(&self.fresh);
        }
    }

    /// Takes in what both sides answered since the scrape before, where latencies are not known.
    pub fn update(&mut self, canary: Counts, baseline: Counts) {
        self.update_with_tails(canary, baseline, &BTreeMap::new());
    }

    /// The same where latencies are known: also what of it was slow.
    pub fn update_with_tails(
        &mut self,
        canary: Counts,
        baseline: Counts,
        tails: &BTreeMap<LatencyBound, Tail>,
    ) {
        self.update_by_kind(Totals { canary, baseline }, &ALIKE, tails);
    }

    /// The same where kinds of requests are known too: each is compared with itself. A baseline that is gone is not
    /// counted.
    pub fn update_by_kind(
        &mut self,
        Totals { canary, baseline }: Totals,
        kinds: &BTreeMap<String, Totals>,
        tails: &BTreeMap<LatencyBound, Tail>,
    ) {
        let (baseline, kinds) = match self.comparison {
            Comparison::WithBaseline => (baseline, kinds),
            Comparison::Alone => (Counts::NONE, &ALIKE),
        };
        let whole = Totals { canary, baseline };
        let scrape = Compared::new(&whole, kinds);
        self.errors.update(self.onset, scrape);
        self.latency.update(self.onset, tails);
        self.ceiling.update(self.onset, canary);
        if let Some(floor) = &mut self.floor {
            floor.update(self.onset, canary);
        }
        self.relative.update(scrape);
        self.absolute.update(canary);
        self.efficacy.update(scrape);
        self.onset = Onset::Within;
    }

    /// Returns the statistics as they stand.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let relative = self.relative.log_wealth();
        let absolute = self.absolute.log_wealth();
        Statistics {
            log_harm: self.log_harm(),
            log_errors: libm::log(self.errors.wealth()),
            log_count: libm::log(self.errors.count()),
            log_share: libm::log(self.errors.share()),
            log_latency: libm::log(self.latency.wealth()),
            log_ceiling: libm::log(self.ceiling_share()),
            log_absolute: libm::log(self.ceiling.wealth()),
            ceiling: self.ceiling.theta(),
            log_proof: match self.comparison {
                Comparison::WithBaseline => log_mean(relative, absolute),
                Comparison::Alone => absolute,
            },
            log_proof_relative: relative,
            log_proof_absolute: absolute,
            log_efficacy: self.efficacy.log_wealth(),
        }
    }

    /// Returns the decision statistic alone.
    pub(crate) fn log_harm(&self) -> f64 {
        libm::log(self.harm())
    }

    /// Returns the latency bound beyond which the canary stands out the most; `None` when latencies are not known.
    #[must_use]
    pub fn worst_bound(&self) -> Option<LatencyBound> {
        self.latency.worst()
    }

    /// The decision statistic: a weighted mean of e-processes, the rest of the weight not bet.
    fn harm(&self) -> f64 {
        let StatisticWeights { errors, latency, ceiling } = self.weights;
        // What latency has in the mean but cannot say, the errors say.
        let (errors, latency) =
            if self.latency.is_known() { (errors, latency) } else { (errors + latency, 0.0) };
        let idle = (1.0 - errors - latency - ceiling).max(0.0);
        errors * self.errors_share() + latency * self.latency.wealth() + ceiling * self.ceiling_share() + idle
    }

    /// While being above the floor is not shown, being worse than the baseline counts only as far as that is.
    fn errors_share(&self) -> f64 {
        let errors = self.errors.wealth();
        self.floor.as_ref().map_or(errors, |floor| errors.min(floor.wealth()))
    }

    /// While there is a baseline, being above the ceiling counts only as far as being worse than the baseline does: a
    /// broken baseline must not condemn a neutral fix.
    fn ceiling_share(&self) -> f64 {
        let absolute = self.ceiling.wealth();
        match self.comparison {
            Comparison::WithBaseline => absolute.min(self.errors.wealth()),
            Comparison::Alone => absolute,
        }
    }
}
