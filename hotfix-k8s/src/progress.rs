//! How far a verb got, and what its failure means then.

use hotfix_core::port::{Ambiguity, Receipt, Reply};

/// How far a verb got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    Nothing,
    /// The fence stands at the call's stamp.
    Claimed,
    /// Something else was changed, too.
    Begun,
    /// So it was, and the rest is to come when pods have changed. What was changed makes the verb's own conditions
    /// false, which were compared before.
    Underway,
}

/// A verb that fails after something was changed is not known to have done nothing.
pub(crate) fn half_done(reply: Reply, progress: Progress) -> Reply {
    match (progress, reply) {
        (Progress::Begun | Progress::Underway, Reply::Rejected(rejection)) => {
            Reply::Ambiguous(Ambiguity::Unclear { answer: format!("half done, then {rejection}") })
        }
        (Progress::Begun | Progress::Underway, Reply::Conflict(conflict)) => {
            Reply::Ambiguous(Ambiguity::Unclear { answer: format!("half done, then {conflict}") })
        }
        (_, reply) => reply,
    }
}

/// A receipt with what is to be said beside it.
pub(crate) fn with(receipt: Receipt, said: Vec<String>) -> Receipt {
    let all: Vec<_> = [receipt.0].into_iter().chain(said).collect();
    Receipt(all.join("; "))
}
