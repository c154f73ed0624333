//! What must hold in every reachable state.

use std::fmt;

/// A rule that no sequence of crashes, losses, repetitions, takeovers, edits and signals may break.
///
/// *Applied* means that a target accepted a mutation and changed; *journaled* that the store accepted a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// No forward step of a run is applied more than once, and no undo step changes its target more than once: putting
    /// back what is back already changes nothing.
    SingleApplication,
    /// Every applied mutation carries a stamp whose intent was journaled before it was sent.
    WriteAhead,
    /// The stamps that a target accepts are strictly increasing.
    FenceOrder,
    /// A mutation is applied only while the store names its run as the owner of the target.
    ExclusiveTarget,
    /// After the terminal record of a run, none of its mutations is applied.
    FinalMeansFinal,
    /// The terminal record is true. Succeeded: every forward step was applied, and its targets hold the values of the
    /// plan. RolledBack: every change of a workload was taken back, every other one too unless it is listed as left,
    /// and the changed workloads hold their baselines. Cancelled: no workload was changed. None of them: a workload holds a part of
    /// a change. A value that somebody else put there
    /// later is no lie.
    TerminalTruth,
    /// An escalation names for each target the step that was last applied to it.
    KnownTruth,
    /// Succeeded: every gate has exactly one verdict, and it is a pass, given while the target held the artifact that
    /// the gate is about.
    NoSuccessWithoutPass,
    /// After a gate that did not pass, forward steps are neither intended nor applied; the run ends rolled back or
    /// escalated.
    FailureIsResolved,
    /// An attempt is said not to be applied only after a seal with a higher stamp was journaled and stands at the
    /// target; or its target refused it, and the step is tried again under a higher stamp.
    SoundNegative,
    /// A record is journaled only by the owner with the current epoch, as the next entry.
    JournalOwnership,
    /// Rollback leads to the baseline that was planned, and no record changes the plan.
    BaselineImmutability,
    /// A target that holds something foreign is not changed. Once that is journaled of a workload, nothing more is
    /// intended, and the run is escalated.
    DriftRespected,
    /// Undo steps are applied in the order of the plan, and only for changes that were applied or, of a workload, may have
    /// been in part.
    ReverseOrder,
    /// The fold over the journal is the state of the machine that wrote it, the machine never finds its own journal
    /// corrupt, and it asks for one thing at a time.
    Faithful,
    /// From every reachable state another one can be reached in which every run has ended or is quarantined, and no
    /// other state is without a successor.
    Progress,
}

impl Invariant {
    /// All invariants.
    pub const ALL: [Self; 16] = [
        Self::SingleApplication,
        Self::WriteAhead,
        Self::FenceOrder,
        Self::ExclusiveTarget,
        Self::FinalMeansFinal,
        Self::TerminalTruth,
        Self::KnownTruth,
        Self::NoSuccessWithoutPass,
        Self::FailureIsResolved,
        Self::SoundNegative,
        Self::JournalOwnership,
        Self::BaselineImmutability,
        Self::DriftRespected,
        Self::ReverseOrder,
        Self::Faithful,
        Self::Progress,
    ];
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SingleApplication => "single application",
            Self::WriteAhead => "write-ahead",
            Self::FenceOrder => "fence order",
            Self::ExclusiveTarget => "exclusive target",
            Self::FinalMeansFinal => "final means final",
            Self::TerminalTruth => "terminal truth",
            Self::KnownTruth => "known truth",
            Self::NoSuccessWithoutPass => "no success without a pass",
            Self::FailureIsResolved => "failure is resolved",
            Self::SoundNegative => "sound negative",
            Self::JournalOwnership => "journal ownership",
            Self::BaselineImmutability => "baseline immutability",
            Self::DriftRespected => "drift respected",
            Self::ReverseOrder => "reverse order",
            Self::Faithful => "faithful journal",
            Self::Progress => "progress",
        })
    }
}

/// A set of invariants.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Breaches(u16);

impl Breaches {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn of(invariants: &[Invariant]) -> Self {
        invariants.iter().fold(Self::NONE, |mut all, invariant| {
            all.add(*invariant);
            all
        })
    }

    pub(super) const fn add(&mut self, invariant: Invariant) {
        self.0 |= 1 << invariant as u16;
    }

    /// Adds the invariant unless it holds.
    pub(super) const fn expect(&mut self, invariant: Invariant, holds: bool) {
        if !holds {
            self.add(invariant);
        }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Invariant> {
        Invariant::ALL.into_iter().filter(move |invariant| self.0 >> *invariant as u16 & 1 == 1)
    }
}

impl fmt::Debug for Breaches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
