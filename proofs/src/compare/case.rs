//! One measured case: what was measured, what was aimed at, and the line that says so.

use std::fmt;

/// A value with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

/// What is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    /// Less: times, sizes.
    Less,
    /// More: rates.
    More,
}

/// What was aimed at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// To be so many times as good as the peer.
    Ratio(f64),
    /// Not to be above this.
    AtMost(Figure),
    /// Not to be above the peer by more than this.
    PeerPlus(Figure),
    /// Nothing: it is told beside the others.
    Nothing,
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) ours: Figure,
    pub(super) peer: Option<Figure>,
    pub(super) better: Better,
    pub(super) goal: Goal,
}

impl Case {
    /// A case without a peer, of which less is better.
    pub(super) fn alone(name: impl Into<String>, ours: Figure, goal: f64) -> Self {
        let goal = Goal::AtMost(Figure { value: goal, unit: ours.unit });
        Self { name: name.into(), ours, peer: None, better: Better::Less, goal }
    }

    /// How many times better ours is than the peer.
    fn ratio(&self) -> Option<f64> {
        let (ours, peer) = (self.ours.value, self.peer?.value);
        Some(match self.better {
            Better::Less => peer / ours,
            Better::More => ours / peer,
        })
    }

    /// Returns whether it is as was aimed at; `None` when nothing was.
    fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::Ratio(least) => Some(self.ratio().is_some_and(|ratio| ratio >= least)),
            Goal::AtMost(most) => Some(self.ours.value <= most.value),
            Goal::PeerPlus(most) => {
                Some(self.peer.is_some_and(|peer| self.ours.value - peer.value <= most.value))
            }
            Goal::Nothing => None,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ours={} peer=", self.name, self.ours)?;
        match self.peer {
            Some(peer) => write!(f, "{peer}")?,
            None => f.write_str("none")?,
        }
        match self.ratio() {
            Some(ratio) => write!(f, " ratio={}x", Short(ratio))?,
            None => f.write_str(" ratio=-")?,
        }
        write!(f, " goal={}", self.goal)?;
        match self.is_met() {
            Some(true) => f.write_str(" met"),
            Some(false) => f.write_str(" missed"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(least) => write!(f, ">={least}x"),
            Self::AtMost(Figure { value, unit }) => write!(f, "<={value}{unit}"),
            Self::PeerPlus(Figure { value, unit }) => write!(f, "<=peer+{value}{unit}"),
            Self::Nothing => f.write_str("-"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Short(self.value), self.unit)
    }
}

/// Three digits that count; more only before the point.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            value if value < 10.0 => 2,
            value if value < 100.0 => 1,
            _ => 0,
        };
        write!(f, "{:.digits$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: f64) -> Figure {
        Figure { value, unit: "ms" }
    }

    #[test]
    fn a_line_says_what_was_measured_and_what_became_of_the_goal() {
        let case = Case {
            name: "pick".to_owned(),
            ours: ms(34.16),
            peer: Some(ms(143.2)),
            better: Better::Less,
            goal: Goal::Ratio(4.0),
        };
        assert_eq!(case.to_string(), "pick: ours=34.2ms peer=143ms ratio=4.19x goal=>=4x met");
        let slow = Case { ours: ms(40.0), ..case };
        assert_eq!(slow.to_string(), "pick: ours=40.0ms peer=143ms ratio=3.58x goal=>=4x missed");
        let late = Case { goal: Goal::PeerPlus(ms(50.0)), peer: Some(ms(1.0)), ours: ms(51.5), ..slow };
        assert_eq!(late.to_string(), "pick: ours=51.5ms peer=1.00ms ratio=0.02x goal=<=peer+50ms missed");
        let told = Case { goal: Goal::Nothing, ..late };
        assert_eq!(told.to_string(), "pick: ours=51.5ms peer=1.00ms ratio=0.02x goal=-");
    }

    #[test]
    fn of_rates_more_is_better_and_a_peer_may_be_missing() {
        let rate = |value| Figure { value, unit: "/s" };
        let case = Case {
            name: "append".to_owned(),
            ours: rate(5_000.0),
            peer: Some(rate(6_250.0)),
            better: Better::More,
            goal: Goal::Ratio(0.8),
        };
        assert_eq!(case.to_string(), "append: ours=5000/s peer=6250/s ratio=0.80x goal=>=0.8x met");
        let alone = Case::alone("size", Figure { value: 17.0, unit: "KiB" }, 16.0);
        assert_eq!(alone.to_string(), "size: ours=17.0KiB peer=none ratio=- goal=<=16KiB missed");
    }
}
