//! Parsing what Prometheus answers to a scrape of ten thousand series.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up is to fail loudly")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hotfix_benches::answer::answer;
use hotfix_metrics::Answer;

fn parse(c: &mut Criterion) {
    let body = answer(10_000);
    let mut group = c.benchmark_group("answer/10000");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("flat", |b| b.iter(|| Answer::parse(black_box(body.as_bytes())).unwrap()));
    group.bench_function("tree", |b| {
        b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(body.as_bytes())).unwrap());
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
