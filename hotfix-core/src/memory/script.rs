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
        Self {
            script: VecDeque::new(),
            held: VecDeque::new(),
            link: Link::Up,
        }
    }
}

impl<R> Network<R> {
    pub(super) fn add(&mut self, trouble: Trouble) {
        self.script.push_back(trouble);
    }

    /// Returns the trouble of the next request.
    pub(super) fn next(&mut self) -> Option<Trouble> {
        self.script.pop_front()
    }

    /// Returns whether the link is down, as the answer to a mutation.
    pub(super) fn refusal(&self) -> Option<Reply> {
        let busy = || Rejection::Busy {
            reason: DOWN.to_owned(),
            retry_after: None,
        };
        (self.link == Link::Down).then(|| Reply::Rejected(busy()))
    }

    pub(super) fn hold(&mut self, request: R) {
        self.held.push_back(request);
    }

    pub(super) fn take_held(&mut self) -> VecDeque<R> {
        std::mem::take(&mut self.held)
    }
}

/// What a caller is told when the link is down.
pub(super) const DOWN: &str = "the link to the target is down";

/// What becomes of a request: whether it reaches the target, and what the caller hears.
pub(super) enum Passage {
    /// It arrives, and the caller hears the answer.
    Through,
    /// It arrives, and the answer is lost.
    Deaf,
    /// It arrives, the caller hears the answer, and a copy is held.
    Twice,
    /// It is held.
    Held,
    /// It does not arrive, and the caller hears this.
    Answered(Reply),
}

impl From<Option<Trouble>> for Passage {
    fn from(trouble: Option<Trouble>) -> Self {
        match trouble {
            None => Self::Through,
            Some(Trouble::ReplyLost) => Self::Deaf,
            Some(Trouble::Duplicated) => Self::Twice,
            Some(Trouble::RequestHeld) => Self::Held,
            Some(Trouble::RequestLost) => Self::Answered(no_answer()),
            Some(Trouble::Busy { retry_after }) => Self::Answered(Reply::Rejected(Rejection::Busy {
                reason: "scripted as busy".to_owned(),
                retry_after,
            })),
            Some(Trouble::Refused { reason }) => {
                Self::Answered(Reply::Rejected(Rejection::Permanent { reason }))
            }
        }
    }
}

/// What the caller of a request hears when nothing comes back.
pub(super) const fn no_answer() -> Reply {
    Reply::Ambiguous(Ambiguity::Timeout)
}

/// Refuses a mutation for good.
pub(super) fn refuse(reason: impl Into<String>) -> Rejection {
    Rejection::Permanent {
        reason: reason.into(),
    }
}
