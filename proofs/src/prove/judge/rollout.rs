//! One simulated rollout: the production judge and decisions, fed with drawn traffic, one scrape every 15 seconds.

use hotfix_core::decide::{Gate, Verification};
use hotfix_core::judge::dispersion;
use hotfix_core::model::{InvalidValue, Ruling, Sample, Timestamp, VerificationRules};

use super::sampling::{Random, Side};

/// The weights of a ramp, in percent.
const RAMP: [u8; 4] = [10, 25, 50, 75];
/// Scrapes at each weight of a ramp that takes no notice of what is decided: 80 in all.
const SCRAPES_EACH: u32 = 20;
/// 50 requests a second for 15 seconds.
const REQUESTS: f64 = 750.0;
/// Scrapes before the rollout from which the dispersion is measured.
const BEFORE: u32 = 60;
/// Harm that is not found within so many scrapes counts as found then.
pub(super) const PATIENCE: u32 = 400;

/// How a service behaves: the share of requests that fails on each side, and how many fail in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truth {
    pub(super) baseline: f64,
    pub(super) canary: f64,
    pub(super) burst: f64,
}

/// All that the rollouts of one cell have in common.
pub(super) struct Cell<'a> {
    rules: &'a VerificationRules,
    before: Side,
    steps: Vec<Step>,
}

struct Step {
    gate: Gate,
    canary: Side,
    baseline: Side,
}

/// How a ladder that follows the decisions ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Promoted from the last weight, after so many scrapes.
    Promoted(u32),
    /// Rolled back or frozen.
    Stopped,
}

impl<'a> Cell<'a> {
    /// A cell whose rollouts climb the ramp.
    pub(super) fn ramp(rules: &'a VerificationRules, truth: Truth) -> Result<Self, InvalidValue> {
        Self::new(rules, truth, &RAMP)
    }

    /// A cell whose rollouts stay at the first weight of a ramp, which is this.
    pub(super) fn constant(
        rules: &'a VerificationRules,
        truth: Truth,
        percent: u8,
    ) -> Result<Self, InvalidValue> {
        Self::new(rules, truth, &[percent; RAMP.len()])
    }

    fn new(rules: &'a VerificationRules, truth: Truth, percents: &[u8]) -> Result<Self, InvalidValue> {
        let step = |percent: &u8| {
            let share = f64::from(*percent) / 100.0;
            Ok(Step {
                gate: Gate::at(*percent)?,
                canary: Side::new(REQUESTS * share, truth.canary, truth.burst),
                baseline: Side::new(REQUESTS * (1.0 - share), truth.baseline, truth.burst),
            })
        };
        Ok(Self {
            rules,
            before: Side::new(REQUESTS, truth.baseline, truth.burst),
            steps: percents.iter().map(step).collect::<Result<_, InvalidValue>>()?,
        })
    }

    /// Climbs the ramp whatever is decided, and returns whether any scrape asked for a rollback.
    pub(super) fn rolls_back(&self, random: &mut Random) -> Result<bool, InvalidValue> {
        self.climb(random, |_, ruling| matches!(ruling, Ruling::RollBack { .. }))
    }

    /// Climbs the ramp whatever is decided, and returns whether the canary was ever shown to be good.
    pub(super) fn is_proven(&self, random: &mut Random) -> Result<bool, InvalidValue> {
        let enough = self.rules.judge.log_promote();
        self.climb(random, |rollout, _| rollout.evidence().statistics.log_proof >= enough)
    }

    fn climb(
        &self,
        random: &mut Random,
        wanted: impl Fn(&Verification, &Ruling) -> bool,
    ) -> Result<bool, InvalidValue> {
        let mut rollout = self.begin(random)?;
        for (place, step) in self.steps.iter().enumerate() {
            if place > 0 {
                rollout.next_gate(step.gate);
            }
            for _ in 0..SCRAPES_EACH {
                let ruling = step.look(&mut rollout, random)?;
                if wanted(&rollout, &ruling) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Stays at the first weight until a scrape asks for a rollback, and returns how many it took.
    pub(super) fn found_after(&self, random: &mut Random) -> Result<u32, InvalidValue> {
        let mut rollout = self.begin(random)?;
        for scrapes in 1..PATIENCE {
            if let Ruling::RollBack { .. } = self.steps[0].look(&mut rollout, random)? {
                return Ok(scrapes);
            }
        }
        Ok(PATIENCE)
    }

    /// Does what is decided, up to the promotion from the last weight.
    pub(super) fn end(&self, random: &mut Random) -> Result<End, InvalidValue> {
        let mut rollout = self.begin(random)?;
        let mut scrapes = 0;
        for (place, step) in self.steps.iter().enumerate() {
            if place > 0 {
                rollout.next_gate(step.gate);
            }
            loop {
                scrapes += 1;
                match step.look(&mut rollout, random)? {
                    Ruling::Hold { .. } => {}
                    Ruling::Promote { .. } => break,
                    Ruling::RollBack { .. } | Ruling::Freeze { .. } => return Ok(End::Stopped),
                }
            }
        }
        Ok(End::Promoted(scrapes))
    }

    /// Measures the dispersion, as a driver does, and begins.
    fn begin(&self, random: &mut Random) -> Result<Verification, InvalidValue> {
        let errors = (0..BEFORE).map(|_| Ok(self.before.scrape(random)?.errors()));
        let phi = dispersion(&errors.collect::<Result<Vec<_>, InvalidValue>>()?);
        let later = u32::try_from(self.steps.len() - 1).unwrap_or(u32::MAX);
        Verification::new(self.rules, self.steps[0].gate, later, phi)
    }
}

impl Step {
    fn look(&self, rollout: &mut Verification, random: &mut Random) -> Result<Ruling, InvalidValue> {
        let (canary, baseline) = (self.canary.scrape(random)?, self.baseline.scrape(random)?);
        Ok(rollout.observe(&Sample::counted(Timestamp::UNIX_EPOCH, canary, baseline), &[]).1)
    }
}
