//! From the metrics to groups, from the groups to a score, and what that is called.

use std::collections::BTreeMap;

use super::config::{ClassifierConfig, ScoreThresholds};
use super::result::{Classification, GroupScore, MetricResult, Score, Summary};

/// From which share of metrics without data on nothing is judged.
const TOO_LITTLE_DATA: f64 = 0.5;

/// What the metrics of a group say.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    passed: u32,
    counted: u32,
}

/// Scores the groups and the whole.
pub(super) fn score(
    classifier: &ClassifierConfig,
    thresholds: ScoreThresholds,
    results: &[MetricResult],
) -> (Vec<GroupScore>, Score) {
    let results: Vec<&MetricResult> = results.iter().filter(|result| !result.muted).collect();
    let groups = tallies(&results);
    let scores =
        groups.iter().map(|(name, tally)| GroupScore { name: (*name).to_owned(), score: tally.score() });
    let whole = match veto(&results) {
        Some(why) => Score { score: 0.0, classification: Summary::Fail, classification_reason: why },
        None => {
            let score = weighted(classifier, &groups);
            let classification = called(score, thresholds);
            Score { score, classification, classification_reason: String::new() }
        }
    };
    (scores.collect(), whole)
}

fn tallies<'a>(results: &[&'a MetricResult]) -> BTreeMap<&'a str, Tally> {
    let mut groups: BTreeMap<&str, Tally> = BTreeMap::new();
    for result in results {
        for group in &result.groups {
            groups.entry(group).or_default().count(result.classification);
        }
    }
    groups
}

impl Tally {
    fn count(&mut self, classification: Classification) {
        let (passed, counted) = match classification {
            Classification::Pass => (1, 1),
            Classification::High
            | Classification::Low
            | Classification::NodataFailMetric
            | Classification::Error => (0, 1),
            Classification::Nodata => (0, 0),
        };
        self.passed += passed;
        self.counted += counted;
    }

    fn score(self) -> f64 {
        if self.counted == 0 { 0.0 } else { f64::from(self.passed) / f64::from(self.counted) * 100.0 }
    }

    /// A group of which nothing is known does not count against the whole.
    fn effective(self) -> f64 {
        if self.counted == 0 { 100.0 } else { self.score() }
    }
}

/// Why nothing but a failure can come out.
fn veto(results: &[&MetricResult]) -> Option<String> {
    let failure = |result: &&&MetricResult| result.critical && result.classification != Classification::Pass;
    if let Some(critical) = results.iter().find(failure) {
        let why = critical.reason.map_or_else(String::new, |reason| format!(": {reason}"));
        return Some(format!("critical metric {} is {}{why}", critical.name, critical.classification));
    }
    let count = |wanted| results.iter().filter(|result| result.classification == wanted).count();
    let missing = count(Classification::Nodata);
    if results.is_empty() {
        return Some("no metric was judged".to_owned());
    }
    let too_few = missing as f64 / results.len() as f64 >= TOO_LITTLE_DATA;
    too_few.then(|| format!("{missing} of {} metrics have no data", results.len()))
}

/// The mean of the groups by weight. The weights of groups without a metric go to the others in proportion.
fn weighted(classifier: &ClassifierConfig, groups: &BTreeMap<&str, Tally>) -> f64 {
    let configured = &classifier.group_weights;
    let sum: f64 = configured.values().sum();
    let weightless = groups.keys().filter(|name| !configured.contains_key(**name)).count();
    let share = if weightless == 0 { 0.0 } else { (100.0 - sum).max(0.0) / weightless as f64 };
    let weight = |name: &str| configured.get(name).copied().unwrap_or(share);
    let present: f64 = groups.keys().map(|name| weight(name)).sum();
    let absent: f64 =
        configured.iter().filter(|(name, _)| !groups.contains_key(name.as_str())).map(|(_, w)| w).sum();
    let scale = if absent > 0.0 && present > 0.0 { (present + absent) / present } else { 1.0 };
    let of = |(name, tally): (&&str, &Tally)| {
        let weight =
            if absent > 0.0 && present == 0.0 { absent / groups.len() as f64 } else { weight(name) * scale };
        tally.effective() * (weight / 100.0)
    };
    rounded(groups.iter().map(of).sum::<f64>())
}

/// Rounds the number as it is written, halves up, to two decimals: 33.335 is 33.34 although its binary form is smaller.
fn rounded(score: f64) -> f64 {
    let text = format!("{score}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = format!("{fraction:0<3}");
    let cents: Option<u64> = format!("{whole}{}", &digits[..2]).parse().ok();
    let up = u64::from(digits.as_bytes()[2] >= b'5');
    cents.map_or(score, |cents| (cents + up) as f64 / 100.0)
}

fn called(score: f64, thresholds: ScoreThresholds) -> Summary {
    if score >= thresholds.pass {
        Summary::Pass
    } else if score >= thresholds.marginal {
        Summary::Marginal
    } else {
        Summary::Fail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_rounded_as_they_are_written() {
        for (score, expected) in [
            (100.0, 100.0),
            (0.0, 0.0),
            (100.0 / 3.0, 33.33),
            (200.0 / 3.0, 66.67),
            (33.335, 33.34),
            (1.005, 1.01),
            (0.004_999, 0.0),
            (99.995, 100.0),
            (1e-7, 0.0),
        ] {
            assert_eq!(rounded(score), expected, "{score}");
        }
    }
}
