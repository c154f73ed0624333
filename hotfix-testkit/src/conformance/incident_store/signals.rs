//! Signals: left once, read in order.

use hotfix_core::ErrorKind;
use hotfix_core::model::Timestamp;
use hotfix_core::port::{Signal, SignalEntry};

use super::super::expect::{equal, fails, succeeds};
use super::super::report::Outcome;
use super::IncidentStoreFixture;
use super::ledger::{Ledger, end, new_run, run_id};

pub(super) fn cancel(id: &str) -> SignalEntry {
    SignalEntry {
        id: id.to_owned(),
        signal: Signal::Cancel { reason: format!("because of {id}") },
        by: "alice".to_owned(),
        at: Timestamp::from_timestamp(1_760_000_000, 0).expect("a constant within range"),
    }
}

/// Signals come back in the order they were left, all or after the first few.
pub async fn signals_are_read_in_order(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    ledger.open(new_run("r1")).await?;
    let run = run_id("r1");
    equal("before any", &succeeds("signals", ledger.site.second.signals(&run, 0).await)?, &Vec::new())?;
    let left = vec![cancel("s2"), cancel("s1"), cancel("s3")];
    for signal in &left {
        succeeds("signal", ledger.site.store.signal(&run, signal.clone()).await)?;
    }
    equal("all", &succeeds("signals", ledger.site.second.signals(&run, 0).await)?, &left)?;
    equal(
        "after two",
        &succeeds("signals", ledger.site.second.signals(&run, 2).await)?,
        &left[2..].to_vec(),
    )?;
    equal("after all", &succeeds("signals", ledger.site.second.signals(&run, 3).await)?, &Vec::new())
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
        &succeeds("signals", ledger.site.second.signals(&run, 0).await)?,
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
    equal("the signals", &succeeds("signals", ledger.site.second.signals(&lease.run, 0).await)?, &Vec::new())
}
