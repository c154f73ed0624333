//! Where a driver dies, as a word that is passed to it: `DOING:WHEN:HOW`, such as `intent-3:after:kill`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// What a driver is at when it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It opens its run, and claims the targets with it.
    Opening,
    /// It renews its lease for the first time.
    Renewal,
    /// It commits that the effect of a step is about to be sent.
    Intent(u16),
    /// It hears what the target says of the effect of a step.
    Answer(u16),
    /// It commits what became of the effect of a step.
    Outcome(u16),
    /// It commits what a gate proved.
    Verdict(u16),
    /// It commits the end of its run, and gives the targets back with it.
    End,
}

/// How far it is with that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    /// It is being committed: nobody knows whether it will be.
    Within,
    After,
}

/// A moment in the life of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) doing: Doing,
    pub(super) when: When,
}

/// How long a process may take until all of it has stopped.
const TAKEN: Duration = Duration::from_secs(3);

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
    pub(super) moment: Moment,
    pub(super) how: How,
}

impl Doing {
    /// Its name, without that of the step.
    const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Renewal => "renewal",
            Self::Intent(_) => "intent",
            Self::Answer(_) => "answer",
            Self::Outcome(_) => "outcome",
            Self::Verdict(_) => "verdict",
            Self::End => "end",
        }
    }

    /// The step that it is about.
    pub(super) const fn step(self) -> Option<u16> {
        match self {
            Self::Intent(step) | Self::Answer(step) | Self::Outcome(step) | Self::Verdict(step) => Some(step),
            Self::Opening | Self::Renewal | Self::End => None,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let Some((name, step)) = word.split_once('-') else {
            return [Self::Opening, Self::Renewal, Self::End].into_iter().find(|it| it.name() == word);
        };
        let step = step.parse().ok()?;
        let all = [Self::Intent(step), Self::Answer(step), Self::Outcome(step), Self::Verdict(step)];
        all.into_iter().find(|it| it.name() == name)
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step() {
            Some(step) => write!(f, "{}-{step}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

impl When {
    const ALL: [Self; 3] = [Self::Before, Self::Within, Self::After];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Within => "within",
            Self::After => "after",
        }
    }
}

impl Moment {
    /// Every moment of something that is committed.
    pub(super) fn of(doing: Doing) -> [Self; 3] {
        When::ALL.map(|when| Self { doing, when })
    }

    /// Every moment of an effect: as long as it is not committed that the target answered, it is as if it had not.
    pub(super) fn of_effect(step: u16) -> [Self; 6] {
        let [before, within, after] = Self::of(Doing::Intent(step));
        let [_, settling, settled] = Self::of(Doing::Outcome(step));
        [before, within, after, Self { doing: Doing::Answer(step), when: When::After }, settling, settled]
    }

    /// Whether somebody else can take the run over while its driver is frozen there. Where a transaction of the store is
    /// open, that keeps everybody else from writing until the driver wakes; and before a run was opened and after its
    /// end there is nothing to take over.
    pub(super) const fn can_be_taken_over(self) -> bool {
        !matches!(
            (self.doing, self.when),
            (_, When::Within) | (Doing::Opening, When::Before) | (Doing::End, When::After)
        )
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
        // The signal may be taken by another thread, on a busy machine a good while later. This one must not go on before.
        // Whoever was frozen for longer goes on at once.
        #[expect(clippy::disallowed_methods, reason = "nothing else may happen in this thread")]
        std::thread::sleep(TAKEN);
    }
}

impl fmt::Display for KillPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moment: Moment { doing, when }, how } = self;
        write!(f, "{doing}:{}:{}", when.name(), how.name())
    }
}

impl FromStr for KillPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is no kill point such as intent-3:after:kill");
        let words: Vec<&str> = text.split(':').collect();
        let [doing, when, how] = words[..] else { return Err(unknown()) };
        let doing = Doing::parse(doing).ok_or_else(unknown)?;
        let when = When::ALL.into_iter().find(|it| it.name() == when).ok_or_else(unknown)?;
        let how = [How::Kill, How::Freeze].into_iter().find(|it| it.name() == how).ok_or_else(unknown)?;
        Ok(Self { moment: Moment { doing, when }, how })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_read_as_it_is_written() {
        let commits =
            [Doing::Opening, Doing::Renewal, Doing::Verdict(12), Doing::End].map(Moment::of).concat();
        for moment in commits.into_iter().chain(Moment::of_effect(3)) {
            for how in [How::Kill, How::Freeze] {
                let point = KillPoint { moment, how };
                assert_eq!(point.to_string().parse(), Ok(point));
            }
        }
        for odd in ["intent:after:kill", "opening-1:after:kill", "intent-3:after", "intent-3:later:kill"] {
            assert_eq!(
                odd.parse::<KillPoint>(),
                Err(format!("{odd:?} is no kill point such as intent-3:after:kill"))
            );
        }
    }
}
