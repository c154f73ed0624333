//! What is seen of a release after its success, held against absolute limits and the error budget.

use std::collections::VecDeque;

use super::transcript::Transcript;
use super::{Gate, Thresholds};
use crate::model::{
    ArtifactId, Burn, Counts, InvalidValue, Missing, Period, Reason, Sample, Timestamp, Totals, Verdict,
    VerdictOutcome, WatchRules,
};

/// Watches one live release. A fold over its samples, like [`Verification`](super::Verification): the same rules and
/// samples give the same verdict again.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    rules: WatchRules,
    opened: Timestamp,
    thresholds: Thresholds,
    /// What was counted, as far back as a rule looks.
    log: VecDeque<(Timestamp, Counts)>,
    seen: Counts,
    /// Why the last looks saw nothing, and how many in a row these are.
    blind: Option<(Missing, u32)>,
    transcript: Transcript,
}

/// A human is asked to look after so many looks in a row that saw nothing.
const BLIND_LOOKS: u32 = 5;

impl Watch {
    /// Nothing was seen yet of what is watched since `opened`.
    ///
    /// # Errors
    /// As [`WatchRules::check`].
    pub fn new(rules: &WatchRules, opened: Timestamp) -> Result<Self, InvalidValue> {
        rules.check()?;
        Ok(Self {
            thresholds: Thresholds::new(&rules.thresholds)?,
            rules: rules.clone(),
            opened,
            log: VecDeque::new(),
            seen: Counts::NONE,
            blind: None,
            transcript: Transcript::default(),
        })
    }

    /// Takes in a sample and returns the verdict if a limit is exceeded. A sample that says nothing changes nothing but
    /// what is known of the blindness.
    pub fn observe(&mut self, sample: &Sample) -> Option<Verdict> {
        self.transcript.record(sample);
        match (sample.canary.counts(), sample.canary.missing()) {
            (Some(counts), _) => self.count(sample.at, counts),
            (None, Some(cause)) => {
                let before = self.blind.as_ref().map_or(0, |(_, looks)| *looks);
                self.blind = Some((cause.clone(), before.saturating_add(1)));
                return None;
            }
            (None, None) => return None,
        }
        self.thresholds.count(sample, Gate::ALONE);
        let burns = self.rules.burns.iter().filter_map(|burn| self.burnt(burn, sample.at));
        let reasons: Vec<Reason> = self.thresholds.breaches().chain(burns).collect();
        (!reasons.is_empty()).then(|| self.verdict(VerdictOutcome::Fail, reasons))
    }

    /// Returns why a human should look: nothing was seen several times in a row.
    #[must_use]
    pub fn blind(&self) -> Option<Reason> {
        let (cause, scrapes) = self.blind.as_ref().filter(|(_, looks)| *looks >= BLIND_LOOKS)?;
        Some(Reason::Blind { cause: cause.clone(), scrapes: *scrapes, limit: BLIND_LOOKS })
    }

    /// Puts down the end of a watch that found nothing. Having counted nothing is no pass.
    #[must_use]
    pub fn over(&self, lasting: Period) -> Verdict {
        let seen = self.seen;
        if seen.requests() == 0 {
            return self.verdict(VerdictOutcome::Inconclusive, vec![Reason::NothingCounted { lasting }]);
        }
        self.verdict(VerdictOutcome::Pass, vec![Reason::Watched { lasting, seen }])
    }

    /// Puts down the end of a watch whose release is not live any more.
    #[must_use]
    pub fn superseded(&self, live: Option<ArtifactId>) -> Verdict {
        self.verdict(VerdictOutcome::Pass, vec![Reason::Superseded { live }])
    }

    fn count(&mut self, at: Timestamp, counts: Counts) {
        self.blind = None;
        self.seen = self.seen.saturating_add(counts);
        self.log.push_back((at, counts));
        let since = at - self.rules.longest().to_delta();
        self.log.retain(|(at, _)| *at > since);
    }

    fn burnt(&self, burn: &Burn, now: Timestamp) -> Option<Reason> {
        let watched = u64::try_from((now - self.opened).num_milliseconds()).unwrap_or(0);
        let (long, short) = (self.within(burn.within, now), self.within(burn.still, now));
        let (objective, watched) = (self.rules.objective, Period::from_millis(watched));
        let spent = burn.is_spent(objective, watched, long, short);
        spent.then_some(Reason::BudgetBurnt { burn: *burn, objective, seen: long })
    }

    fn within(&self, period: Period, now: Timestamp) -> Counts {
        let since = now - period.to_delta();
        let recent = self.log.iter().filter(|(at, _)| *at > since);
        recent.fold(Counts::NONE, |sum, (_, counts)| sum.saturating_add(*counts))
    }

    fn verdict(&self, outcome: VerdictOutcome, reasons: Vec<Reason>) -> Verdict {
        let totals = Totals { canary: self.seen, baseline: Counts::NONE };
        let (evidence, samples) = (self.transcript.digest(), self.transcript.samples());
        Verdict { outcome, reasons, evidence, samples, totals }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reading;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn watch() -> Watch {
        Watch::new(&WatchRules::default(), START).unwrap()
    }

    fn minute(minutes: i64, requests: u64, errors: u64) -> Sample {
        let at = START + chrono::TimeDelta::minutes(minutes);
        let mut sample = Sample::counted(at, Counts::new(requests, errors).unwrap(), Counts::NONE);
        sample.baseline = Reading::Absent;
        sample
    }

    /// Feeds `errors` of 3,000 requests a minute and returns the minute of the verdict.
    fn fed(watch: &mut Watch, minutes: std::ops::RangeInclusive<i64>, errors: u64) -> Option<(i64, Verdict)> {
        minutes.into_iter().find_map(|at| Some((at, watch.observe(&minute(at, 3000, errors))?)))
    }

    #[test]
    fn a_quiet_watch_passes_with_what_it_saw() {
        let mut watch = watch();
        assert_eq!(fed(&mut watch, 1..=120, 3), None);
        let verdict = watch.over(Period::from_hours(2));
        assert_eq!(verdict.to_string(), "pass: 360 errors in 360000 requests in 2h, within all limits");
        assert_eq!((verdict.samples, verdict.totals.canary.requests()), (120, 360_000));
    }

    #[test]
    fn a_late_outage_is_told_by_the_rate() {
        let mut watch = watch();
        assert_eq!(fed(&mut watch, 1..=90, 0), None);
        let (at, verdict) = fed(&mut watch, 91..=120, 1500).unwrap();
        assert_eq!(at, 92, "5 % of ten minutes are one minute of a half");
        assert_eq!(
            verdict.to_string(),
            "fail: error rate over 5 % within 10m: canary 3000 errors in 30000 requests; 2 % of the month's error budget \
             within 1h is spent, objective 99.9 %: 3000 errors in 180000 requests"
        );
    }

    #[test]
    fn a_slow_burn_is_told_by_the_budget() {
        let mut watch = watch();
        assert_eq!(fed(&mut watch, 1..=60, 0), None);
        // 4 % is below the absolute limit and forty times what the budget can stand.
        let (at, verdict) = fed(&mut watch, 61..=120, 120).unwrap();
        assert_eq!(at, 82, "2,592 errors are 14.4 times 0.1 % of an hour");
        assert_eq!(
            verdict.to_string(),
            "fail: 2 % of the month's error budget within 1h is spent, objective 99.9 %: 2640 errors in 180000 requests"
        );
    }

    #[test]
    fn a_watch_that_counted_nothing_is_no_pass() {
        let mut watch = watch();
        let missed = |at| Sample::missed(at, Missing::Stale);
        for look in 1..=4 {
            assert_eq!(watch.observe(&missed(START + chrono::TimeDelta::minutes(look))), None);
            assert_eq!(watch.blind(), None);
        }
        watch.observe(&missed(START + chrono::TimeDelta::minutes(5)));
        assert!(matches!(watch.blind(), Some(Reason::Blind { scrapes: 5, limit: 5, .. })));
        let verdict = watch.over(Period::from_hours(2));
        assert_eq!(
            verdict.to_string(),
            "inconclusive: nothing was counted in 2h; check that the metrics tell of this slot"
        );
        watch.observe(&minute(6, 0, 0));
        assert_eq!(watch.blind(), None, "no traffic is a fact");
    }

    #[test]
    fn the_same_samples_give_the_same_verdict() {
        let samples: Vec<Sample> =
            (1..=100).map(|at| minute(at, 3000, if at > 70 { 200 } else { 1 })).collect();
        let run = || {
            let mut watch = watch();
            samples.iter().find_map(|sample| watch.observe(sample)).unwrap()
        };
        assert_eq!(run(), run());
        let text = serde_json::to_string(&run()).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), run());
    }
}
