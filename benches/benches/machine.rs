//! A whole run through the machine, and its journal written, read and folded.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up is to fail loudly")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hotfix_benches::replay::{EPOCH, Replay};
use hotfix_benches::world::{Shop, policy, request};
use hotfix_core::execute::{Record, Run};

fn machine(c: &mut Criterion) {
    let (request, policy) = (request().unwrap(), policy(|_| {}).unwrap());
    let replay = Replay::of(Shop::open().unwrap().plan(&request, &policy).unwrap()).unwrap();

    let mut steps = c.benchmark_group("machine");
    steps.throughput(Throughput::Elements(replay.events.len() as u64));
    let fresh = || (replay.machine(), replay.events.clone());
    let tell = |(mut machine, events)| {
        let commands = Replay::tell(&mut machine, events);
        (commands, machine)
    };
    steps.bench_function("run", |b| b.iter_batched(fresh, tell, BatchSize::SmallInput));
    steps.finish();

    let journal: Vec<Record> =
        std::iter::once(Record::Planned(Box::new(replay.planned))).chain(replay.records).collect();
    let texts: Vec<String> = journal.iter().map(|record| record.encode().unwrap()).collect();
    let mut codec = c.benchmark_group("journal");
    codec.throughput(Throughput::Elements(journal.len() as u64));
    codec.bench_function("encode", |b| b.iter(|| journal.iter().map(Record::encode).collect::<Vec<_>>()));
    codec.bench_function("decode", |b| {
        b.iter(|| texts.iter().map(|text| Record::decode(text)).collect::<Vec<_>>());
    });
    codec.bench_function("fold", |b| b.iter(|| Run::fold(journal.iter().map(|record| (EPOCH, record)))));
    codec.finish();
}

criterion_group!(benches, machine);
criterion_main!(benches);
