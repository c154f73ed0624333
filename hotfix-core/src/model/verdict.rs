//! What is decided after a sample, and what a gate ends with.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Fault, InvalidValue, Reason, Timestamp, Totals};

/// What to do with the canary now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ruling")]
pub enum Ruling {
    /// Go on to the next step.
    Promote {
        /// How good the grounds are.
        proof: Proof,
        /// The grounds.
        reasons: Vec<Reason>,
    },
    /// Stay at this weight and look again at the next scrape.
    Hold {
        /// What is awaited.
        reasons: Vec<Reason>,
    },
    /// Go back at once. This is final: later samples cannot take it back.
    RollBack {
        /// What condemns the canary.
        reasons: Vec<Reason>,
    },
    /// Stay at this weight and ask a human.
    Freeze {
        /// What cannot be decided by itself.
        reasons: Vec<Reason>,
    },
}

impl Ruling {
    /// Returns why.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Promote { reasons, .. }
            | Self::Hold { reasons }
            | Self::RollBack { reasons }
            | Self::Freeze { reasons } => reasons,
        }
    }

    /// Goes back because of what is wrong with the canary's instances.
    #[must_use]
    pub fn condemned_by(faults: &[Fault]) -> Self {
        let reasons = faults.iter().map(|fault| Reason::CanaryFault { fault: fault.clone() });
        Self::RollBack { reasons: reasons.collect() }
    }

    /// Adds what another ruling goes back for, if it does: whoever reads a verdict at night gets all of its grounds.
    #[must_use]
    pub fn also(mut self, other: Option<&Self>) -> Self {
        if let (Self::RollBack { reasons }, Some(Self::RollBack { reasons: more })) = (&mut self, other) {
            let news: Vec<_> = more.iter().filter(|reason| !reasons.contains(reason)).cloned().collect();
            reasons.extend(news);
        }
        self
    }

    /// Returns what a gate that ends with this ruling says of the release.
    #[must_use]
    pub const fn outcome(&self) -> VerdictOutcome {
        match self {
            Self::Promote { .. } => VerdictOutcome::Pass,
            Self::RollBack { .. } => VerdictOutcome::Fail,
            Self::Hold { .. } | Self::Freeze { .. } => VerdictOutcome::Inconclusive,
        }
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Promote { proof: Proof::Proven, .. } => "promote",
            Self::Promote { proof: Proof::Unproven, .. } => "promote unproven",
            Self::Hold { .. } => "hold",
            Self::RollBack { .. } => "roll back",
            Self::Freeze { .. } => "freeze",
        })?;
        write_reasons(f, self.reasons())
    }
}

/// How good the grounds of a promotion are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The canary was shown to be good.
    Proven,
    /// Nothing was shown either way in the time given.
    Unproven,
}

/// What a gate found, journaled once when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The finding.
    pub outcome: VerdictOutcome,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Which samples it rests on.
    pub evidence: EvidenceDigest,
    /// How many samples these are.
    pub samples: u64,
    /// What both sides answered since the rollout began.
    pub totals: Totals,
}

impl Verdict {
    /// Puts down a finding that rests on the state of instances or on the clock, not on samples.
    #[must_use]
    pub fn without_samples(outcome: VerdictOutcome, reasons: Vec<Reason>) -> Self {
        let evidence = EvidenceDigest::of_bytes(Sha256::digest([]).into());
        Self { outcome, reasons, evidence, samples: 0, totals: Totals::default() }
    }

    /// Puts down that a gate closed before anything was shown.
    #[must_use]
    pub fn expired(deadline: Timestamp) -> Self {
        Self::without_samples(VerdictOutcome::Inconclusive, vec![Reason::Expired { deadline }])
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        write_reasons(f, &self.reasons)
    }
}

/// The finding of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictOutcome {
    /// The release may go on.
    Pass,
    /// The release must go back.
    Fail,
    /// Neither was shown; no data is not a pass.
    Inconclusive,
}

impl fmt::Display for VerdictOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// The SHA-256 of the samples of a rollout: each as one line of compact JSON, in the order in which they were judged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EvidenceDigest(String);

impl EvidenceDigest {
    /// Reads a digest.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is not 64 lower-case hexadecimal digits.
    pub fn new(hex: impl Into<String>) -> Result<Self, InvalidValue> {
        let hex = hex.into();
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() == 64 && hex.bytes().all(is_digit) {
            Ok(Self(hex))
        } else {
            let allowed = "64 lower-case hexadecimal digits";
            Err(InvalidValue::new("evidence digest", &hex, allowed))
        }
    }

    /// Writes down the 32 bytes of a SHA-256.
    #[must_use]
    pub fn of_bytes(bytes: [u8; 32]) -> Self {
        use fmt::Write as _;
        let hex = bytes.iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes all that is written to it");
            hex
        });
        Self(hex)
    }

    /// Returns the hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EvidenceDigest {
    type Error = InvalidValue;

    fn try_from(hex: String) -> Result<Self, InvalidValue> {
        Self::new(hex)
    }
}

impl From<EvidenceDigest> for String {
    fn from(digest: EvidenceDigest) -> Self {
        digest.0
    }
}

impl fmt::Display for EvidenceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn write_reasons(f: &mut fmt::Formatter<'_>, reasons: &[Reason]) -> fmt::Result {
    for (index, reason) in reasons.iter().enumerate() {
        let gap = if index == 0 { ": " } else { "; " };
        write!(f, "{gap}{reason}")?;
    }
    Ok(())
}
