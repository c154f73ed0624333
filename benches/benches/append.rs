//! One entry made durable, and one for each of 64 runs at once, beside bare SQLite with the same settings.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up is to fail loudly")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hotfix_benches::journal::{Bare, Entries, Stored};

fn append(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let entries = Entries::of_a_run().unwrap();
    let mut group = c.benchmark_group("append");
    for runs in [1, 64] {
        let folder = tempfile::tempdir().unwrap();
        group.throughput(Throughput::Elements(runs));
        let runs = usize::try_from(runs).unwrap();
        let mut stored = runtime.block_on(Stored::open(folder.path(), runs, entries.clone())).unwrap();
        group.bench_function(format!("store/{runs}"), |b| {
            b.iter(|| runtime.block_on(stored.append_to_each()).unwrap());
        });
        let mut bare = Bare::open(folder.path(), entries.clone()).unwrap();
        group.bench_function(format!("bare/{runs}"), |b| b.iter(|| bare.insert(runs).unwrap()));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = append
}
criterion_main!(benches);
