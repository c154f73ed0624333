//! Where a driver dies, as a word that is passed to it: `STEP:MOMENT:HOW`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// A moment in the life of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Its intent is about to be committed.
    BeforeIntent,
    /// Its intent is being committed: nobody knows whether it will be.
    WithinIntent,
    /// Its intent is committed, nothing was sent.
    AfterIntent,
    /// It was applied, its outcome is not committed.
    AfterApply,
    /// Its outcome is being committed.
    WithinOutcome,
    /// Its outcome is committed.
    AfterOutcome,
}

/// How a driver stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// For ever.
    Kill,
    /// Until somebody continues it: it then believes that no time has passed.
    Freeze,
}

/// Where a driver stops, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KillPoint {
    pub(super) step: u16,
    pub(super) moment: Moment,
    pub(super) how: How,
}

impl Moment {
    pub(super) const ALL: [Self; 6] = [
        Self::BeforeIntent,
        Self::WithinIntent,
        Self::AfterIntent,
        Self::AfterApply,
        Self::WithinOutcome,
        Self::AfterOutcome,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BeforeIntent => "before-intent",
            Self::WithinIntent => "within-intent",
            Self::AfterIntent => "after-intent",
            Self::AfterApply => "after-apply",
            Self::WithinOutcome => "within-outcome",
            Self::AfterOutcome => "after-outcome",
        }
    }

    /// Whether a transaction of the store is open. Whoever is frozen then keeps everybody else from writing until he
    /// wakes, so nobody can go on in his place.
    pub(super) const fn is_within(self) -> bool {
        matches!(self, Self::WithinIntent | Self::WithinOutcome)
    }
}

impl How {
    pub(super) const fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Freeze => Signal::STOP,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
        }
    }

    /// Does it to this process a while later, in which this thread does nothing.
    pub(super) fn strike_after(self, while_later: Duration) {
        #[expect(clippy::disallowed_methods, reason = "another thread is about to be interrupted")]
        std::thread::sleep(while_later);
        self.strike();
    }

    /// Does it to this process. Returns only after a freeze, when it was continued.
    pub(super) fn strike(self) {
        kill_process(getpid(), self.signal()).expect("a process may signal itself");
        // The signal may be taken by another thread a moment later. This one must not go on before.
        #[expect(clippy::disallowed_methods, reason = "nothing else may happen in this thread")]
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl fmt::Display for KillPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.step, self.moment.name(), self.how.name())
    }
}

impl FromStr for KillPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is no kill point such as 3:after-intent:kill");
        let words: Vec<&str> = text.split(':').collect();
        let [step, moment, how] = words[..] else { return Err(unknown()) };
        Ok(Self {
            step: step.parse().map_err(|_| unknown())?,
            moment: Moment::ALL.into_iter().find(|it| it.name() == moment).ok_or_else(unknown)?,
            how: [How::Kill, How::Freeze].into_iter().find(|it| it.name() == how).ok_or_else(unknown)?,
        })
    }
}
