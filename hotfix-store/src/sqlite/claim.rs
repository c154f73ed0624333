//! Who owns what: opening a run, its lease, and taking it over.

use hotfix_core::ErrorKind;
use hotfix_core::model::{Fenced, IncidentId, Period, RunId, Timestamp, WorkerName};
use hotfix_core::port::{Claim, Lease, NewRun, Opened, Renewed, RunState, TakenOver};
use rusqlite::{OptionalExtension, params};

use super::chain::Link;
use super::column::{Count, Id, Micros};
use super::failure::Failure;
use super::heads::Head;
use super::tx::Tx;
use super::{incident, journal, outbox, run};

/// Claims all targets and writes the first entry, or nothing.
pub(super) fn open(tx: &mut Tx<'_>, new: &NewRun) -> Result<Opened, Failure> {
    let used = tx.sql("SELECT 1 FROM run WHERE id = ?1")?.exists([new.run.as_str()])?;
    if used {
        let message = "a run of this id was opened before: make a fresh id, or take the run over";
        return Err(Failure::new(ErrorKind::AlreadyExists, message).with("run", &new.run));
    }
    check_claims(&new.claims)?;
    for target in &new.claims {
        if let Some(claim) = active_on(tx, target)? {
            return Ok(Opened::Busy(claim));
        }
    }
    tx.atomically(|tx| open_free(tx, new))
}

/// Extends the lease of its owner.
pub(super) fn renew(tx: &mut Tx<'_>, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed, Failure> {
    let head = journal::head(tx, run)?;
    if head.epoch != epoch || head.state == RunState::Ended {
        return Ok(Renewed::Lost { epoch: head.epoch });
    }
    let until = tx.now() + ttl.to_delta();
    tx.execute("UPDATE run SET expires_at = ?2 WHERE number = ?1", params![head.number, Micros(until)])?;
    Ok(Renewed::Until(until))
}

/// Gives the run to `worker` under a higher epoch, if nobody else holds it.
pub(super) fn take_over(
    tx: &mut Tx<'_>,
    run: &RunId,
    worker: &WorkerName,
    ttl: Period,
    above: u64,
) -> Result<TakenOver, Failure> {
    let head = journal::head(tx, run)?;
    if head.state == RunState::Ended {
        return Ok(TakenOver::Ended);
    }
    let now = tx.now();
    let (holder, expires_at) = holder_of(tx, head.number)?;
    if holder != *worker && now < expires_at {
        return busy(tx, run, head.number);
    }
    let lease = Lease {
        run: run.clone(),
        epoch: highest_epoch(tx, &run::claims_of(tx.db, head.number)?)?.max(head.epoch).max(above) + 1,
        expires_at: now + ttl.to_delta(),
    };
    tx.atomically(|tx| {
        tx.execute(
            "UPDATE run SET epoch = ?2, holder = ?3, expires_at = ?4 WHERE number = ?1",
            params![head.number, Count(lease.epoch), worker.as_str(), Micros(lease.expires_at)],
        )?;
        claim_targets(tx, head.number, lease.epoch, &run::claims_of(tx.db, head.number)?)
    })?;
    let head = Head { epoch: lease.epoch, ..head };
    tx.heads.put(run, head);
    Ok(TakenOver::Owned(lease))
}

fn open_free(tx: &mut Tx<'_>, new: &NewRun) -> Result<Opened, Failure> {
    let now = tx.now();
    let incident = incident::join(tx, &new.incident, now)?;
    let lease = Lease {
        run: new.run.clone(),
        epoch: highest_epoch(tx, &new.claims)?.max(new.epoch_above) + 1,
        expires_at: now + new.ttl.to_delta(),
    };
    let number = insert_run(tx, new, &lease, &incident, now)?;
    for (target, position) in new.claims.iter().zip(0_i64..) {
        tx.execute(
            "INSERT INTO run_target (run, position, target) VALUES (?1, ?2, ?3)",
            params![number, position, target.to_string()],
        )?;
    }
    claim_targets(tx, number, lease.epoch, &new.claims)?;
    let (state, link) = (RunState::Active, Link::root(&new.run));
    let head = Head { number, state, epoch: lease.epoch, next: 0, last: 0, link };
    let head = journal::write_entry(tx, head, &new.body)?;
    incident::write_timeline(tx, &incident, &new.timeline)?;
    outbox::enqueue_all(tx, &incident, &new.postings)?;
    tx.heads.put(&new.run, head);
    Ok(Opened::Claimed { lease, incident })
}

/// A run that claims nothing, or one target twice, is a defect of the caller.
fn check_claims(claims: &[Fenced]) -> Result<(), Failure> {
    let invalid = |message| Failure::new(ErrorKind::Invalid, message);
    let twice = claims.iter().enumerate().find(|(index, target)| claims[..*index].contains(target));
    match twice {
        Some((_, target)) => Err(invalid("a target is claimed twice: name it once").with("target", target)),
        None if claims.is_empty() => Err(invalid("no target is claimed: name at least one")),
        None => Ok(()),
    }
}

fn insert_run(
    tx: &Tx<'_>,
    new: &NewRun,
    lease: &Lease,
    incident: &IncidentId,
    now: Timestamp,
) -> Result<i64, Failure> {
    tx.execute(
        "INSERT INTO run (id, incident, state, epoch, holder, opened_at, expires_at, entries, last)
         VALUES (?1, ?2, 'active', ?3, ?4, ?5, ?6, 0, 0)",
        params![
            new.run.as_str(),
            incident.as_str(),
            Count(lease.epoch),
            new.worker.as_str(),
            Micros(now),
            Micros(lease.expires_at)
        ],
    )?;
    Ok(tx.db.last_insert_rowid())
}

fn claim_targets(tx: &Tx<'_>, number: i64, epoch: u64, targets: &[Fenced]) -> Result<(), Failure> {
    for target in targets {
        tx.execute(
            "INSERT INTO target (name, epoch, active_run) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, active_run = excluded.active_run",
            params![target.to_string(), Count(epoch), number],
        )?;
    }
    Ok(())
}

/// Returns the highest epoch that was ever used on any of the targets, 0 if none was.
fn highest_epoch(tx: &Tx<'_>, targets: &[Fenced]) -> Result<u64, Failure> {
    let mut sql = tx.sql("SELECT epoch FROM target WHERE name = ?1")?;
    let mut highest = 0;
    for target in targets {
        let epoch = sql.query_row([target.to_string()], |row| row.get(0)).optional()?;
        highest = highest.max(epoch.map_or(0, |Count(epoch)| epoch));
    }
    Ok(highest)
}

fn holder_of(tx: &Tx<'_>, number: i64) -> Result<(WorkerName, Timestamp), Failure> {
    let mut sql = tx.sql("SELECT holder, expires_at FROM run WHERE number = ?1")?;
    let (Id(holder), Micros(expires_at)) = sql.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((holder, expires_at))
}

fn busy(tx: &Tx<'_>, run: &RunId, number: i64) -> Result<TakenOver, Failure> {
    for target in run::claims_of(tx.db, number)? {
        if let Some(claim) = active_on(tx, &target)? {
            return Ok(TakenOver::Busy(claim));
        }
    }
    let message = "the run is open and holds none of its targets";
    Err(Failure::new(ErrorKind::Corrupt, message).with("run", run))
}

fn active_on(tx: &Tx<'_>, target: &Fenced) -> Result<Option<Claim>, Failure> {
    let mut sql = tx.sql(
        "SELECT run.id, holder, opened_at, expires_at FROM target JOIN run ON run.number = active_run
         WHERE name = ?1",
    )?;
    let claim = sql.query_row([target.to_string()], |row| {
        let (Id(run), Id(holder)) = (row.get(0)?, row.get(1)?);
        let (Micros(since), Micros(expires_at)) = (row.get(2)?, row.get(3)?);
        Ok(Claim { target: target.clone(), run, holder, since, expires_at })
    });
    Ok(claim.optional()?)
}
