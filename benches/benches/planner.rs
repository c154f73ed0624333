//! From an observed snapshot to a complete plan, its second opinion and its text.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up is to fail loudly")]

use criterion::{Criterion, criterion_group, criterion_main};
use hotfix_benches::world::{Shop, policy, request};
use hotfix_core::plan::{check, plan};

fn planner(c: &mut Criterion) {
    let (shop, request, policy) = (Shop::open().unwrap(), request().unwrap(), policy(|_| {}).unwrap());
    let snapshot = shop.observe(&request, &policy);
    let made = shop.plan(&request, &policy).unwrap();
    c.bench_function("planner/plan", |b| b.iter(|| plan(&request, &snapshot, &policy)));
    c.bench_function("planner/check", |b| b.iter(|| check(&made)));
    c.bench_function("planner/print", |b| b.iter(|| made.to_string()));
}

criterion_group!(benches, planner);
criterion_main!(benches);
