//! Whole ladders: who climbs how fast, who goes back when, and what it cost.

use hotfix_core::model::{InvalidValue, Ruling, VerificationRules};

use super::method::{Look, Rates};
use super::rollout::begin;
use super::sampling::Random;
use super::traffic::{Play, RAMP, Traffic, Truth};

/// Who climbs.
#[derive(Debug, Clone)]
pub(crate) enum Climber {
    /// The production judge and its decisions.
    Judge(Box<VerificationRules>),
    /// Steps of five minutes, the canary's error rate of the last minute at most 1 %, measured every minute; one more
    /// failure than allowed goes back.
    Argo { allowed: u32 },
    /// A step a minute, whenever the rate of the last minute is at most 1 %; five failures go back.
    Flagger,
}

/// How a ladder ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Climb {
    pub(crate) end: End,
    pub(crate) scrapes: u32,
    /// How many more requests failed than would have without the rollout.
    pub(crate) excess: f64,
}

/// The end of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Promoted,
    RolledBack,
    /// A human is asked.
    Frozen,
}

/// The rate that others are told to allow.
const ALLOWED: f64 = 0.01;
/// A minute of scrapes.
const MINUTE: u32 = 4;
/// How long Argo stays at a weight.
const ARGO_STEP: u32 = 5 * MINUTE;
/// How often Flagger's check may fail, less one.
const FLAGGER_FAILURES: u32 = 5;
/// Nobody stays longer.
const LONGEST: u32 = 4000;

impl Climber {
    /// The traffic of a ladder.
    pub(crate) fn traffic(truth: Truth) -> Result<Traffic, InvalidValue> {
        Traffic::new(truth, &RAMP)
    }

    pub(crate) fn climb(&self, traffic: &Traffic, random: &mut Random) -> Result<Climb, InvalidValue> {
        let mut play = traffic.play(random)?;
        let end = match self {
            Self::Judge(rules) => judged(rules, traffic, &mut play)?,
            Self::Argo { allowed } => argo(*allowed, traffic, &mut play)?,
            Self::Flagger => flagger(traffic, &mut play)?,
        };
        Ok(Climb { end, scrapes: play.scrapes, excess: play.excess })
    }
}

/// Does what is decided, up to the promotion from the last weight.
fn judged(rules: &VerificationRules, traffic: &Traffic, play: &mut Play<'_>) -> Result<End, InvalidValue> {
    let mut rollout = begin(rules, traffic, play)?;
    for (place, step) in traffic.steps.iter().enumerate() {
        if place > 0 {
            rollout.next_gate(step.gate);
        }
        loop {
            match rollout.observe(&play.scrape(step)?, &[]).1 {
                Ruling::Hold { .. } => {}
                Ruling::Promote { .. } => break,
                Ruling::RollBack { .. } => return Ok(End::RolledBack),
                Ruling::Freeze { .. } => return Ok(End::Frozen),
            }
        }
    }
    Ok(End::Promoted)
}

fn argo(allowed: u32, traffic: &Traffic, play: &mut Play<'_>) -> Result<End, InvalidValue> {
    let mut rates = Rates::new(ALLOWED, MINUTE, allowed + 1);
    for step in &traffic.steps {
        for _ in 0..ARGO_STEP {
            if rates.look(&play.scrape(step)?) == Look::TooOften {
                return Ok(End::RolledBack);
            }
        }
    }
    Ok(End::Promoted)
}

fn flagger(traffic: &Traffic, play: &mut Play<'_>) -> Result<End, InvalidValue> {
    let mut rates = Rates::new(ALLOWED, MINUTE, FLAGGER_FAILURES);
    for step in &traffic.steps {
        loop {
            match rates.look(&play.scrape(step)?) {
                Look::Good => break,
                Look::TooOften => return Ok(End::RolledBack),
                Look::Bad | Look::NotDue if play.scrapes < LONGEST => {}
                Look::Bad | Look::NotDue => return Ok(End::Frozen),
            }
        }
    }
    Ok(End::Promoted)
}
