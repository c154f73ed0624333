//! What goes wrong on the way to a target and back, as a script for the reference backends.

use std::collections::VecDeque;

use crate::model::Period;
use crate::port::{Ambiguity, Rejection, Reply};

/// What happens to the next mutation instead of a smooth passage. Each is used once, in the order of scripting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// It is applied, but the answer is lost: the caller sees [`Reply::Ambiguous`].
    ReplyLost,
    /// It gets lost on the way and is never applied: the caller sees [`Reply::Ambiguous`].
    RequestLost,
    /// It is stuck on the way, and the caller sees [`Reply::Ambiguous`]. It arrives when the held requests are
    /// delivered.
    RequestHeld,
    /// It is applied and answered, and a copy of it is stuck on the way until the held requests are delivered.
    Duplicated,
    /// The target is busy and asks to wait.
    Busy {
        /// How long to wait, if the target says so.
        retry_after: Option<Period>,
    },
    /// The target refuses it for good.
    Refused {
        /// The target's words.
        reason: String,
    },
}

/// Whether a target can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Link {
    /// It can.
    #[default]
    Up,
    /// Nothing gets there: reads fail, mutations are refused as busy, seals find it unreachable.
    Down,
}

/// The network between callers and targets; `R` is a request that can be delivered again.
#[derive(Debug)]
pub(super) struct Network<R> {
    script: VecDeque<Trouble>,
    held: VecDeque<R>,
    pub(super) link: Link,
}

impl<R> Default for Network<R> {
    fn default() -> Self {
        Self { script: VecDeque::new(), held: VecDeque::new(), link: Link::Up }
    }
}

impl<R> Network<R> {
    pub(super) fn add(&mut self, trouble: Trouble) {
        self.script.push_back(trouble);
    }

    /// Sends a request on its way: `arrive` is what the target does with it, and the result is what the caller hears.
    pub(super) fn send(&mut self, request: R, arrive: impl FnOnce(&R) -> Reply) -> Reply {
        if self.link == Link::Down {
            return busy(DOWN, None);
        }
        match self.script.pop_front() {
            None => arrive(&request),
            Some(Trouble::ReplyLost) => {
                arrive(&request);
                NO_ANSWER
            }
            Some(Trouble::Duplicated) => {
                let reply = arrive(&request);
                self.held.push_back(request);
                reply
            }
            Some(Trouble::RequestHeld) => {
                self.held.push_back(request);
                NO_ANSWER
            }
            Some(Trouble::RequestLost) => NO_ANSWER,
            Some(Trouble::Busy { retry_after }) => busy("scripted as busy", retry_after),
            Some(Trouble::Refused { reason }) => Reply::Rejected(refuse(reason)),
        }
    }

    /// Delivers what was held, in the order it was sent.
    pub(super) fn deliver(&mut self, arrive: impl FnMut(R) -> Reply) -> Vec<Reply> {
        std::mem::take(&mut self.held).into_iter().map(arrive).collect()
    }
}

/// What a caller is told when the link is down.
pub(super) const DOWN: &str = "the link to the target is down";

const NO_ANSWER: Reply = Reply::Ambiguous(Ambiguity::Timeout);

fn busy(reason: &str, retry_after: Option<Period>) -> Reply {
    let reason = reason.to_owned();
    Reply::Rejected(Rejection::Busy { reason, retry_after })
}

/// Refuses a mutation for good.
pub(super) fn refuse(reason: impl Into<String>) -> Rejection {
    Rejection::Permanent { reason: reason.into() }
}
