//! Stage 7: what people are told, as a pure function of the journal.
//!
//! Each record gives at most one timeline entry and at most one message, and may begin or end the silence of alerts
//! about what the run changes. Nothing here decides anything, and nothing
//! that decides reads anything from here.

mod narrate;
mod postings;
mod progress;
mod silences;

pub use narrate::{Narration, narrate};
pub use postings::postings;
pub use progress::{Progress, ProgressKind};
pub use silences::silencing;
