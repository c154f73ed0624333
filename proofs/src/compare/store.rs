//! Journal entries made durable by hotfix-store, against bare SQLite with the same settings and the same bytes.

use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_benches::journal::{Bare, Entries, Stored};

use super::case::{Better, Case, Figure, Goal};
use super::clock::{Stopwatch, median};

const ROUNDS: usize = 15;

/// How many runs append at once in a group.
const GROUP: usize = 64;

pub(super) fn measure(print: impl Fn(Case)) -> Result<(), Failure> {
    print(appends("append-singly", 1)?);
    print(appends("append-in-groups-of-64", GROUP)?);
    Ok(())
}

fn appends(name: &str, at_once: usize) -> Result<Case, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (folder, entries) = (tempfile::tempdir()?, Entries::of_a_run()?);
    let mut stored = runtime.block_on(Stored::open(folder.path(), at_once, entries.clone()))?;
    let mut bare = Bare::open(folder.path(), entries)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(rate(at_once, || runtime.block_on(stored.append_to_each()))?);
        theirs.push(rate(at_once, || bare.insert(at_once))?);
    }
    let figure = |rates| Figure { value: median(rates), unit: "/s" };
    Ok(Case {
        name: name.to_owned(),
        ours: figure(ours),
        peer: Some(figure(theirs)),
        better: Better::More,
        goal: Goal::Ratio(0.8),
    })
}

/// Repeats for a while and says how many entries a second that makes.
fn rate(entries: usize, mut once: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    const ROUND: Duration = Duration::from_millis(300);
    let (watch, mut done) = (Stopwatch::start(), 0.0);
    while watch.passed() < ROUND {
        once()?;
        done += entries as f64;
    }
    Ok(done / watch.passed().as_secs_f64())
}
