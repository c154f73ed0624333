//! A message, independent of the service that shows it.
//!
//! Text that comes from outside is kept apart from text that is ours, so that every notifier escapes it in the way of
//! its own service: a raw string does not become markup by accident.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a message should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Something goes on as planned.
    Neutral,
    /// Something ended well.
    Good,
    /// Something needs eyes.
    Warning,
    /// Something is wrong and a human is needed.
    Bad,
}

/// Which phase of a run a message is about. A change of phase is worth more attention than progress within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// The run was opened.
    Started,
    /// References are being prepared.
    Preparing,
    /// Staging is being changed.
    Staging,
    /// Production is being changed.
    Production,
    /// The change is being taken back.
    RollingBack,
    /// The fix is live and being merged back.
    Publishing,
    /// The run ended.
    Ended,
}

/// A piece of text, by origin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Our own words. May be laid out by the notifier, never escaped twice.
    Ours(String),
    /// Words from outside: titles, names, answers of other systems. Always shown literally.
    Foreign(String),
}

/// A labelled value below the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fact {
    /// What it is. Ours.
    pub label: String,
    /// The value. Treated as foreign.
    pub value: String,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// How it should look.
    pub tone: Tone,
    /// What it is about.
    pub phase: Phase,
    /// One line.
    pub title: Vec<Part>,
    /// More lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<Part>,
    /// Labelled values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
}

impl Message {
    /// Returns the title as plain text.
    #[must_use]
    pub fn plain_title(&self) -> String {
        plain(&self.title)
    }

    /// Returns the body as plain text.
    #[must_use]
    pub fn plain_body(&self) -> String {
        plain(&self.body)
    }
}

fn plain(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Ours(text) | Part::Foreign(text) => text.as_str(),
        })
        .collect()
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plain_title())
    }
}
