//! How a record is written: JSON in an envelope that says who can read it.
//!
//! ```json
//! {"schema":1,"min_reader":1,"engine":"0.1.0","flags":[],"kind":"takeover","body":{"epoch":2,"worker":"w2"}}
//! ```
//!
//! A reader that is too old, or meets a kind it does not know, refuses to resume: a skipped record would be a forgotten
//! effect.

use serde::{Deserialize, Serialize};

use super::Record;

/// The version of the records that this library writes.
pub const SCHEMA: u32 = 1;

/// The oldest reader that understands what this library writes.
pub const MIN_READER: u32 = 1;

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// It was written for newer readers.
    #[error(
        "the record needs a reader of schema {needed}, this library reads up to {}; resume with hotfix {engine} or newer",
        SCHEMA
    )]
    TooNew {
        /// The schema that a reader must know.
        needed: u32,
        /// The version of the library that wrote it.
        engine: String,
    },
    /// Its kind is not known.
    #[error("the record is of the unknown kind {kind:?}; resume with hotfix {engine} or newer")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// The version of the library that wrote it.
        engine: String,
    },
    /// It needs a behaviour that this library does not have.
    #[error(
        "the run was started with the behaviour {flag:?}, which this library does not know; resume with hotfix {engine} or newer"
    )]
    UnknownFlag {
        /// The flag.
        flag: String,
        /// The version of the library that wrote it.
        engine: String,
    },
    /// It is not a record.
    #[error("the record cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema: u32,
    min_reader: u32,
    engine: &'static str,
    flags: [&'static str; 0],
    #[serde(flatten)]
    record: &'a Record,
}

#[derive(Deserialize)]
struct Head {
    min_reader: u32,
    engine: String,
    flags: Vec<String>,
    kind: String,
}

impl Record {
    /// Every kind of record, as it is written.
    pub const KINDS: [&'static str; 12] = [
        "planned",
        "takeover",
        "intent",
        "outcome",
        "sealed",
        "opened",
        "sampled",
        "verdict",
        "signal",
        "held",
        "quarantined",
        "terminal",
    ];

    /// Returns the kind, as it is written.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Planned(_) => "planned",
            Self::Takeover { .. } => "takeover",
            Self::Intent(_) => "intent",
            Self::Outcome { .. } => "outcome",
            Self::Sealed { .. } => "sealed",
            Self::Opened { .. } => "opened",
            Self::Sampled { .. } => "sampled",
            Self::Verdict { .. } => "verdict",
            Self::Signal { .. } => "signal",
            Self::Held { .. } => "held",
            Self::Quarantined { .. } => "quarantined",
            Self::Terminal(_) => "terminal",
        }
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] when a value cannot be written as JSON; no value of this library is such a one.
    pub fn encode(&self) -> Result<String, CodecError> {
        let envelope = Envelope {
            schema: SCHEMA,
            min_reader: MIN_READER,
            engine: env!("CARGO_PKG_VERSION"),
            flags: [],
            record: self,
        };
        Ok(serde_json::to_string(&envelope)?)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`CodecError`] saying which version can read it.
    pub fn decode(text: &str) -> Result<Self, CodecError> {
        let Head { min_reader, engine, flags, kind } = serde_json::from_str(text)?;
        if min_reader > SCHEMA {
            return Err(CodecError::TooNew { needed: min_reader, engine });
        }
        if let Some(flag) = flags.into_iter().next() {
            return Err(CodecError::UnknownFlag { flag, engine });
        }
        if !Self::KINDS.contains(&kind.as_str()) {
            return Err(CodecError::UnknownKind { kind, engine });
        }
        Ok(serde_json::from_str(text)?)
    }
}
