//! Where a driver dies, as a word that is passed to it: `STEP:MOMENT:HOW`.

use std::fmt;
use std::str::FromStr;

use rustix::process::{Signal, getpid, kill_process};

/// A moment in the life of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Its intent is about to be committed.
    BeforeIntent,
    /// Its intent is committed, nothing was sent.
    AfterIntent,
    /// It was applied, its outcome is not committed.
    AfterApply,
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
    pub(super) const ALL: [Self; 4] =
        [Self::BeforeIntent, Self::AfterIntent, Self::AfterApply, Self::AfterOutcome];

    const fn name(self) -> &'static str {
        match self {
            Self::BeforeIntent => "before-intent",
            Self::AfterIntent => "after-intent",
            Self::AfterApply => "after-apply",
            Self::AfterOutcome => "after-outcome",
        }
    }
}

impl How {
    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
        }
    }

    /// Does it to this process. Returns only after a freeze, when it was continued.
    pub(super) fn strike(self) {
        let signal = match self {
            Self::Kill => Signal::KILL,
            Self::Freeze => Signal::STOP,
        };
        kill_process(getpid(), signal).expect("a process may signal itself");
        // The signal may be taken by another thread a moment later. This one must not go on before.
        #[expect(clippy::disallowed_methods, reason = "nothing else may happen in this thread")]
        std::thread::sleep(std::time::Duration::from_millis(100));
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
