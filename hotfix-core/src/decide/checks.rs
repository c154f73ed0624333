//! What checks from outside mean for a gate: a fault condemns, and what has not passed yet keeps the gate closed.

use std::collections::BTreeMap;

use crate::model::{Fault, Reason, Ruling, Verdict, VerdictOutcome};
use crate::port::CheckReport;

/// The checks of one gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    /// How often each passed.
    passed: BTreeMap<String, u32>,
    faults: Vec<Fault>,
}

impl Checks {
    /// Waits for a check by that name.
    pub fn expect(&mut self, name: &str) {
        self.passed.entry(name.to_owned()).or_default();
    }

    /// Takes in what a check saw. A fault stays: what recovered once can fail again.
    pub fn saw(&mut self, name: &str, report: &CheckReport) {
        if report.faults.is_empty() {
            let passed = self.passed.entry(name.to_owned()).or_default();
            *passed = passed.saturating_add(1);
        }
        let news = report.faults.iter().filter(|fault| !self.faults.contains(fault));
        self.faults.extend(news.cloned().collect::<Vec<_>>());
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Returns whether each check passed and none found anything wrong.
    #[must_use]
    pub fn have_passed(&self) -> bool {
        self.faults.is_empty() && self.passed.values().all(|passed| *passed > 0)
    }

    /// Returns the verdict of a gate that would end with `verdict`: none while a check has still to pass, a failure when
    /// one found something wrong.
    #[must_use]
    pub fn temper(&self, verdict: Option<Verdict>) -> Option<Verdict> {
        if !self.faults.is_empty() {
            let ruling = Ruling::condemned_by(&self.faults);
            return Some(Verdict::without_samples(ruling.outcome(), ruling.reasons().to_vec()));
        }
        let mut verdict = verdict?;
        if verdict.outcome == VerdictOutcome::Pass {
            if !self.have_passed() {
                return None;
            }
            verdict.reasons.extend(self.reasons());
        }
        Some(verdict)
    }

    /// Returns which checks passed, for a verdict that rests on them.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.passed.iter().map(|(check, looks)| Reason::CheckPassed { check: check.clone(), looks: *looks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(faults: Vec<Fault>) -> CheckReport {
        CheckReport { faults, seen: "seen".to_owned() }
    }

    fn passed() -> Option<Verdict> {
        let reasons = vec![Reason::AllReady { instances: 2 }];
        Some(Verdict::without_samples(VerdictOutcome::Pass, reasons))
    }

    #[test]
    fn a_gate_waits_for_every_check() {
        let mut checks = Checks::default();
        assert_eq!(checks.temper(passed()), passed(), "no checks change nothing");
        checks.expect("checkout");
        checks.expect("login");
        checks.saw("checkout", &report(Vec::new()));
        assert_eq!(checks.temper(passed()), None);
        checks.saw("login", &report(Vec::new()));
        checks.saw("login", &report(Vec::new()));
        assert_eq!(
            checks.temper(passed()).unwrap().to_string(),
            "pass: 2 of 2 instances ready, nothing wrong with any; check checkout passed; check login passed 2 times"
        );
        assert_eq!(checks.temper(None), None);
    }

    #[test]
    fn what_a_check_found_condemns_for_good() {
        let mut checks = Checks::default();
        checks.expect("checkout");
        let fault = Fault::ReadinessLost {
            instance: "http://shop/pay".into(),
            reason: "checkout: status 503".into(),
        };
        checks.saw("checkout", &report(vec![fault.clone()]));
        checks.saw("checkout", &report(vec![fault]));
        checks.saw("checkout", &report(Vec::new()));
        let verdict = checks.temper(None).unwrap();
        assert_eq!(
            verdict.to_string(),
            "fail: canary instance http://shop/pay is no longer ready: checkout: status 503"
        );
    }
}
