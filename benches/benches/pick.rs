//! A fix of three files picked onto four release branches of a small repository, kept in the end.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up is to fail loudly")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hotfix_benches::repository::{CloneKind, Generated, SMALL, pick_onto_all};

fn pick(c: &mut Criterion) {
    let generated = Generated::new(SMALL).unwrap();
    let clone = || generated.clone_of(CloneKind::Bare).unwrap();
    c.bench_function("pick/four branches", |b| {
        b.iter_batched(
            clone,
            |clone| {
                let trees = pick_onto_all(clone.path(), generated.fix, &generated.branches).unwrap();
                (trees, clone)
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = pick
}
criterion_main!(benches);
