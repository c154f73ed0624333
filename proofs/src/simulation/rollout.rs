//! Simulated rollouts under the production judge and its decisions.

use hotfix_core::decide::Verification;
use hotfix_core::model::{InvalidValue, Ruling, VerificationRules};

use super::sampling::Random;
use super::traffic::{Play, RAMP, Traffic, Truth};

/// Scrapes at each weight of a ramp that takes no notice of what is decided: 80 in all.
const SCRAPES_EACH: u32 = 20;
/// Harm that is not found within so many scrapes counts as found then.
pub(crate) const PATIENCE: u32 = 400;

/// All that the rollouts of one cell have in common.
pub(crate) struct Cell<'a> {
    rules: &'a VerificationRules,
    traffic: Traffic,
}

impl<'a> Cell<'a> {
    /// A cell whose rollouts climb the ramp.
    pub(crate) fn ramp(rules: &'a VerificationRules, truth: Truth) -> Result<Self, InvalidValue> {
        Ok(Self { rules, traffic: Traffic::new(truth, &RAMP)? })
    }

    /// A cell whose rollouts climb the ramp and get all the traffic in the end.
    pub(crate) fn whole(rules: &'a VerificationRules, truth: Truth) -> Result<Self, InvalidValue> {
        let percents = [&RAMP[..], &[100]].concat();
        Ok(Self { rules, traffic: Traffic::new(truth, &percents)? })
    }

    /// A cell whose rollouts stay at the first weight of a ramp, which is this.
    pub(crate) fn constant(
        rules: &'a VerificationRules,
        truth: Truth,
        percent: u8,
    ) -> Result<Self, InvalidValue> {
        Ok(Self { rules, traffic: Traffic::new(truth, &[percent; RAMP.len()])? })
    }

    /// Climbs the ramp whatever is decided, and returns whether any scrape asked for a rollback.
    pub(crate) fn rolls_back(&self, random: &mut Random) -> Result<bool, InvalidValue> {
        self.climb(random, |_, ruling| matches!(ruling, Ruling::RollBack { .. }))
    }

    /// Climbs the ramp whatever is decided, and returns whether the canary was ever shown to be good.
    pub(crate) fn is_proven(&self, random: &mut Random) -> Result<bool, InvalidValue> {
        let enough = self.rules.judge.log_promote();
        self.climb(random, |rollout, _| rollout.evidence().statistics.log_proof >= enough)
    }

    fn climb(
        &self,
        random: &mut Random,
        wanted: impl Fn(&Verification, &Ruling) -> bool,
    ) -> Result<bool, InvalidValue> {
        let mut play = self.traffic.play(random)?;
        let mut rollout = begin(self.rules, &self.traffic, &play)?;
        for (place, step) in self.traffic.steps.iter().enumerate() {
            if place > 0 {
                rollout.next_gate(step.gate);
            }
            for _ in 0..SCRAPES_EACH {
                let ruling = rollout.observe(&play.scrape(step)?, &[]).1;
                if wanted(&rollout, &ruling) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Stays at the first weight until a scrape asks for a rollback, and returns how many it took.
    pub(crate) fn found_after(&self, random: &mut Random) -> Result<u32, InvalidValue> {
        let mut play = self.traffic.play(random)?;
        let mut rollout = begin(self.rules, &self.traffic, &play)?;
        for scrapes in 1..PATIENCE {
            let sample = play.scrape(&self.traffic.steps[0])?;
            if let Ruling::RollBack { .. } = rollout.observe(&sample, &[]).1 {
                return Ok(scrapes);
            }
        }
        Ok(PATIENCE)
    }
}

/// Begins to judge a rollout of that traffic.
pub(super) fn begin(
    rules: &VerificationRules,
    traffic: &Traffic,
    play: &Play<'_>,
) -> Result<Verification, InvalidValue> {
    let later = u32::try_from(traffic.steps.len() - 1).unwrap_or(u32::MAX);
    Verification::new(rules, traffic.steps[0].gate, later, play.calibration.clone())
}
