//! Design faults, seeded on purpose: each must break the invariant that the protocol guards against it, or the checks
//! have become blind.

use std::fmt;

use super::configuration::{Configuration, deploy, other};
use super::exploration::{Exploration, look_into};
use super::invariant::Invariant;
use super::rules::{ClaimRule, DriverRule, FenceRule, HalfRule, JournalRule, PreconditionRule, Rules};
use super::search::Until;
use super::world::Budget;

/// A fault of a target, of the store or of a driver that a sensible person could build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeededFault {
    /// The target compares leases only, so that a late copy of the deploy passes after the rollback.
    FencePerLease,
    /// A run whose target cannot be sealed is escalated instead of quarantined.
    EscalatesUnsealed,
    /// "Not applied" is believed without a seal.
    TrustsNegatives,
    /// The target compares what it holds with what is expected, and no stamps.
    NoFence,
    /// The target compares stamps, and not what it holds with what is expected.
    NoPrecondition,
    /// The target takes the same stamp twice, and does not compare what it holds with what is expected.
    RepeatableStamp,
    /// The target compares nothing.
    NoGuard,
    /// Effects are sent before their intents are committed.
    NoIntent,
    /// An effect of unknown outcome is sent again without a look, and the target does not compare what it holds.
    BlindRerun,
    /// Whoever thinks that the run is theirs may write to its journal.
    OpenJournal,
    /// The same, with a store that nobody watches: what comes of it.
    OpenJournalUnwatched,
    /// Another run may claim a target whose lease expired.
    ExpiringClaims,
    /// A target says that it refuses what it did half.
    HalfRefused,
}

impl SeededFault {
    /// All faults.
    pub const ALL: [Self; 13] = [
        Self::FencePerLease,
        Self::EscalatesUnsealed,
        Self::TrustsNegatives,
        Self::NoFence,
        Self::NoPrecondition,
        Self::RepeatableStamp,
        Self::NoGuard,
        Self::NoIntent,
        Self::BlindRerun,
        Self::OpenJournal,
        Self::OpenJournalUnwatched,
        Self::ExpiringClaims,
        Self::HalfRefused,
    ];

    /// Returns the invariant that must be found broken.
    #[must_use]
    pub const fn breaks(self) -> Invariant {
        match self {
            Self::FencePerLease | Self::RepeatableStamp | Self::NoGuard | Self::BlindRerun => {
                Invariant::SingleApplication
            }
            Self::EscalatesUnsealed | Self::TrustsNegatives | Self::NoFence => Invariant::FinalMeansFinal,
            Self::NoPrecondition => Invariant::DriftRespected,
            Self::NoIntent => Invariant::WriteAhead,
            Self::OpenJournal => Invariant::JournalOwnership,
            Self::OpenJournalUnwatched | Self::HalfRefused => Invariant::TerminalTruth,
            Self::ExpiringClaims => Invariant::ExclusiveTarget,
        }
    }

    /// Returns what is not looked at, because the fault breaks it by itself.
    const fn breaks_by_itself(self) -> &'static [Invariant] {
        match self {
            Self::FencePerLease | Self::NoFence | Self::RepeatableStamp | Self::NoGuard => {
                &[Invariant::FenceOrder, Invariant::SoundNegative]
            }
            Self::EscalatesUnsealed => &[Invariant::KnownTruth],
            Self::TrustsNegatives | Self::BlindRerun => &[Invariant::SoundNegative],
            Self::OpenJournalUnwatched => &[Invariant::JournalOwnership],
            Self::NoPrecondition
            | Self::NoIntent
            | Self::OpenJournal
            | Self::ExpiringClaims
            | Self::HalfRefused => &[],
        }
    }

    fn rules(self) -> Rules {
        let rules = Rules::default();
        match self {
            Self::FencePerLease => Rules { fence: FenceRule::PerLease, ..rules },
            Self::EscalatesUnsealed => Rules { driver: DriverRule::GivesUp, ..rules },
            Self::TrustsNegatives => Rules { driver: DriverRule::SkipsSeals, ..rules },
            Self::NoFence => Rules { fence: FenceRule::Absent, ..rules },
            Self::NoPrecondition => Rules { precondition: PreconditionRule::Ignored, ..rules },
            Self::RepeatableStamp => {
                Rules { fence: FenceRule::NotStrict, precondition: PreconditionRule::Ignored, ..rules }
            }
            Self::NoGuard => {
                Rules { fence: FenceRule::Absent, precondition: PreconditionRule::Ignored, ..rules }
            }
            Self::NoIntent => Rules { driver: DriverRule::SendsFirst, ..rules },
            Self::BlindRerun => {
                Rules { driver: DriverRule::Reruns, precondition: PreconditionRule::Ignored, ..rules }
            }
            Self::OpenJournal | Self::OpenJournalUnwatched => Rules { journal: JournalRule::Open, ..rules },
            Self::ExpiringClaims => Rules { claims: ClaimRule::WhenExpired, ..rules },
            Self::HalfRefused => Rules { halves: HalfRule::Refused, ..rules },
        }
    }

    fn configuration(self) -> Configuration {
        let trouble =
            Budget { crashes: 1, usurpations: 1, losses: 1, duplicates: 1, cancels: 1, ..Budget::default() };
        let (sketches, budget) = match self {
            Self::EscalatesUnsealed => (vec![deploy(2)], Budget { outages: 1, ..trouble }),
            Self::NoPrecondition => (vec![deploy(2)], Budget { edits: 1, ..trouble }),
            Self::ExpiringClaims => (vec![deploy(1), other(deploy(1))], trouble),
            Self::HalfRefused => (vec![deploy(2)], Budget { halves: 1, ..trouble }),
            _ => (vec![deploy(2)], trouble),
        };
        let name = self.name();
        Configuration { rules: self.rules(), ..Configuration::new(name, &sketches, 2, budget) }
    }

    /// Explores a world with the fault until the invariant is broken.
    #[must_use]
    pub fn hunt(self) -> Exploration {
        look_into(&self.configuration(), self.breaks_by_itself(), Until::Broken(self.breaks()))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::FencePerLease => "fence per lease instead of per effect",
            Self::EscalatesUnsealed => "escalated without a seal",
            Self::TrustsNegatives => "negative probe trusted without a seal",
            Self::NoFence => "precondition only, no fence",
            Self::NoPrecondition => "fence only, no precondition",
            Self::RepeatableStamp => "stamp accepted twice, no precondition",
            Self::NoGuard => "neither fence nor precondition",
            Self::NoIntent => "effect sent before its intent is committed",
            Self::BlindRerun => "blind re-run without precondition",
            Self::OpenJournal => "journal writes not fenced",
            Self::OpenJournalUnwatched => "journal writes not fenced, consequence",
            Self::ExpiringClaims => "another run may claim after a lease expired",
            Self::HalfRefused => "a change that stopped half-way called refused",
        }
    }
}

impl fmt::Display for SeededFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Explores the fault that does no harm: an effect of unknown outcome is sent again without a look, and a target with
/// fence and precondition keeps it from being applied twice. It only ends in more escalations.
#[must_use]
pub fn guarded_rerun() -> Exploration {
    let guarded = Rules { precondition: PreconditionRule::Checked, ..SeededFault::BlindRerun.rules() };
    let name = "blind re-run with fence and precondition";
    let configuration = Configuration { name, rules: guarded, ..SeededFault::BlindRerun.configuration() };
    look_into(&configuration, &[Invariant::SoundNegative, Invariant::KnownTruth], Until::Exhausted)
}
