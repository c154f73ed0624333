//! The fence of a service: a chain of commits that only grows, each with a higher stamp than the one before.
//!
//! A mark records what its push moved, so that whoever comes after a crash can see what was meant and complete it.

use std::fmt::Write;

use git2::{Oid, Signature, Time};
use hotfix_core::model::{IdempotencyKey, RefName, ServiceName, Stamp, Timestamp};

use crate::error::Error;
use crate::object::Draft;
use crate::repo::Repo;

const TITLE: &str = "hotfix fence: ";
const NONE: &str = "-";

/// A reference that a batch moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) name: RefName,
    pub(crate) old: Option<Oid>,
    pub(crate) new: Option<Oid>,
}

/// What a mark stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The fence was raised and nothing else.
    Seal,
    /// References moved.
    Apply { key: IdempotencyKey, moves: Vec<Move> },
    /// A batch was asked for again that had been applied before.
    Repeat { key: IdempotencyKey },
}

/// One commit of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) id: Oid,
    pub(crate) stamp: Stamp,
    pub(crate) act: Act,
}

/// Returns the reference that holds the newest mark of a service.
pub(crate) fn fence_ref(service: &ServiceName) -> String {
    format!("refs/hotfix/fence/{service}")
}

impl Act {
    pub(crate) fn key(&self) -> Option<&IdempotencyKey> {
        match self {
            Self::Seal => None,
            Self::Apply { key, .. } | Self::Repeat { key } => Some(key),
        }
    }

    pub(crate) fn moves(&self) -> &[Move] {
        match self {
            Self::Apply { moves, .. } => moves,
            Self::Seal | Self::Repeat { .. } => &[],
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Apply { .. } => "apply",
            Self::Repeat { .. } => "repeat",
        }
    }
}

/// Makes the commit of a new mark above `tip`. No reference names it yet.
pub(crate) fn make_mark(
    repo: &Repo,
    tip: Option<Oid>,
    stamp: Stamp,
    act: &Act,
    at: Timestamp,
) -> Result<Oid, Error> {
    let who = Signature::new("hotfix", "hotfix@localhost", &Time::new(at.timestamp(), 0))
        .map_err(Error::library("name the author of a fence commit"))?;
    let tree = repo.empty_tree()?;
    let parents: Vec<Oid> = tip.into_iter().collect();
    let message = encode(stamp, act);
    repo.make_commit(&Draft { tree, parents: &parents, author: &who, committer: &who, message: &message })
}

/// Reads the chain from its newest mark down.
pub(crate) fn read_chain(repo: &Repo, tip: Option<Oid>) -> Result<Vec<Mark>, Error> {
    let mut marks = Vec::new();
    let mut next = tip;
    while let Some(id) = next {
        let (mark, before) = read_mark(repo, id)?;
        marks.push(mark);
        next = before;
    }
    Ok(marks)
}

/// Reads one mark, and the id of the one before it.
pub(crate) fn read_mark(repo: &Repo, id: Oid) -> Result<(Mark, Option<Oid>), Error> {
    let commit = repo.git().find_commit(id).map_err(Error::lookup("read a fence commit", id))?;
    let unreadable = |reason: &str| Error::UnreadableFence { commit: id, reason: reason.to_owned() };
    let message = commit.message().map_err(|_| unreadable("its message is not UTF-8"))?;
    let (stamp, act) = decode(message).ok_or_else(|| unreadable("a newer version may have written it"))?;
    Ok((Mark { id, stamp, act }, commit.parent_id(0).ok()))
}

fn encode(stamp: Stamp, act: &Act) -> String {
    let mut text = format!("{TITLE}{}\n\nstamp {}.{}\n", act.name(), stamp.epoch, stamp.seq);
    let id = |id: Option<Oid>| id.map_or_else(|| NONE.to_owned(), |id| id.to_string());
    if let Some(key) = act.key() {
        let _ = writeln!(text, "key {key}");
    }
    for Move { name, old, new } in act.moves() {
        let _ = writeln!(text, "move {name} {} {}", id(*old), id(*new));
    }
    text
}

fn decode(message: &str) -> Option<(Stamp, Act)> {
    let mut lines = message.lines();
    let name = lines.next()?.strip_prefix(TITLE)?;
    lines.next().filter(|blank| blank.is_empty())?;
    let (epoch, seq) = lines.next()?.strip_prefix("stamp ")?.split_once('.')?;
    let stamp = Stamp::new(epoch.parse().ok()?, seq.parse().ok()?);
    let mut key = || IdempotencyKey::new(lines.next()?.strip_prefix("key ")?).ok();
    let act = match name {
        "seal" => Act::Seal,
        "repeat" => Act::Repeat { key: key()? },
        "apply" => Act::Apply { key: key()?, moves: lines.by_ref().map(decode_move).collect::<Option<_>>()? },
        _ => return None,
    };
    lines.next().is_none().then_some((stamp, act))
}

fn decode_move(line: &str) -> Option<Move> {
    let mut words = line.strip_prefix("move ")?.split(' ');
    let name = RefName::new(words.next()?).ok()?;
    let mut id = || match words.next()? {
        NONE => Some(None),
        id => Oid::from_str(id).ok().map(Some),
    };
    Some(Move { name, old: id()?, new: id()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> Oid {
        Oid::from_str(&char::from(digit).to_string().repeat(40)).unwrap()
    }

    #[test]
    fn a_mark_reads_as_it_was_written() {
        let key = IdempotencyKey::new("run-1:publish").unwrap();
        let moves = vec![
            Move { name: RefName::new("refs/heads/main").unwrap(), old: Some(id(b'1')), new: Some(id(b'2')) },
            Move { name: RefName::new("refs/tags/v1").unwrap(), old: None, new: Some(id(b'3')) },
            Move { name: RefName::new("refs/heads/gone").unwrap(), old: Some(id(b'4')), new: None },
        ];
        for act in [Act::Seal, Act::Repeat { key: key.clone() }, Act::Apply { key, moves }] {
            let stamp = Stamp::new(7, 3);
            assert_eq!(decode(&encode(stamp, &act)), Some((stamp, act)));
        }
    }

    #[test]
    fn what_was_not_written_here_is_refused() {
        for message in [
            "",
            "hotfix fence: seal\n",
            "hotfix fence: seal\n\nstamp 1\n",
            "hotfix fence: seal\n\nstamp 1.2\nkey x\n",
            "hotfix fence: apply\n\nstamp 1.2\n",
            "hotfix fence: apply\n\nstamp 1.2\nkey k\nmove refs/heads/a - x\n",
            "hotfix fence: dance\n\nstamp 1.2\n",
        ] {
            assert_eq!(decode(message), None, "{message:?}");
        }
    }
}
