//! Why a ruling is what it is: data for programs, one line each for the person who reads it at three in the morning.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ArtifactId, Burn, Counts, Fault, Missing, Percent, Period, Slow, Threshold, Timestamp, Totals};

/// One ground of a ruling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
#[non_exhaustive]
pub enum Reason {
    /// An instance of the canary is broken.
    CanaryFault {
        /// What is wrong with it.
        fault: Fault,
    },
    /// The canary does harm.
    Harm {
        /// What was answered at this weight.
        seen: Comparison,
        /// The evidence of harm against what condemns.
        evidence: Weighed,
    },
    /// A simple rule is broken.
    ThresholdExceeded {
        /// The rule.
        rule: Threshold,
        /// What the canary answered in the time or the scrape that broke it; for a percentile, what it answered late
        /// counts as errors.
        canary: Counts,
        /// What the baseline answered in it, for a rule that compares.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<Counts>,
    },
    /// The metrics do not hold what a simple rule is about.
    ThresholdBlind {
        /// The rule.
        rule: Threshold,
        /// For how many scrapes in a row.
        scrapes: u32,
    },
    /// The canary stopped answering: a broken process cannot count the connections it refuses.
    CanaryStarved {
        /// What the canary answered in the last scrape.
        requests: u64,
        /// What it should have answered by its weight.
        expected: u64,
        /// For how many scrapes in a row.
        scrapes: u32,
    },
    /// There are no metrics.
    Blind {
        /// Why.
        cause: Missing,
        /// For how many scrapes in a row.
        scrapes: u32,
        /// How many are waited for.
        limit: u32,
    },
    /// No request reached the canary in this scrape.
    CanaryQuiet {
        /// For how many scrapes in a row.
        scrapes: u32,
    },
    /// No request reaches the canary.
    NoCanaryTraffic {
        /// For how many scrapes in a row.
        scrapes: u32,
        /// What the baseline answered in the last one.
        baseline: Counts,
    },
    /// There is some evidence of harm: too little to condemn and too much to go on.
    Suspicious {
        /// What was answered at this weight.
        seen: Comparison,
        /// The evidence of harm against what forbids to go forward.
        evidence: Weighed,
    },
    /// The canary fails as the baseline does: no harm, and no cure.
    FixDoesNotFix {
        /// What was answered at this weight.
        seen: Comparison,
        /// The error rate no release may have.
        ceiling: f64,
    },
    /// Too few requests reached the canary to go on without proof.
    TooFewRequests {
        /// What the canary answered at this weight.
        requests: u64,
        /// What is needed.
        needed: u64,
    },
    /// The time for proof is not up.
    Gathering {
        /// Scrapes with canary traffic at this weight.
        scrapes: u32,
        /// How many there will be at the most.
        limit: u32,
        /// The promotion evidence against what proves.
        proof: Weighed,
    },
    /// Nothing could be decided at this weight for too long.
    HeldTooLong {
        /// In how many scrapes something stood against going forward.
        scrapes: u32,
    },
    /// The canary is shown to be good.
    ProvenGood {
        /// What was answered at this weight.
        seen: Comparison,
        /// The promotion evidence against what proves.
        proof: Weighed,
    },
    /// The canary is shown to be better than the baseline.
    FixWorks {
        /// The evidence for that against what shows it.
        evidence: Weighed,
    },
    /// The time for proof is up and nothing stands against the canary.
    Unproven {
        /// What was answered at this weight.
        seen: Comparison,
        /// Scrapes with canary traffic at this weight.
        scrapes: u32,
        /// The promotion evidence against what would have proved.
        proof: Weighed,
    },
    /// Every instance can take traffic and nothing is wrong with any.
    AllReady {
        /// How many there are.
        instances: u16,
    },
    /// It stayed so.
    StayedReady {
        /// For how long.
        lasting: Period,
    },
    /// A check from outside passed.
    CheckPassed {
        /// Its name.
        check: String,
        /// How often.
        looks: u32,
    },
    /// The error budget of a release that is live is spent too fast.
    BudgetBurnt {
        /// The rule.
        burn: Burn,
        /// The share of requests that shall succeed.
        objective: Percent,
        /// What was answered in the long window.
        seen: Counts,
    },
    /// A release that is live was watched to the end.
    Watched {
        /// For how long.
        lasting: Period,
        /// What was answered.
        seen: Counts,
    },
    /// Nothing could be counted while a release was watched.
    NothingCounted {
        /// For how long.
        lasting: Period,
    },
    /// Something else is live than what was to be watched.
    Superseded {
        /// What is live; `None`: nothing.
        live: Option<ArtifactId>,
    },
    /// The time was up before anything was shown.
    Expired {
        /// When.
        deadline: Timestamp,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CanaryFault { fault } => write!(f, "canary instance {fault}"),
            Self::Harm { seen, evidence } => write!(f, "{seen} (evidence {evidence})"),
            Self::ThresholdExceeded { rule, canary, baseline } => {
                write!(f, "{rule}: canary ")?;
                match rule.bound() {
                    Some(over) => write!(f, "{} of {} over {over}", canary.errors(), canary.requests())?,
                    None => write!(f, "{canary}")?,
                }
                write_against(f, *baseline)
            }
            Self::ThresholdBlind { rule, scrapes } => {
                write!(f, "{rule}: nothing is known in {scrapes} scrapes in a row")?;
                f.write_str("; check that the metrics count requests at this bound")
            }
            Self::CanaryStarved { requests, expected, scrapes } => write!(
                f,
                "canary does not answer: {requests} of {expected} expected requests, {scrapes} scrapes in a row"
            ),
            Self::Blind { cause, scrapes, limit } => {
                write!(f, "blind for {scrapes} of at most {limit} scrapes: {cause}")
            }
            Self::CanaryQuiet { scrapes } => write!(f, "no canary request, {scrapes} scrapes in a row"),
            Self::NoCanaryTraffic { scrapes, baseline } => {
                write!(
                    f,
                    "no canary traffic, {scrapes} scrapes in a row; in the last the baseline answered "
                )?;
                write!(f, "{} requests: check traffic split and labels", baseline.requests())
            }
            Self::Suspicious { seen, evidence } => write!(f, "suspicious: {seen} (evidence {evidence})"),
            Self::FixDoesNotFix { seen, ceiling } => {
                write!(f, "fix does not fix: {seen}, allowed are {} %", ceiling * 100.0)
            }
            Self::TooFewRequests { requests, needed } => {
                write!(f, "only {requests} canary requests, {needed} are needed to go on unproven")
            }
            Self::Gathering { scrapes, limit, proof } => {
                write!(f, "{scrapes} of at most {limit} scrapes (proof {proof})")
            }
            Self::AllReady { instances } => {
                write!(f, "{instances} of {instances} instances ready, nothing wrong with any")
            }
            Self::StayedReady { lasting } => write!(f, "ready and faultless for {lasting}"),
            Self::CheckPassed { check, looks: 1 } => write!(f, "check {check} passed"),
            Self::CheckPassed { check, looks } => write!(f, "check {check} passed {looks} times"),
            Self::BudgetBurnt { burn, objective, seen } => {
                write!(f, "{burn} is spent, objective {objective}: {seen}")
            }
            Self::Watched { lasting, seen } => write!(f, "{seen} in {lasting}, within all limits"),
            Self::NothingCounted { lasting } => {
                write!(f, "nothing was counted in {lasting}; check that the metrics tell of this slot")
            }
            Self::Superseded { live: Some(live) } => write!(f, "{live} is live now"),
            Self::Superseded { live: None } => f.write_str("nothing is live now"),
            Self::Expired { deadline } => {
                write!(f, "nothing was shown until the deadline at {}", deadline.format("%H:%M:%S UTC"))
            }
            Self::HeldTooLong { scrapes } => write!(f, "held for {scrapes} scrapes at this weight"),
            Self::ProvenGood { seen, proof } => write!(f, "{seen} (proof {proof})"),
            Self::FixWorks { evidence } => write!(f, "better than the baseline (evidence {evidence})"),
            Self::Unproven { seen, scrapes, proof } => {
                write!(f, "nothing against it in {scrapes} scrapes: {seen} (proof {proof})")
            }
        }
    }
}

/// What both sides answered, as the ground of a ruling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Comparison {
    /// The side with the fix.
    pub canary: Counts,
    /// The side without it; `None` at 100 %, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Counts>,
    /// What both sides answered late, when it is this that tells against the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "canary {}", self.canary)?;
        write_against(f, self.baseline)?;
        if let Some(Slow { over, totals: Totals { canary, baseline } }) = self.slow {
            write!(f, ", {} of {} over {over}", canary.errors(), canary.requests())?;
            if self.baseline.is_some() {
                write!(f, " against {} of {}", baseline.errors(), baseline.requests())?;
            }
        }
        Ok(())
    }
}

fn write_against(f: &mut fmt::Formatter<'_>, baseline: Option<Counts>) -> fmt::Result {
    match baseline {
        Some(baseline) => write!(f, " against {} in {}", baseline.errors(), baseline.requests()),
        None => Ok(()),
    }
}

/// A betting score and what it is held against; both as natural logarithms, as in
/// [`Statistics`](super::Statistics), and both shown as plain numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    /// The score.
    pub log_score: f64,
    /// The score that matters.
    pub log_limit: f64,
}

impl Weighed {
    /// Returns whether the score is as high as the limit.
    #[must_use]
    pub fn reached(self) -> bool {
        self.log_score >= self.log_limit
    }
}

impl fmt::Display for Weighed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = if self.reached() { '≥' } else { '<' };
        write!(f, "{} {relation} {}", Score(self.log_score), Score(self.log_limit))
    }
}

/// A betting score, given as its logarithm, in as many digits as a human wants.
struct Score(f64);

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let score = self.0.exp();
        if score < 9.95 {
            write!(f, "{score:.1}")
        } else if score < 999_999.5 {
            write!(f, "{score:.0}")
        } else {
            write!(f, "1e{:.0}", (self.0 / std::f64::consts::LN_10).floor())
        }
    }
}
