//! One scrape taken in, and everything that is said after it.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up is to fail loudly")]

use criterion::{Criterion, criterion_group, criterion_main};
use hotfix_benches::world::noon;
use hotfix_core::decide::{Gate, Verification};
use hotfix_core::judge::Judge;
use hotfix_core::model::{Counts, Dispersion, JudgeSettings, Sample, VerificationRules};

fn judge(c: &mut Criterion) {
    let (canary, baseline) = (Counts::new(100, 1).unwrap(), Counts::new(900, 9).unwrap());
    let mut judge = Judge::new(&JudgeSettings::standard(), 3, Dispersion::NONE).unwrap();
    c.bench_function("judge/update", |b| b.iter(|| judge.update(canary, baseline)));
    c.bench_function("judge/statistics", |b| b.iter(|| judge.statistics()));

    let rules = VerificationRules::default();
    let mut rollout = Verification::new(&rules, Gate::at(10).unwrap(), 3, Dispersion::NONE).unwrap();
    let sample = Sample::counted(noon(), canary, baseline);
    c.bench_function("judge/observe", |b| b.iter(|| rollout.observe(&sample, &[])));
}

criterion_group!(benches, judge);
criterion_main!(benches);
