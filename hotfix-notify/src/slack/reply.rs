//! Reads what the Web API answers. A refusal comes under HTTP 200, so that `ok` counts and the status does not.

use hotfix_core::model::Period;
use hotfix_http::{Answer, clamped};
use serde::Deserialize;

const CODE_LIMIT: usize = 64;

/// The part of every answer that is common to all methods.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    pub(super) ok: bool,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) channel: Option<String>,
    #[serde(default)]
    pub(super) ts: Option<String>,
    #[serde(default)]
    retry_after: Option<f64>,
}

impl Envelope {
    /// Reads the body, if it is Slack's at all.
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        let body = answer.body.as_ref().ok()?;
        serde_json::from_slice(body).ok()
    }

    /// Returns the error's code.
    pub(super) fn code(&self) -> String {
        code(self.error.as_deref().unwrap_or("no_code"))
    }
}

/// Returns how long Slack asks to wait: by the header, or else by the body.
pub(super) fn wait(answer: &Answer, envelope: Option<&Envelope>) -> Option<Period> {
    let seconds = || envelope?.retry_after.filter(|seconds| (0.0..1e9).contains(seconds));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked one line above"
    )]
    let by_body = || seconds().map(|seconds| clamped(Period::from_millis((seconds * 1000.0) as u64)));
    answer.wait.or_else(by_body)
}

/// Returns a code that can be stored and shown: Slack's codes are lower-case words, anything else is not repeated.
pub(super) fn code(text: &str) -> String {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if (1..=CODE_LIMIT).contains(&text.len()) && text.bytes().all(allowed) {
        text.to_owned()
    } else {
        "unreadable_code".to_owned()
    }
}
