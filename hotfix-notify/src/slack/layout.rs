//! The few blocks of Slack's Block Kit that a card is made of, and their limits.

use serde::Serialize;

use super::text::SlackText;

pub(super) const HEADER_LIMIT: usize = 150;
pub(super) const SECTION_LIMIT: usize = 3000;
pub(super) const FIELDS_LIMIT: usize = 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Header { text: TextObject },
    Section(Section),
    Context { elements: Vec<TextObject> },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Section {
    Text(TextObject),
    Fields(Vec<TextObject>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum TextObject {
    PlainText { text: SlackText, emoji: bool },
    Mrkdwn { text: SlackText, verbatim: bool },
}

impl TextObject {
    /// Shows the text literally: no mention, no link, no formatting, no `:emoji:`.
    pub(super) const fn literal(text: SlackText) -> Self {
        Self::PlainText { text, emoji: false }
    }

    /// Shows text that holds formatting of ours. Bare links and names in it stay words.
    pub(super) const fn formatted(text: SlackText) -> Self {
        Self::Mrkdwn { text, verbatim: true }
    }

    pub(super) fn cost(&self) -> usize {
        match self {
            Self::PlainText { text, .. } | Self::Mrkdwn { text, .. } => text.cost(),
        }
    }
}

impl Block {
    pub(super) const fn header(text: SlackText) -> Self {
        Self::Header { text: TextObject::literal(text) }
    }

    pub(super) const fn words(text: SlackText) -> Self {
        Self::Section(Section::Text(TextObject::literal(text)))
    }

    pub(super) fn footer(text: SlackText) -> Self {
        Self::Context { elements: vec![TextObject::literal(text)] }
    }
}
