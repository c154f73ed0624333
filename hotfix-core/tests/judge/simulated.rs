//! Whole rollouts with simulated traffic: what the formulas promise, seen from outside. The seeds are fixed; the long
//! runs that measure the error rates closely are not tests.

use hotfix_core::decide::Verification;
use hotfix_core::model::{Dispersion, Ruling, VerificationRules};

use super::{gate, scrape};

/// SplitMix64 (Steele, Lea & Flood 2014).
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many of `requests` fail.
    pub(super) fn errors(&mut self, requests: u64, rate: f64) -> u64 {
        (0..requests).filter(|_| self.unit() < rate).count() as u64
    }
}

enum End {
    Promoted { scrapes: usize },
    RolledBack { scrapes: usize },
    Stuck,
}

/// Runs a ladder at 50 requests a second with a scrape every 15 seconds.
fn run(seed: u64, ladder: &[u8], canary_rate: f64, baseline_rate: f64) -> End {
    let mut random = Random::new(seed);
    let rules = VerificationRules::default();
    let mut rollout = Verification::new(&rules, gate(ladder[0]), 3, Dispersion::NONE).expect("default rules");
    let mut scrapes = 0;
    for (step, percent) in ladder.iter().enumerate() {
        if step > 0 {
            rollout.next_gate(gate(*percent));
        }
        loop {
            let canary = 750 * u64::from(*percent) / 100;
            let errors = random.errors(canary, canary_rate);
            let baseline = random.errors(750 - canary, baseline_rate);
            scrapes += 1;
            match rollout.observe(&scrape((canary, errors), (750 - canary, baseline)), &[]).1 {
                Ruling::Hold { .. } => {}
                Ruling::Promote { .. } => break,
                Ruling::RollBack { .. } => return End::RolledBack { scrapes },
                Ruling::Freeze { .. } => return End::Stuck,
            }
        }
    }
    End::Promoted { scrapes }
}

const LADDER: [u8; 4] = [10, 25, 50, 75];

fn median(mut values: Vec<usize>) -> usize {
    values.sort_unstable();
    values[values.len() / 2]
}

#[test]
fn healthy_rollouts_go_through() {
    for rate in [0.001, 0.01] {
        let mut lengths = vec![];
        for seed in 0..200 {
            match run(seed, &LADDER, rate, rate) {
                End::Promoted { scrapes } => lengths.push(scrapes),
                End::RolledBack { .. } | End::Stuck => panic!("seed {seed} at {rate} did not go through"),
            }
        }
        let median = median(lengths);
        assert!(median <= 34, "{median} scrapes at {rate}");
    }
}

#[test]
fn ten_times_the_errors_are_found_at_ten_percent() {
    let found: Vec<_> = (0..200)
        .filter_map(|seed| match run(seed, &[10; 4], 0.01, 0.001) {
            End::RolledBack { scrapes } => Some(scrapes),
            End::Promoted { .. } | End::Stuck => None,
        })
        .collect();
    assert!(found.len() >= 199, "found {} of 200", found.len());
    let median = median(found);
    assert!(median <= 12, "{median} scrapes");
}

#[test]
fn an_outage_takes_two_scrapes() {
    for percent in [1, 10, 50, 90] {
        match run(7, &[percent; 4], 1.0, 0.001) {
            End::RolledBack { scrapes } => assert_eq!(scrapes, 2, "at {percent} %"),
            End::Promoted { .. } | End::Stuck => panic!("not found at {percent} %"),
        }
    }
}
