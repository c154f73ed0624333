//! How the world around the machine behaves. Each rule has the one way that the protocol needs, and others that are
//! wrong in a way that somebody could build.

/// The behaviour of targets, store and driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rules {
    pub(super) fence: FenceRule,
    pub(super) precondition: PreconditionRule,
    pub(super) keys: KeyRule,
    pub(super) halves: HalfRule,
    pub(super) journal: JournalRule,
    pub(super) claims: ClaimRule,
    pub(super) driver: DriverRule,
}

/// What a target demands of a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum FenceRule {
    /// It must be above every accepted one.
    #[default]
    PerEffect,
    /// It may also be the last accepted one again.
    NotStrict,
    /// Its epoch must not be below that of the last accepted one.
    PerLease,
    /// Nothing.
    Absent,
}

/// Whether a target compares what it holds with what the effect expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PreconditionRule {
    #[default]
    Checked,
    Ignored,
}

/// What a target does with a key that it applied before, when it comes again under a higher stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum KeyRule {
    /// Nothing special: keys are only for probes. The least that a machine can rely on.
    #[default]
    ForProbes,
    /// It answers that it is applied and changes nothing.
    AppliedOnce,
}

/// What a target answers when it stopped half-way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum HalfRule {
    /// Nothing that says what became of it.
    #[default]
    Unknown,
    /// That it refuses.
    Refused,
}

/// Who may write to a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum JournalRule {
    /// The owner with the current epoch.
    #[default]
    Fenced,
    /// Whoever has a record that does not contradict the journal.
    Open,
}

/// When another run may claim a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ClaimRule {
    /// When no run is active on it.
    #[default]
    WhenFree,
    /// Also when the lease of the run that is active on it expired.
    WhenExpired,
}

/// What a driver does with the commands of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DriverRule {
    /// What they say.
    #[default]
    Obeys,
    /// It sends an effect before its intent is committed.
    SendsFirst,
    /// It says that a fence was raised and does not raise it.
    SkipsSeals,
    /// It ends the run as escalated where the machine wants to keep it quarantined.
    GivesUp,
    /// It does not look whether an effect was applied: it says no as long as that leads to another attempt, and asks
    /// for a human after that.
    Reruns,
}
