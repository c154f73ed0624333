//! The rules: what condemns, what stands against going forward, and what allows it — in this order.

use super::progress::{expected, seen};
use super::{Gate, Progress, Thresholds};
use crate::model::{
    Comparison, Evidence, Fault, OnBlind, Proof, Reason, Ruling, Sample, VerificationRules, Weighed,
};

/// No single scrape decides, so this many have to speak against the canary.
const LEAST_ACCUSED: u32 = 2;

/// All that a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The thresholds.
    pub rules: &'a VerificationRules,
    /// The weight that is looked at.
    pub gate: Gate,
    /// What was seen at it, the sample included; `held` counts the scrapes before it.
    pub progress: Progress,
    /// What the judge says, the sample included.
    pub evidence: Evidence,
    /// The newest sample.
    pub sample: &'a Sample,
    /// What is wrong with instances of the canary (not of the baseline).
    pub faults: &'a [Fault],
    /// What the simple rules have seen, the sample included.
    pub thresholds: &'a Thresholds,
}

/// Decides. The result depends on the situation only.
///
/// - **Roll back** when an instance of the canary is broken, when the evidence of harm reaches `1/α` and at least two scrapes
///   raised it, when a threshold is exceeded, or when the canary had traffic and stopped answering.
/// - Otherwise **hold** while the metrics are missing, or miss what a threshold is about, the canary gets no traffic, the
///   evidence is suspicious, or there is nothing to go on with at the end of the dwell; **freeze** when that lasts too
///   long.
/// - Otherwise **promote** when the canary is shown to be good after the least dwell, or nothing was shown by the end of
///   the longest.
/// - Otherwise **hold**, to gather more.
#[must_use]
pub fn decide(situation: &Situation<'_>) -> Ruling {
    situation
        .condemned()
        .or_else(|| situation.blocked())
        .or_else(|| situation.promoted())
        .unwrap_or_else(|| situation.gathering())
}

impl Situation<'_> {
    fn condemned(&self) -> Option<Ruling> {
        let broken = |fault: &Fault| Reason::CanaryFault { fault: fault.clone() };
        let mut reasons: Vec<_> = self.faults.iter().map(broken).collect();
        reasons.extend(self.harm());
        reasons.extend(self.thresholds.breaches());
        reasons.extend(self.starvation());
        if self.rules.pace.on_blind == OnBlind::RollBack && self.is_blind() {
            reasons.extend(self.blindness());
        }
        (!reasons.is_empty()).then_some(Ruling::RollBack { reasons })
    }

    fn blocked(&self) -> Option<Ruling> {
        if !self.is_blocked() {
            return None;
        }
        let reasons: Vec<_> = self.obstacles().into_iter().flatten().collect();
        let scrapes = self.progress.held.saturating_add(1);
        if scrapes >= self.rules.pace.hold_limit {
            let reasons = [vec![Reason::HeldTooLong { scrapes }], reasons].concat();
            return Some(Ruling::Freeze { reasons });
        }
        Some(if self.is_blind() { Ruling::Freeze { reasons } } else { Ruling::Hold { reasons } })
    }

    fn promoted(&self) -> Option<Ruling> {
        if self.no_cure().is_some() {
            return None;
        }
        let (seen, proof) = (self.comparison(), self.proof());
        if self.is_proven() && self.progress.dwell >= self.least_dwell() {
            let mut reasons = vec![Reason::ProvenGood { seen, proof }];
            reasons.extend(self.cure());
            return Some(Ruling::Promote { proof: Proof::Proven, reasons });
        }
        self.dwell_is_over().then(|| Ruling::Promote {
            proof: Proof::Unproven,
            reasons: vec![Reason::Unproven { seen, scrapes: self.progress.dwell, proof }],
        })
    }

    fn gathering(&self) -> Ruling {
        let mut reasons = vec![Reason::Gathering {
            scrapes: self.progress.dwell,
            limit: self.longest_dwell(),
            proof: self.proof(),
        }];
        reasons.extend(self.no_cure());
        Ruling::Hold { reasons }
    }
}

/// What condemns.
impl Situation<'_> {
    fn harm(&self) -> Option<Reason> {
        let evidence = self.harm_against(self.rules.judge.log_rollback());
        let stands = evidence.reached() && self.progress.accused >= LEAST_ACCUSED;
        stands.then(|| Reason::Harm { seen: self.accusation(), evidence })
    }

    fn starvation(&self) -> Option<Reason> {
        let [canary, baseline] = seen(self.sample, self.gate)?;
        (self.progress.starved >= self.rules.pace.starved_limit).then(|| Reason::CanaryStarved {
            requests: canary.requests(),
            expected: u64::try_from(expected(canary, baseline, self.gate) / 100).unwrap_or(u64::MAX),
            scrapes: self.progress.starved,
        })
    }
}

/// What stands against going forward.
impl Situation<'_> {
    pub(super) fn is_blocked(&self) -> bool {
        self.obstacles().iter().any(Option::is_some)
    }

    fn obstacles(&self) -> [Option<Reason>; 6] {
        [
            self.blindness(),
            self.silence(),
            self.thresholds.untold(self.rules.pace.quiet_limit),
            self.suspicion(),
            self.no_cure().filter(|_| self.dwell_is_over()),
            self.scarcity(),
        ]
    }

    fn blindness(&self) -> Option<Reason> {
        let baseline = self.gate.has_baseline().then_some(&self.sample.baseline);
        let cause = [Some(&self.sample.canary), baseline]
            .into_iter()
            .flatten()
            .find_map(|reading| reading.missing())?;
        Some(Reason::Blind {
            cause: cause.clone(),
            scrapes: self.progress.blind,
            limit: self.rules.pace.blind_limit,
        })
    }

    fn is_blind(&self) -> bool {
        self.progress.blind >= self.rules.pace.blind_limit
    }

    fn silence(&self) -> Option<Reason> {
        let [canary, baseline] = seen(self.sample, self.gate)?;
        let scrapes = self.progress.quiet;
        if canary.requests() > 0 {
            None
        } else if scrapes >= self.rules.pace.quiet_limit {
            Some(Reason::NoCanaryTraffic { scrapes, baseline })
        } else {
            Some(Reason::CanaryQuiet { scrapes })
        }
    }

    fn suspicion(&self) -> Option<Reason> {
        let evidence = self.harm_against(libm::log(self.rules.judge.suspicion));
        evidence.reached().then(|| Reason::Suspicious { seen: self.accusation(), evidence })
    }

    /// A canary above the ceiling that is not better than its baseline is not condemned, and not let through.
    fn no_cure(&self) -> Option<Reason> {
        let above = self.evidence.statistics.log_absolute >= libm::log(self.rules.judge.suspicion);
        let neutral = self.gate.has_baseline() && above && self.cure().is_none();
        neutral.then(|| Reason::FixDoesNotFix {
            seen: self.comparison(),
            ceiling: self.evidence.statistics.ceiling,
        })
    }

    fn scarcity(&self) -> Option<Reason> {
        let requests = self.evidence.gate.canary.requests();
        let needed = self.rules.pace.min_requests;
        let scarce = self.dwell_is_over() && requests < needed && !self.is_proven();
        scarce.then_some(Reason::TooFewRequests { requests, needed })
    }
}

/// What allows to go forward.
impl Situation<'_> {
    fn is_proven(&self) -> bool {
        self.proof().reached()
    }

    fn cure(&self) -> Option<Reason> {
        let evidence = Weighed {
            log_score: self.evidence.statistics.log_efficacy,
            log_limit: libm::log(self.rules.judge.efficacy),
        };
        evidence.reached().then_some(Reason::FixWorks { evidence })
    }

    fn least_dwell(&self) -> u32 {
        let pace = &self.rules.pace;
        match (self.gate.has_baseline(), self.cure()) {
            (false, _) => pace.alone_dwell,
            (true, Some(_)) => pace.quick_dwell,
            (true, None) => pace.min_dwell,
        }
    }

    fn longest_dwell(&self) -> u32 {
        let pace = &self.rules.pace;
        if self.gate.has_baseline() { pace.max_dwell } else { pace.alone_dwell }
    }

    fn dwell_is_over(&self) -> bool {
        self.progress.dwell >= self.longest_dwell()
    }

    fn proof(&self) -> Weighed {
        Weighed { log_score: self.evidence.statistics.log_proof, log_limit: self.rules.judge.log_promote() }
    }

    fn harm_against(&self, log_limit: f64) -> Weighed {
        Weighed { log_score: self.evidence.statistics.log_harm, log_limit }
    }

    fn comparison(&self) -> Comparison {
        let seen = self.evidence.gate;
        let baseline = self.gate.has_baseline().then_some(seen.baseline);
        Comparison { canary: seen.canary, baseline, slow: None }
    }

    /// What was answered, and late if that tells more against the canary than its errors do.
    fn accusation(&self) -> Comparison {
        let statistics = &self.evidence.statistics;
        let is_slow = statistics.log_latency > statistics.log_errors.max(statistics.log_ceiling);
        Comparison { slow: self.evidence.slow.filter(|_| is_slow), ..self.comparison() }
    }
}
