//! What is done to which request.

use std::fmt;

use hotfix_core::model::Period;

use super::Damage;
use crate::http::{Answer, Recorded};

/// What is done to one request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Disturbance {
    /// It does not arrive. Its caller gets this instead: `Answer::cut()` closes the connection, `Answer::hang()` is
    /// silent for ever, and `Answer::status(429)` with `retry-after` is a server that is busy.
    Instead(Answer),
    /// It arrives and is answered; the connection is closed before its caller hears that.
    LoseAnswer,
    /// It arrives; its caller gets this instead of the answer.
    ReplaceAnswer(Answer),
    /// It arrives and is answered; the first line of the answer that holds this text never arrives, as an event of a watch
    /// that is lost.
    OmitLine(String),
    /// It arrives and is answered; each line of the answer arrives twice, as events of a watch that are told again.
    RepeatLines,
    /// It arrives and is answered; of the answer its caller gets what is left.
    DamageAnswer(Damage),
    /// It does not arrive. The connection is reset, as by a process that was killed or a firewall.
    Reset,
    /// It arrives later.
    Delay(Period),
    /// It arrives and is answered; its caller hears that later. An answer that goes on, as that of a watch, begins later.
    DelayAnswer(Period),
    /// It waits, and its caller with it, until the test releases it. It arrives then even if its caller gave up.
    Hold,
    /// It arrives and is answered; the answer waits, and the caller with it, until the test releases it.
    HoldAnswer,
    /// It arrives and is answered; a copy waits until the test releases it.
    Duplicate,
    /// Its answer begins, and nothing follows: a watch that has become silent.
    Silence,
}

/// A request that came, and what was done to it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Happened {
    /// The request.
    pub request: Recorded,
    /// What was done to it; nothing means that it passed.
    pub disturbance: Option<Disturbance>,
}

type IsMeant = Box<dyn Fn(&Recorded) -> bool + Send>;

/// A disturbance for the requests that it is meant for.
pub(super) struct Rule {
    is_meant: IsMeant,
    disturbance: Disturbance,
    lasts: Lasts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasts {
    Once,
    ForEver,
}

impl Rule {
    pub(super) fn once(
        is_meant: impl Fn(&Recorded) -> bool + Send + 'static,
        disturbance: Disturbance,
    ) -> Self {
        Self { is_meant: Box::new(is_meant), disturbance, lasts: Lasts::Once }
    }

    pub(super) fn for_ever(
        is_meant: impl Fn(&Recorded) -> bool + Send + 'static,
        disturbance: Disturbance,
    ) -> Self {
        Self { is_meant: Box::new(is_meant), disturbance, lasts: Lasts::ForEver }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { disturbance, lasts, .. } = self;
        f.debug_struct("Rule").field("disturbance", disturbance).field("lasts", lasts).finish_non_exhaustive()
    }
}

/// The rules that are left, and what came of them.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<Rule>,
    happened: Vec<Happened>,
}

impl Script {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn happened(&self) -> Vec<Happened> {
        self.happened.clone()
    }

    /// Decides about a request.
    pub(super) fn decide(&mut self, request: Recorded) -> Option<Disturbance> {
        let index = self.rules.iter().position(|rule| (rule.is_meant)(&request));
        let disturbance = index.map(|index| match self.rules[index].lasts {
            Lasts::Once => self.rules.remove(index).disturbance,
            Lasts::ForEver => self.rules[index].disturbance.clone(),
        });
        self.happened.push(Happened { request, disturbance: disturbance.clone() });
        disturbance
    }
}
