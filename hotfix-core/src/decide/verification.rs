//! One rollout under judgement: what a driver feeds and asks.

use std::collections::BTreeMap;

use super::progress::seen;
use super::transcript::Transcript;
use super::{Gate, Progress, Situation, Thresholds, decide};
use crate::judge::Judge;
use crate::model::{
    Calibration, Counts, Evidence, EvidenceDigest, Fault, InvalidValue, LatencyBound, Ruling, Sample, Slow,
    Totals, Verdict, VerificationRules,
};

/// Judges one rollout, gate by gate. Evidence is carried from gate to gate; dwell begins anew with each.
///
/// The state is a fold over the samples: the same rules, gates, calibration and samples give the same state again, bit
/// for bit, so it is never stored. Faults decide at once and leave no trace in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    rules: VerificationRules,
    gate: Gate,
    judge: Judge,
    progress: Progress,
    thresholds: Thresholds,
    rollout: Totals,
    at_gate: Totals,
    slow: BTreeMap<LatencyBound, Totals>,
    last_baseline: Counts,
    transcript: Transcript,
}

impl Verification {
    /// Starts to judge a rollout at its first gate, with `later_gates` more to come, and with what was measured of the
    /// baseline before it.
    ///
    /// # Errors
    /// [`InvalidValue`] naming the rule that cannot be kept; see [`VerificationRules::check`].
    pub fn new(
        rules: &VerificationRules,
        first: Gate,
        later_gates: u32,
        calibration: impl Into<Calibration>,
    ) -> Result<Self, InvalidValue> {
        rules.check()?;
        let mut judge = Judge::new(&rules.judge, later_gates, calibration)?;
        if !first.has_baseline() {
            judge.continue_alone(Counts::NONE);
        }
        Ok(Self {
            rules: rules.clone(),
            gate: first,
            judge,
            progress: Progress::default(),
            thresholds: Thresholds::new(&rules.thresholds)?,
            rollout: Totals::default(),
            at_gate: Totals::default(),
            slow: BTreeMap::new(),
            last_baseline: Counts::NONE,
            transcript: Transcript::default(),
        })
    }

    /// Goes on to the next gate of the same rollout. A gate at 100 % has no baseline, and none comes back after it.
    pub fn next_gate(&mut self, gate: Gate) {
        self.judge.begin_step();
        if !gate.has_baseline() {
            self.judge.continue_alone(self.last_baseline);
        }
        self.gate = gate;
        self.progress = self.progress.next_gate();
        self.thresholds.next_gate();
        self.at_gate = Totals::default();
        self.slow.clear();
    }

    /// Takes in a sample and what is wrong with the canary's instances now, and says what follows.
    ///
    /// The first `Promote`, `RollBack` or `Freeze` ends the gate. Looking on after a freeze is allowed and may end it.
    pub fn observe(&mut self, sample: &Sample, faults: &[Fault]) -> (Evidence, Ruling) {
        self.transcript.record(sample);
        self.progress.count(sample, self.gate, &self.rules.pace);
        self.thresholds.count(sample, self.gate);
        if let Some([canary, baseline]) = seen(sample, self.gate) {
            self.count(Totals { canary, baseline }, sample);
        }
        let situation = Situation {
            rules: &self.rules,
            gate: self.gate,
            progress: self.progress,
            evidence: self.evidence(),
            sample,
            faults,
            thresholds: &self.thresholds,
        };
        let ruling = decide(&situation);
        if situation.is_blocked() {
            self.progress.held = self.progress.held.saturating_add(1);
        }
        (self.evidence(), ruling)
    }

    /// Returns the evidence as it stands.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let (statistics, rollout, gate) = (self.judge.statistics(), self.rollout, self.at_gate);
        Evidence { statistics, rollout, gate, slow: self.slowest() }
    }

    /// Returns the counters of the present gate.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Returns the present gate.
    #[must_use]
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// Puts down what the gate ends with: a promotion passes, a rollback fails, everything else is inconclusive.
    #[must_use]
    pub fn verdict(&self, ruling: &Ruling) -> Verdict {
        Verdict {
            outcome: ruling.outcome(),
            reasons: ruling.reasons().to_vec(),
            evidence: self.digest(),
            samples: self.transcript.samples(),
            totals: self.rollout,
        }
    }

    /// Returns the digest of the samples so far.
    #[must_use]
    pub fn digest(&self) -> EvidenceDigest {
        self.transcript.digest()
    }

    fn count(&mut self, whole: Totals, Sample { tails, kinds, .. }: &Sample) {
        let Totals { canary, baseline } = whole;
        let before = self.judge.log_harm();
        self.judge.update_by_kind(whole, kinds, tails);
        self.progress.weigh(before, self.judge.log_harm());
        for (bound, tail) in tails {
            let baseline = tail.baseline.filter(|_| self.gate.has_baseline());
            let alone = (!self.gate.has_baseline()).then_some(Counts::NONE);
            if let (Some(canary), Some(baseline)) = (tail.canary, baseline.or(alone)) {
                let sum = self.slow.entry(*bound).or_default();
                *sum = sum.saturating_add(canary, baseline);
            }
        }
        self.rollout = self.rollout.saturating_add(canary, baseline);
        self.at_gate = self.at_gate.saturating_add(canary, baseline);
        if self.at_gate.baseline.requests() > 0 {
            self.last_baseline = self.at_gate.baseline;
        }
    }

    fn slowest(&self) -> Option<Slow> {
        let over = self.judge.worst_bound()?;
        Some(Slow { over, totals: self.slow.get(&over).copied().unwrap_or_default() })
    }
}
