//! The judge and the decisions that rest on it.

mod decisions;
mod digest;
mod increments;
mod kayenta;
mod kinds;
mod latency;
mod odd_data;
mod properties;
mod settings;
mod simulated;
mod thresholds;
mod vectors;

use hotfix_core::decide::{Gate, Verification};
use hotfix_core::model::{
    Counts, Dispersion, JudgeSettings, LatencyBound, Pace, Ruling, Sample, Timestamp, VerificationRules,
};

/// A moment of the tests, in seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(seconds, 0).expect("a small number of seconds")
}

fn counts(requests: u64, errors: u64) -> Counts {
    Counts::new(requests, errors).expect("no more errors than requests")
}

fn bound(text: &str) -> LatencyBound {
    text.parse().expect("a latency bound")
}

/// A scrape with requests and errors of the canary and of the baseline.
fn scrape(canary: (u64, u64), baseline: (u64, u64)) -> Sample {
    Sample::counted(at(0), counts(canary.0, canary.1), counts(baseline.0, baseline.1))
}

fn gate(percent: u8) -> Gate {
    Gate::at(percent).expect("a percentage")
}

/// A rollout at 10 % with the default rules and three more gates.
fn rollout() -> Verification {
    rollout_at(10, &VerificationRules::default())
}

fn rollout_at(percent: u8, rules: &VerificationRules) -> Verification {
    Verification::new(rules, gate(percent), 3, Dispersion::NONE).expect("rules that can be kept")
}

fn rules(judge: JudgeSettings, pace: Pace) -> VerificationRules {
    VerificationRules { judge, pace, ..VerificationRules::default() }
}

fn look(rollout: &mut Verification, sample: &Sample) -> Ruling {
    rollout.observe(sample, &[]).1
}

/// Looks until something other than a hold comes out; returns it and the number of looks.
fn look_until_decided(rollout: &mut Verification, sample: &Sample) -> (usize, Ruling) {
    (1..=200)
        .map(|looks| (looks, look(rollout, sample)))
        .find(|(_, ruling)| !matches!(ruling, Ruling::Hold { .. }))
        .expect("a gate ends within 200 looks")
}
