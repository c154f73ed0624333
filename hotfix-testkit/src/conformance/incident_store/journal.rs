//! The journal: written by the owner only, one number after the other, each once.

use hotfix_core::ErrorKind;
use hotfix_core::model::IncidentStatus;
use hotfix_core::port::{Appended, Basis, JournalEntry, KnownGood, PostingKind, TakenOver};

use super::super::expect::{broken, equal, fails, succeeds};
use super::super::report::Outcome;
use super::IncidentStoreFixture;
use super::incidents::{release, workload};
use super::ledger::{Ledger, SLACK, TTL, end, entry, event, new_run, posting, run_id, worker};

/// Entries come back in order with number, epoch and the very bytes, from the start or from a number.
pub async fn entries_are_read_as_written(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let odd = "line one\nline \"two\" \u{1F525} \\ '; drop table journal; --";
    ledger.write(entry(&lease, 1, odd)).await?;
    ledger.write(entry(&lease, 2, "")).await?;
    let journal = succeeds("journal", ledger.site.second.journal(&run_id("r1"), 0).await)?;
    let found: Vec<_> = journal.iter().map(|entry| (entry.seq, entry.epoch, entry.body.as_str())).collect();
    let epoch = lease.epoch;
    let expected = vec![(0, epoch, "{\"planned\":\"r1\"}"), (1, epoch, odd), (2, epoch, "")];
    equal("the journal", &found, &expected)?;
    let tail = succeeds("journal", ledger.site.second.journal(&run_id("r1"), 2).await)?;
    equal("the journal from entry 2", &tail, &journal[2..].to_vec())?;
    let nothing = succeeds("journal", ledger.site.second.journal(&run_id("r1"), 3).await)?;
    equal("the journal from its end", &nothing, &Vec::<JournalEntry>::new())
}

/// Only the number after the last is written: no gap, and no second entry under a number.
pub async fn only_the_next_number_is_written(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let lost = Appended::Lost { epoch: lease.epoch };
    equal("a gap", &ledger.append(entry(&lease, 2, "gap")).await?, &lost)?;
    equal("another first entry", &ledger.append(entry(&lease, 0, "other")).await?, &lost)?;
    ledger.write(entry(&lease, 1, "one")).await?;
    equal("another entry 1", &ledger.append(entry(&lease, 1, "other")).await?, &lost)?;
    equal("the journal", &ledger.bodies("r1").await?.split_off(1), &vec!["one".to_owned()])
}

/// An owner that was replaced, or never was, writes nothing and hears the current epoch.
pub async fn only_the_current_epoch_writes(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (old, _) = ledger.open(new_run("r1")).await?;
    let taken = ledger.site.store.take_over(&run_id("r1"), &worker("w1"), TTL, 0).await;
    let TakenOver::Owned(new) = succeeds("take_over", taken)? else {
        return Err(broken("a worker cannot take its own run over"));
    };
    let lost = Appended::Lost { epoch: new.epoch };
    equal("the old owner", &ledger.append(entry(&old, 1, "old")).await?, &lost)?;
    let mut future = entry(&new, 1, "future");
    future.epoch += 1;
    equal("an epoch that was never given", &ledger.append(future).await?, &lost)?;
    ledger.write(entry(&new, 1, "new")).await?;
    equal("the journal", &ledger.bodies("r1").await?.split_off(1), &vec!["new".to_owned()])
}

/// The same entry again, as after a lost answer, is acknowledged and not written twice, nor is anything with it.
pub async fn a_repeated_entry_is_written_once(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, incident) = ledger.open(new_run("r1")).await?;
    let mut one = entry(&lease, 1, "one");
    one.timeline.push(event("r1", "one", None));
    one.postings.push((SLACK.to_owned(), posting("r1", PostingKind::Root, "one")));
    ledger.write(one.clone()).await?;
    ledger.write(one.clone()).await?;
    ledger.write(end(&lease, 2)).await?;
    ledger.write(end(&lease, 2)).await?;
    ledger.write(one).await?;
    equal("the number of entries", &ledger.bodies("r1").await?.len(), &3)?;
    let timeline = succeeds("timeline", ledger.site.second.timeline(&incident).await)?;
    equal("the timeline", &timeline, &vec![event("r1", "one", None)])?;
    ledger.take_exactly(&[(SLACK, "one")]).await.map(drop)
}

/// After its last entry a run takes no other.
pub async fn nothing_follows_the_end(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    ledger.write(end(&lease, 1)).await?;
    let lost = Appended::Lost { epoch: lease.epoch };
    equal("an entry after the end", &ledger.append(entry(&lease, 2, "more")).await?, &lost)?;
    equal("the number of entries", &ledger.bodies("r1").await?.len(), &2)
}

/// What comes with an entry is written with it or not at all.
pub async fn a_lost_append_leaves_nothing(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, incident) = ledger.open(new_run("r1")).await?;
    let good = KnownGood {
        target: workload("production/shop"),
        release: release("2.1.1"),
        at: lease.expires_at,
        basis: Basis::Proven,
    };
    let mut stale = end(&lease, 5);
    stale.timeline.push(event("r1", "five", Some(IncidentStatus::Resolved)));
    stale.postings.push((SLACK.to_owned(), posting("r1", PostingKind::Root, "five")));
    stale.known_good.push(good.clone());
    equal("the append", &ledger.append(stale).await?, &Appended::Lost { epoch: lease.epoch })?;
    let store = &ledger.site.second;
    equal("the timeline", &succeeds("timeline", store.timeline(&incident).await)?, &Vec::new())?;
    let status = succeeds("incident", store.incident(&incident).await)?.status;
    equal("the status", &status, &IncidentStatus::Declared)?;
    equal("the known good", &succeeds("known_good", store.known_good(&good.target, 5).await)?, &Vec::new())?;
    ledger.take_exactly(&[]).await?;
    ledger.write(entry(&lease, 1, "the run goes on")).await
}

/// Of two different entries under one number at the same time, exactly one is written.
pub async fn of_two_appends_one_is_written(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let (one, two) = (entry(&lease, 1, "one"), entry(&lease, 1, "two"));
    let (first, second) = tokio::join!(ledger.site.store.append(one), ledger.site.second.append(two));
    let winner = match (succeeds("append", first)?, succeeds("append", second)?) {
        (Appended::Written, Appended::Lost { .. }) => "one",
        (Appended::Lost { .. }, Appended::Written) => "two",
        (one, two) => {
            return Err(broken(format!("expected Written and Lost, found {one:?} and {two:?}")));
        }
    };
    equal("the journal", &ledger.bodies("r1").await?.split_off(1), &vec![winner.to_owned()])
}

/// A run that was never opened is not found by anything that names it.
pub async fn an_unknown_run_is_not_found(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (mut lease, _) = ledger.open(new_run("r1")).await?;
    lease.run = run_id("r9");
    let store = &ledger.site.store;
    fails("journal", store.journal(&lease.run, 0).await, ErrorKind::NotFound)?;
    fails("append", store.append(entry(&lease, 1, "one")).await, ErrorKind::NotFound)?;
    fails("renew", store.renew(&lease.run, lease.epoch, TTL).await, ErrorKind::NotFound)?;
    let signal = super::signals::cancel("s1");
    fails("signal", store.signal(&lease.run, signal).await, ErrorKind::NotFound)
}
