//! The gates that need no traffic: ready, and ready for a while.

use crate::model::{Fault, Period, Reason, Ruling, Timestamp, Verdict, VerdictOutcome};

/// What a watch has told of one slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    replicas: u16,
    ready: u16,
    faults: Vec<Fault>,
}

impl Health {
    /// Takes in how many instances are wanted and how many can take traffic.
    pub const fn count(&mut self, replicas: u16, ready: u16) {
        self.replicas = replicas;
        self.ready = ready;
    }

    /// Takes in that nobody looks any more: how many are ready is not known. Faults stay.
    pub const fn lose_sight(&mut self) {
        self.replicas = 0;
        self.ready = 0;
    }

    /// Takes in what is wrong with an instance. A fault stays: what recovered once can fail again.
    pub fn fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Returns how many instances can take traffic.
    #[must_use]
    pub const fn ready_count(&self) -> u16 {
        self.ready
    }

    /// Decides a gate that waits until all instances are ready. `None`: wait.
    #[must_use]
    pub fn ready(&self) -> Option<Verdict> {
        self.condemned().or_else(|| {
            let instances = self.replicas;
            self.is_ready().then(|| passed(vec![Reason::AllReady { instances }]))
        })
    }

    /// Decides a gate that waits until the instances have been ready and faultless from `since` for `lasting`. `None`:
    /// wait.
    #[must_use]
    pub fn soaked(&self, since: Timestamp, now: Timestamp, lasting: Period) -> Option<Verdict> {
        self.condemned().or_else(|| {
            let instances = self.replicas;
            let is_up = now >= since + lasting.to_delta();
            let reasons = vec![Reason::AllReady { instances }, Reason::StayedReady { lasting }];
            (is_up && self.is_ready()).then(|| passed(reasons))
        })
    }

    const fn is_ready(&self) -> bool {
        self.replicas > 0 && self.ready >= self.replicas
    }

    fn condemned(&self) -> Option<Verdict> {
        if self.faults.is_empty() {
            return None;
        }
        let ruling = Ruling::condemned_by(&self.faults);
        Some(Verdict::without_samples(ruling.outcome(), ruling.reasons().to_vec()))
    }
}

fn passed(reasons: Vec<Reason>) -> Verdict {
    Verdict::without_samples(VerdictOutcome::Pass, reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn all_instances_must_be_ready() {
        let mut health = Health::default();
        assert_eq!(health.ready(), None, "nothing known is not ready");
        health.count(2, 1);
        assert_eq!(health.ready(), None);
        health.count(2, 2);
        assert_eq!(
            health.ready().unwrap().to_string(),
            "pass: 2 of 2 instances ready, nothing wrong with any"
        );
    }

    #[test]
    fn a_soak_takes_its_time() {
        let mut health = Health::default();
        health.count(1, 1);
        let lasting = Period::from_secs(10);
        assert_eq!(health.soaked(at(0), at(9), lasting), None);
        assert_eq!(health.soaked(at(0), at(10), lasting).unwrap().outcome, VerdictOutcome::Pass);
    }

    #[test]
    fn what_is_out_of_sight_passes_nothing_and_keeps_its_faults() {
        let mut health = Health::default();
        health.count(2, 2);
        health.lose_sight();
        assert_eq!(health.ready(), None);
        assert_eq!(health.soaked(at(0), at(10), Period::from_secs(10)), None);
        health.fault(Fault::CrashLoop { instance: "green-0".into(), restarts: 3 });
        health.lose_sight();
        assert_eq!(health.ready().unwrap().outcome, VerdictOutcome::Fail);
    }

    #[test]
    fn a_fault_condemns_at_once_and_stays() {
        let mut health = Health::default();
        health.count(1, 1);
        health.fault(Fault::CrashLoop { instance: "green-0".into(), restarts: 3 });
        health.count(1, 1);
        let verdict = health.ready().unwrap();
        assert_eq!(verdict.to_string(), "fail: canary instance green-0 is in a crash loop (3 restarts)");
        assert_eq!(health.soaked(at(0), at(1), Period::from_secs(10)).unwrap().outcome, VerdictOutcome::Fail);
    }
}
