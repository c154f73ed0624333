//! Signals: left once, read in order.

use hotfix_core::model::{RunId, Timestamp};
use hotfix_core::port::{Heard, IncidentStore, NewRun, Signal, SignalEntry};
use hotfix_core::{ErrorKind, Result};

use super::super::expect::{equal, fails, succeeds};
use super::super::report::Outcome;
use super::IncidentStoreFixture;
use super::ledger::{Ledger, end, new_run, run_id, target};

pub(super) fn cancel(id: &str) -> SignalEntry {
    SignalEntry {
        id: id.to_owned(),
        signal: Signal::Cancel { reason: format!("because of {id}") },
        by: "alice".to_owned(),
        at: Timestamp::from_timestamp(1_760_000_000, 0).expect("a constant within range"),
    }
}

/// Reads the signals of one run after the first `known`.
async fn after(store: &dyn IncidentStore, run: &RunId, known: u64) -> Result<Vec<SignalEntry>> {
    let left = store.signals(&[Heard { run: run.clone(), signals: known }]).await?;
    Ok(left.into_iter().filter_map(|(of, signal)| (of == *run).then_some(signal)).collect())
}

/// Signals come back in the order they were left, all or after the first few.
pub async fn signals_are_read_in_order(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    ledger.open(new_run("r1")).await?;
    let (run, second) = (run_id("r1"), &*ledger.site.second);
    equal("before any", &succeeds("signals", after(second, &run, 0).await)?, &Vec::new())?;
    let left = vec![cancel("s2"), cancel("s1"), cancel("s3")];
    for signal in &left {
        succeeds("signal", ledger.site.store.signal(&run, signal.clone()).await)?;
    }
    equal("all", &succeeds("signals", after(second, &run, 0).await)?, &left)?;
    equal("after two", &succeeds("signals", after(second, &run, 2).await)?, &left[2..].to_vec())?;
    equal("after all", &succeeds("signals", after(second, &run, 3).await)?, &Vec::new())
}

/// One call reads what is new of several runs, each by its own count. A run that is not there has none, and nobody asks
/// about it for that.
pub async fn signals_of_several_runs_are_read_at_once(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    for (run, claim) in [("r1", "production/shop"), ("r2", "staging/shop"), ("r3", "production/cart")] {
        ledger.open(NewRun { claims: vec![target(claim)], ..new_run(run) }).await?;
    }
    for (run, signal) in [("r3", "s1"), ("r1", "s2"), ("r3", "s3"), ("r2", "s4")] {
        succeeds("signal", ledger.site.store.signal(&run_id(run), cancel(signal)).await)?;
    }
    let known = [("r1", 0), ("r9", 0), ("r2", 1), ("r3", 1)];
    let known = known.map(|(run, signals)| Heard { run: run_id(run), signals });
    let mut read = succeeds("signals", ledger.site.second.signals(&known).await)?;
    read.sort_by(|(one, _), (other, _)| one.cmp(other));
    let expected = vec![(run_id("r1"), cancel("s2")), (run_id("r3"), cancel("s3"))];
    equal("what is new", &read, &expected)?;
    equal("of no run", &succeeds("signals", ledger.site.second.signals(&[]).await)?, &Vec::new())
}

/// A signal id that is there is not stored again, whatever it says now.
pub async fn a_signal_is_stored_once(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    ledger.open(new_run("r1")).await?;
    let run = run_id("r1");
    let mut again = cancel("s1");
    again.by = "bob".to_owned();
    for signal in [cancel("s1"), again] {
        succeeds("signal", ledger.site.store.signal(&run, signal).await)?;
    }
    equal(
        "the signals",
        &succeeds("signals", after(&*ledger.site.second, &run, 0).await)?,
        &vec![cancel("s1")],
    )
}

/// A run that has ended takes no new signal.
pub async fn an_ended_run_takes_no_signal(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    ledger.write(end(&lease, 1)).await?;
    let left = ledger.site.store.signal(&lease.run, cancel("s1")).await;
    fails("a signal after the end", left, ErrorKind::Conflict)?;
    equal("the signals", &succeeds("signals", after(&*ledger.site.second, &lease.run, 0).await)?, &Vec::new())
}
