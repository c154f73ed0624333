//! Claims, leases and epochs: one run per target, one owner per run.

use hotfix_core::ErrorKind;
use hotfix_core::model::Period;
use hotfix_core::port::{Claim, Lease, NewRun, Opened, Renewed, RunFilter, RunState, RunSummary, TakenOver};

use super::super::expect::{broken, equal, fails, holds, succeeds};
use super::super::report::{Outcome, Unmet};
use super::IncidentStoreFixture;
use super::ledger::{
    Ledger, SLACK, TTL, end, entry, event, incident_id, issue, new_run, posting, run_id, target, worker,
};

/// Opening a run gives a lease of a positive epoch, and the run is listed with all that is known of it.
pub async fn a_new_run_claims_its_targets(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let claims = vec![target("production/shop"), target("source/shop")];
    let (lease, incident) = ledger.open(NewRun { claims: claims.clone(), ..new_run("r1") }).await?;
    equal("the run of the lease", &lease.run, &run_id("r1"))?;
    holds(lease.epoch > 0, "an epoch is above that of an untouched target")?;
    let runs = succeeds("runs", ledger.site.second.runs(RunFilter::Open).await)?;
    let opened_at = runs.first().map(|run| run.opened_at);
    let expected = RunSummary {
        run: run_id("r1"),
        state: RunState::Active,
        holder: worker("w1"),
        epoch: lease.epoch,
        claims,
        incident,
        opened_at: opened_at.unwrap_or_default(),
        expires_at: lease.expires_at,
        entries: 1,
    };
    equal("the runs", &runs, &vec![expected])?;
    let length = opened_at.map(|opened_at| lease.expires_at - opened_at);
    equal("the length of the lease", &length, &Some(TTL.to_delta()))
}

/// A run for a claimed target, also as one of several, is refused with who holds it, since when and until when.
pub async fn a_claimed_target_is_refused_with_who_holds_it(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let since = succeeds("runs", ledger.site.store.runs(RunFilter::All).await)?[0].opened_at;
    let expected = Opened::Busy(Claim {
        target: target("production/shop"),
        run: run_id("r1"),
        holder: worker("w1"),
        since,
        expires_at: lease.expires_at,
    });
    let claims = vec![target("staging/shop"), target("production/shop")];
    let second = NewRun { claims, worker: worker("w2"), ..new_run("r2") };
    equal("a second run", &succeeds("open_run", ledger.site.second.open_run(second).await)?, &expected)?;
    let other = NewRun { claims: vec![target("staging/shop")], ..new_run("r3") };
    ledger.open(other).await.map(drop)
}

/// A refused run writes no journal, no incident, no posting and no claim.
pub async fn a_refused_run_leaves_nothing(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    ledger.open(new_run("r1")).await?;
    let mut second = new_run("r2");
    second.claims.insert(0, target("staging/shop"));
    second.incident.issue = issue("ENG-2");
    second.timeline.push(event("r2", "started", None));
    second.postings.push((SLACK.to_owned(), posting("r2", hotfix_core::port::PostingKind::Root, "root")));
    let opened = succeeds("open_run", ledger.site.store.open_run(second.clone()).await)?;
    holds(matches!(opened, Opened::Busy(_)), "the second run is refused")?;
    let store = &ledger.site.second;
    fails("its journal", store.journal(&run_id("r2"), 0).await, ErrorKind::NotFound)?;
    fails("its incident", store.incident(&incident_id("inc-r2")).await, ErrorKind::NotFound)?;
    ledger.take_exactly(&[]).await?;
    second.claims.truncate(1);
    ledger.open(second).await.map(drop)
}

/// A run id that was used is refused, whatever it claims.
pub async fn a_run_id_is_used_once(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let again = NewRun { claims: vec![target("staging/shop")], ..new_run("r1") };
    fails("while it is open", ledger.site.store.open_run(again.clone()).await, ErrorKind::AlreadyExists)?;
    ledger.write(end(&lease, 1)).await?;
    fails("after its end", ledger.site.store.open_run(again).await, ErrorKind::AlreadyExists)
}

/// A run that claims nothing, or one target twice, is refused.
pub async fn senseless_claims_are_refused(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let nothing = NewRun { claims: Vec::new(), ..new_run("r1") };
    fails("no target", ledger.site.store.open_run(nothing).await, ErrorKind::Invalid)?;
    let twice = NewRun { claims: vec![target("staging/shop"), target("staging/shop")], ..new_run("r1") };
    fails("one target twice", ledger.site.store.open_run(twice).await, ErrorKind::Invalid)
}

/// An expired lease does not let another run claim the target.
pub async fn an_expired_lease_does_not_free_a_target(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    ledger.open(new_run("r1")).await?;
    ledger.pass(Period::from_hours(1)).await;
    is_busy(&ledger, "after the lease").await
}

/// A quarantined run keeps its targets and is still open.
pub async fn a_quarantined_run_keeps_its_targets(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let mut quarantine = entry(&lease, 1, "stuck");
    quarantine.state = RunState::Quarantined;
    ledger.write(quarantine).await?;
    ledger.pass(Period::from_hours(1)).await;
    is_busy(&ledger, "in quarantine").await?;
    let runs = succeeds("runs", ledger.site.second.runs(RunFilter::Open).await)?;
    equal("the state", &runs.first().map(|run| run.state), &Some(RunState::Quarantined))?;
    ledger.write(entry(&lease, 2, "unstuck")).await
}

async fn is_busy(ledger: &Ledger<'_>, when: &str) -> Outcome {
    let opened = succeeds("open_run", ledger.site.store.open_run(new_run("r2")).await)?;
    holds(matches!(opened, Opened::Busy(_)), &format!("a second run is refused {when}"))
}

/// A last entry frees the targets in the same transaction; the run is listed as ended only.
pub async fn the_end_frees_the_targets(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    ledger.write(end(&lease, 1)).await?;
    let second = &ledger.site.second;
    equal("the open runs", &succeeds("runs", second.runs(RunFilter::Open).await)?, &Vec::new())?;
    ledger.open(new_run("r2")).await?;
    let all = succeeds("runs", second.runs(RunFilter::All).await)?;
    let states: Vec<_> = all.iter().map(|run| (run.run.as_str(), run.state)).collect();
    equal("all runs, oldest first", &states, &vec![("r1", RunState::Ended), ("r2", RunState::Active)])
}

/// The epoch rises with every run and every takeover on a target, so that no stamp ever comes back.
pub async fn epochs_rise_on_a_target_for_ever(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (mut lease, _) = ledger.open(new_run("r1")).await?;
    let mut epochs = vec![lease.epoch];
    for _ in 0..2 {
        lease = owned(take_over(&ledger, "r1", "w1").await?)?;
        epochs.push(lease.epoch);
    }
    ledger.write(end(&lease, 1)).await?;
    let both = vec![target("staging/shop"), target("production/shop")];
    let (second, _) = ledger.open(NewRun { claims: both, ..new_run("r2") }).await?;
    epochs.push(second.epoch);
    ledger.write(end(&second, 1)).await?;
    let (third, _) = ledger.open(NewRun { claims: vec![target("staging/shop")], ..new_run("r3") }).await?;
    epochs.push(third.epoch);
    let rising = epochs.windows(2).all(|pair| pair[0] < pair[1]);
    holds(rising, &format!("the epochs {epochs:?} of a target rise"))
}

/// Where others give out epochs of a target too, a run and a takeover begin above what they say.
pub async fn an_epoch_that_was_given_out_elsewhere_is_exceeded(
    fixture: &dyn IncidentStoreFixture,
) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (first, _) = ledger.open(NewRun { epoch_above: 41, ..new_run("r1") }).await?;
    holds(first.epoch > 41, "the epoch of a run is above 41")?;
    ledger.write(entry(&first, 1, "the owner writes")).await?;
    let (run, by) = (run_id("r1"), worker("w1"));
    let taken = succeeds("take_over", ledger.site.second.take_over(&run, &by, TTL, 99).await)?;
    let second = owned(taken)?;
    holds(second.epoch > 99, "the epoch of a takeover is above 99")?;
    ledger.write(end(&second, 2)).await?;
    let (third, _) = ledger.open(NewRun { epoch_above: 7, ..new_run("r2") }).await?;
    holds(third.epoch > second.epoch, "the next epoch is above all of them")
}

/// A renewed lease lasts from the time of the renewal.
pub async fn a_renewed_lease_lasts_longer(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let part = Period::from_secs(10);
    ledger.pass(part).await;
    let renewed = succeeds("renew", ledger.site.store.renew(&lease.run, lease.epoch, TTL).await)?;
    match renewed {
        Renewed::Until(until) if until >= lease.expires_at + part.to_delta() => {}
        other => {
            return Err(broken(format!("expected a lease beyond {}, found {other:?}", lease.expires_at)));
        }
    }
    ledger.pass(part).await;
    let taken = take_over(&ledger, "r1", "w2").await?;
    holds(matches!(taken, TakenOver::Busy(_)), "a renewed lease keeps others out")
}

/// A lease is renewed only with the current epoch, and not after the end.
pub async fn only_the_owner_renews(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (old, _) = ledger.open(new_run("r1")).await?;
    let new = owned(take_over(&ledger, "r1", "w1").await?)?;
    let store = &ledger.site.store;
    let lost = Renewed::Lost { epoch: new.epoch };
    equal("with an old epoch", &succeeds("renew", store.renew(&old.run, old.epoch, TTL).await)?, &lost)?;
    ledger.write(end(&new, 1)).await?;
    equal("after the end", &succeeds("renew", store.renew(&new.run, new.epoch, TTL).await)?, &lost)
}

/// Another worker takes a run over when its lease has expired, not before, and the old owner has lost it.
pub async fn a_run_is_taken_over_only_after_its_lease(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    match take_over(&ledger, "r1", "w2").await? {
        TakenOver::Busy(claim) => {
            equal("who holds it", &(claim.run, claim.holder), &(run_id("r1"), worker("w1")))?;
            equal("until when", &claim.expires_at, &lease.expires_at)?;
        }
        other => return Err(broken(format!("before its end: expected Busy, found {other:?}"))),
    }
    ledger.write(entry(&lease, 1, "the refused takeover changed nothing")).await?;
    ledger.pass(Period::from_secs(16)).await;
    let taken = owned(take_over(&ledger, "r1", "w2").await?)?;
    holds(taken.epoch > lease.epoch, "a takeover raises the epoch")?;
    let runs = succeeds("runs", ledger.site.second.runs(RunFilter::Open).await)?;
    let found = runs.first().map(|run| (run.holder.clone(), run.epoch, run.expires_at));
    equal("the new holder", &found, &Some((worker("w2"), taken.epoch, taken.expires_at)))?;
    ledger.write(entry(&taken, 2, "the new owner writes")).await
}

/// A worker that holds the lease takes its own run over without waiting, as after a restart.
pub async fn a_worker_takes_its_own_run_over_at_once(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let again = owned(take_over(&ledger, "r1", "w1").await?)?;
    holds(again.epoch > lease.epoch, "a takeover raises the epoch")
}

/// A run that has ended is not taken over; one that never was is not found.
pub async fn an_ended_run_is_not_taken_over(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    ledger.write(end(&lease, 1)).await?;
    equal("an ended run", &take_over(&ledger, "r1", "w1").await?, &TakenOver::Ended)?;
    let unknown = ledger.site.store.take_over(&run_id("r9"), &worker("w1"), TTL, 0).await;
    fails("an unknown run", unknown, ErrorKind::NotFound)
}

/// Of two runs for a target at the same time, exactly one gets it.
pub async fn of_two_runs_one_gets_the_target(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let other = NewRun { worker: worker("w2"), ..new_run("r2") };
    let (first, second) =
        tokio::join!(ledger.site.store.open_run(new_run("r1")), ledger.site.second.open_run(other));
    match (succeeds("open_run", first)?, succeeds("open_run", second)?) {
        (Opened::Claimed { .. }, Opened::Busy(claim)) => equal("who won", &claim.run, &run_id("r1")),
        (Opened::Busy(claim), Opened::Claimed { .. }) => equal("who won", &claim.run, &run_id("r2")),
        (one, two) => Err(broken(format!("expected Claimed and Busy, found {one:?} and {two:?}"))),
    }
}

/// Of two workers that take an expired run over at the same time, exactly one owns it.
pub async fn of_two_workers_one_takes_over(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    ledger.open(new_run("r1")).await?;
    ledger.pass(Period::from_secs(16)).await;
    let (run, one, two) = (run_id("r1"), worker("w2"), worker("w3"));
    let (first, second) = tokio::join!(
        ledger.site.store.take_over(&run, &one, TTL, 0),
        ledger.site.second.take_over(&run, &two, TTL, 0)
    );
    match (succeeds("take_over", first)?, succeeds("take_over", second)?) {
        (TakenOver::Owned(_), TakenOver::Busy(claim)) => equal("who won", &claim.holder, &one),
        (TakenOver::Busy(claim), TakenOver::Owned(_)) => equal("who won", &claim.holder, &two),
        (one, two) => Err(broken(format!("expected Owned and Busy, found {one:?} and {two:?}"))),
    }
}

async fn take_over(ledger: &Ledger<'_>, run: &str, by: &str) -> Result<TakenOver, Unmet> {
    succeeds("take_over", ledger.site.second.take_over(&run_id(run), &worker(by), TTL, 0).await)
}

fn owned(taken: TakenOver) -> Result<Lease, Unmet> {
    match taken {
        TakenOver::Owned(lease) => Ok(lease),
        other => Err(broken(format!("take_over: expected Owned, found {other:?}"))),
    }
}
