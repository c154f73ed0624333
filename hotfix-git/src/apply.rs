//! Applying a batch of references once, sealing, and probing: what the fence chain says decides.

use std::collections::BTreeSet;

use git2::{ObjectType, Oid};
use hotfix_core::model::{IdempotencyKey, RefBatch, RefUpdate, ServiceName, Stamp};
use hotfix_core::port::{Ambiguity, Call, Conflict, Probe, Receipt, Rejection, Reply, Seal, Sealed};

use crate::convert::oid;
use crate::error::Error;
use crate::fence::{Act, Mark, Move, make_mark};
use crate::limit::Limit;
use crate::truth::{Published, Reading, Truth};

/// How often a batch is tried again when the fence moved between reading and writing.
const ATTEMPTS: usize = 4;

/// What the fence says to a call.
enum Admission<'m> {
    Fresh,
    /// Its key was applied by this mark. The fence stands at the call's stamp already, or must be raised to it.
    Repeated(&'m Mark),
    Fenced(Stamp),
}

pub(crate) fn apply(
    truth: &Truth<'_>,
    limit: &Limit,
    call: &Call,
    service: &ServiceName,
    batch: &RefBatch,
) -> Reply {
    if limit.remaining().is_zero() {
        return busy("the deadline has passed; nothing was tried".to_owned());
    }
    for _ in 0..ATTEMPTS {
        match attempt(truth, limit, call, service, batch) {
            Ok(Some(reply)) => return reply,
            Ok(None) => {}
            Err(error) => return not_done(&error),
        }
    }
    busy(format!("the fence of {service} moved {ATTEMPTS} times in a row"))
}

/// `None`: something moved in between; look again.
fn attempt(
    truth: &Truth<'_>,
    limit: &Limit,
    call: &Call,
    service: &ServiceName,
    batch: &RefBatch,
) -> Result<Option<Reply>, Error> {
    let names: Vec<&str> = batch.updates.iter().map(|update| update.name.as_str()).collect();
    let Reading { refs, marks } = truth.read(service, &names)?;
    truth.catch_up(service, &marks)?;
    let (act, answer) = match admit(call, &marks) {
        Admission::Fenced(current) => return Ok(Some(Reply::Conflict(Conflict::Fenced { current }))),
        Admission::Repeated(mark) => {
            if current(&marks) == call.stamp {
                return Ok(Some(Reply::Applied(receipt(mark))));
            }
            (Act::Repeat { key: call.key.clone() }, receipt(mark))
        }
        Admission::Fresh => {
            let moves = match check(truth, batch) {
                Ok(moves) => moves,
                Err(refusal) => return Ok(Some(refusal)),
            };
            let drift = moves.iter().find_map(|step| drift(step, refs.get(step.name.as_str()).copied()));
            if let Some(conflict) = drift {
                return Ok(Some(Reply::Conflict(conflict)));
            }
            let answer = Receipt(format!("{} reference(s) at {}", moves.len(), call.stamp));
            (Act::Apply { key: call.key.clone(), moves }, answer)
        }
    };
    let tip = marks.first().map(|mark| mark.id);
    let mark = make_mark(truth.repo(), tip, call.stamp, &act, limit.now())?;
    Ok(match truth.publish(service, act.moves(), tip, mark)? {
        Published::Done => Some(Reply::Applied(answer)),
        Published::Stale => None,
        // The batch stands, only the fence could not be raised: neither "applied at this stamp" nor "not applied".
        Published::Refused(cause) | Published::Unavailable(cause) if matches!(act, Act::Repeat { .. }) => {
            Some(Reply::Ambiguous(Ambiguity::Interrupted { cause }))
        }
        Published::Refused(reason) => Some(Reply::Rejected(Rejection::Permanent { reason })),
        Published::Unavailable(reason) => Some(busy(reason)),
        Published::Unknown(error) => Some(Reply::Ambiguous(ambiguity(&error))),
    })
}

fn admit<'m>(call: &Call, marks: &'m [Mark]) -> Admission<'m> {
    let current = current(marks);
    let newer = call.stamp > current;
    let Some(applied) = find(&call.key, marks) else {
        return if newer { Admission::Fresh } else { Admission::Fenced(current) };
    };
    let newest_is_ours = marks.first().is_some_and(|mark| mark.act.key() == Some(&call.key));
    if newer || (newest_is_ours && call.stamp == current) {
        Admission::Repeated(applied)
    } else {
        Admission::Fenced(current)
    }
}

/// Finds the mark that moved the references of the key, not one that only repeated it.
fn find<'m>(key: &IdempotencyKey, marks: &'m [Mark]) -> Option<&'m Mark> {
    marks.iter().find(|mark| matches!(&mark.act, Act::Apply { key: applied, .. } if applied == key))
}

fn current(marks: &[Mark]) -> Stamp {
    marks.first().map_or(Stamp::ZERO, |mark| mark.stamp)
}

fn receipt(mark: &Mark) -> Receipt {
    Receipt(format!("{} reference(s) at {}", mark.act.moves().len(), mark.stamp))
}

pub(crate) fn seal(truth: &Truth<'_>, limit: &Limit, service: &ServiceName, stamp: Stamp) -> Seal {
    for _ in 0..ATTEMPTS {
        match attempt_seal(truth, limit, service, stamp) {
            Ok(Some(seal)) => return seal,
            Ok(None) => {}
            Err(error) => {
                return Seal::Unreachable { cause: error.to_string() };
            }
        }
    }
    Seal::Unreachable { cause: format!("the fence of {service} moved {ATTEMPTS} times in a row") }
}

fn attempt_seal(
    truth: &Truth<'_>,
    limit: &Limit,
    service: &ServiceName,
    stamp: Stamp,
) -> Result<Option<Seal>, Error> {
    let Reading { marks, .. } = truth.read(service, &[])?;
    truth.catch_up(service, &marks)?;
    let current = current(&marks);
    if stamp < current {
        return Ok(Some(Seal::Overtaken { current }));
    }
    if stamp == current && !marks.is_empty() {
        let sealed = matches!(marks[0].act, Act::Seal);
        let previous = if sealed { marks.get(1).map_or(Stamp::ZERO, |mark| mark.stamp) } else { current };
        return Ok(Some(Seal::Sealed(Sealed { previous })));
    }
    let tip = marks.first().map(|mark| mark.id);
    let mark = make_mark(truth.repo(), tip, stamp, &Act::Seal, limit.now())?;
    Ok(match truth.publish(service, &[], tip, mark)? {
        Published::Done => Some(Seal::Sealed(Sealed { previous: current })),
        Published::Stale => None,
        Published::Refused(cause) | Published::Unavailable(cause) => Some(Seal::Unreachable { cause }),
        Published::Unknown(error) => Some(Seal::Unreachable { cause: error.to_string() }),
    })
}

pub(crate) fn probe(truth: &Truth<'_>, service: &ServiceName, key: &IdempotencyKey) -> Probe {
    let looked = truth.read(service, &[]).and_then(|reading| {
        truth.catch_up(service, &reading.marks)?;
        Ok(find(key, &reading.marks).map(receipt))
    });
    match looked {
        Ok(Some(receipt)) => Probe::Applied(receipt),
        Ok(None) => Probe::NotApplied,
        Err(error) => Probe::Unreadable { cause: error.to_string() },
    }
}

/// Refuses what no repository should do, whatever its references hold.
fn check(truth: &Truth<'_>, batch: &RefBatch) -> Result<Vec<Move>, Reply> {
    let mut names = BTreeSet::new();
    for update in &batch.updates {
        if !names.insert(&update.name) {
            return Err(refused(format!("{} is named twice in one batch", update.name)));
        }
    }
    if names.is_empty() {
        return Err(refused("the batch is empty".to_owned()));
    }
    batch.updates.iter().map(|update| check_update(truth, update)).collect()
}

fn check_update(truth: &Truth<'_>, update: &RefUpdate) -> Result<Move, Reply> {
    let RefUpdate { name, old, new } = update;
    if name.is_tag() && old.is_some() {
        return Err(refused(format!("{name} is a tag; tags are never moved and never deleted")));
    }
    if name.as_str().starts_with("refs/hotfix/") {
        return Err(refused(format!("{name} belongs to the fence and is not moved by a batch")));
    }
    // With a remote, a branch under somebody's feet is not moved here: he pulls it like everybody else.
    if let Truth::Here(repo) = truth
        && old != new
        && let Some(worktree) = repo.checked_out_at(name.as_str()).map_err(|error| not_done(&error))?
    {
        return Err(refused(Error::CheckedOut { name: name.to_string(), worktree }.to_string()));
    }
    let parse = |id: &Option<_>| match id {
        None => Ok(None),
        Some(id) => {
            oid(id).map(Some).ok_or_else(|| refused(format!("{id} is no object id of this repository")))
        }
    };
    let (old, new) = (parse(old)?, parse(new)?);
    if let Some(id) = new {
        check_object(truth, update, id)?;
    }
    Ok(Move { name: name.clone(), old, new })
}

fn check_object(truth: &Truth<'_>, update: &RefUpdate, id: Oid) -> Result<(), Reply> {
    let kind = truth.repo().git().find_object(id, None).ok().and_then(|object| object.kind());
    match kind {
        Some(ObjectType::Commit) => Ok(()),
        Some(ObjectType::Tag) if update.name.is_tag() => Ok(()),
        Some(ObjectType::Tag) => {
            Err(refused(format!("{id} is a tag object; {} must hold a commit", update.name)))
        }
        Some(kind) => Err(refused(format!("{id} is a {}; {} must hold a commit", kind.str(), update.name))),
        None => Err(refused(format!("object {id} does not exist"))),
    }
}

fn drift(step: &Move, found: Option<Oid>) -> Option<Conflict> {
    let show = |id: Option<Oid>| match id {
        Some(id) => format!("{} at {id}", step.name),
        None => format!("no {}", step.name),
    };
    (found != step.old).then(|| Conflict::Drifted { expected: show(step.old), found: show(found) })
}

fn refused(reason: String) -> Reply {
    Reply::Rejected(Rejection::Permanent { reason })
}

fn busy(reason: String) -> Reply {
    Reply::Rejected(Rejection::Busy { reason, retry_after: None })
}

/// Classifies a failure before anything was published.
pub(crate) fn not_done(error: &Error) -> Reply {
    let reason = error.to_string();
    match error {
        Error::Unreachable { .. }
        | Error::Timeout { .. }
        | Error::Stopped { .. }
        | Error::Program { .. }
        | Error::Locked { .. }
        | Error::Busy { .. } => busy(reason),
        _ => refused(reason),
    }
}

fn ambiguity(error: &Error) -> Ambiguity {
    match error {
        Error::Timeout { .. } => Ambiguity::Timeout,
        Error::Program { text, .. } => Ambiguity::Unclear { answer: text.clone() },
        other => Ambiguity::Interrupted { cause: other.to_string() },
    }
}
