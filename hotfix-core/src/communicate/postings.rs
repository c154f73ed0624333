//! From a message to the postings of a thread: one root per run, replies below it, the root changed in place.

use crate::execute::{Record, Run};
use crate::model::{IncidentId, Message, Phase};
use crate::port::{Posting, PostingKind, ThreadKey};

/// Makes the postings of a committed record, for each destination the same.
///
/// The first entry opens the thread. Every later message is a reply. A record that leads to another phase, or ends the
/// run, is told to the whole place and also changes the root, so that a glance at it tells where the run stands.
/// `run` is the state that the record led to, `before` the phase it left.
#[must_use]
pub fn postings(
    record: &Record,
    message: Message,
    run: &Run,
    before: Phase,
    incident: &IncidentId,
) -> Vec<Posting> {
    let seq = run.entries().saturating_sub(1);
    let posting = |kind, name: &str, message: Message| Posting {
        dedup: format!("{}:{seq}:{name}", run.run()),
        thread: ThreadKey { incident: incident.clone(), run: run.run().clone() },
        kind,
        message,
        silencing: None,
        root: None,
    };
    if matches!(record, Record::Planned(_)) {
        return vec![posting(PostingKind::Root, "root", message)];
    }
    if !is_turn(record, run, before) {
        return vec![posting(PostingKind::Reply, "reply", message)];
    }
    let root = Message { phase: run.phase(), ..message.clone() };
    vec![posting(PostingKind::Broadcast, "reply", message), posting(PostingKind::Update, "update", root)]
}

/// Returns whether a record leads to another phase or to the end. A run whose steps are all done is not told to have
/// ended before it has.
fn is_turn(record: &Record, run: &Run, before: Phase) -> bool {
    let ended = matches!(record, Record::Terminal(_));
    ended || (run.phase() != before && run.phase() != Phase::Ended)
}
