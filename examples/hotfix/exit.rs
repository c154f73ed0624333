//! How the program ends: one number for each thing that a script may want to know.

use std::error::Error;
use std::process::ExitCode;

use hotfix::EngineError;
use hotfix::execute::Outcome;
use hotfix::plan::Refusal;

/// The table of `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done, or there was nothing to do
  1  it could not be carried out; the message says why
  2  the command line or hotfix.toml cannot be used
  3  refused: the message lists every reason and its mend
  4  the run took itself back
  5  cancelled, or not confirmed
  6  escalated: a human must take over
  7  busy: another run has the target, or another process drives the run
  8  detached by Ctrl-C: the run is left as it is";

/// The codes, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Refused = 3,
    RolledBack = 4,
    Cancelled = 5,
    Escalated = 6,
    Busy = 7,
    Detached = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Outcome> for Exit {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded { .. } => Self::Done,
            Outcome::RolledBack { .. } => Self::RolledBack,
            Outcome::Cancelled { .. } => Self::Cancelled,
            Outcome::Escalated { .. } => Self::Escalated,
        }
    }
}

impl From<&EngineError> for Exit {
    fn from(error: &EngineError) -> Self {
        match error {
            EngineError::Refused(refused) if refused.reasons.iter().any(is_busy) => Self::Busy,
            EngineError::Refused(_) | EngineError::Unsafe(_) => Self::Refused,
            EngineError::Busy(_) | EngineError::Driven(_) | EngineError::TakenOver { .. } => Self::Busy,
            EngineError::Unknown { .. } | EngineError::Invalid(_) => Self::Usage,
            _ => Self::Failed,
        }
    }
}

const fn is_busy(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Busy { .. })
}

/// Why the program ends without having done its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let (mut message, error): (_, &dyn Error) = (error.to_string(), &error);
        let exit = error.downcast_ref::<EngineError>().map_or(Exit::Failed, Exit::from);
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message.push_str("\n  because: ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Self { exit, message }
    }
}
