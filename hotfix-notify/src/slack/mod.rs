//! Slack: an incoming webhook, or the Web API with threads, updates and a way to look whether a message arrived.
//!
//! # How text is kept from becoming markup
//! - Every text from outside stands in a `plain_text` object, in which Slack knows neither mentions, links and dates
//!   nor `*bold*`. `mrkdwn` objects hold nothing but the bold labels of facts, and only labels without a character that
//!   formats.
//! - The top-level `text`, which notifications and screen readers show, is sent with `mrkdwn: false` and
//!   `parse: "none"`, so that neither formatting nor bare links, `@names` and `#names` come to life.
//! - In both, `&`, `<` and `>` are escaped (nothing else: Slack decodes nothing else), so that `<!channel>`, `<@U…>`,
//!   `<url|label>` and `<!date^…>` are words. Zero-width breaks around `*`, `_`, `~` and backticks were
//!   considered and left out: whether Slack's formatter takes them for a border of a word is not documented, and they
//!   would be copied along with a branch name.
//!
//! # What each answer means
//! `classify` holds the table of Slack's error codes. A code it does not know is tried twice: the first answer counts
//! as transient, the second one for the same posting as permanent. After a restart one more try is made.

/// How the notifiers call themselves.
const USER_AGENT: &str = concat!("hotfix-notify/", env!("CARGO_PKG_VERSION"));

mod card;
mod classify;
mod config;
mod layout;
mod payload;
mod probe;
mod reply;
mod strikes;
mod text;
mod web_api;
mod webhook;

pub use config::{SlackWebApiConfig, SlackWebhookConfig};
pub use web_api::SlackWebApi;
pub use webhook::SlackWebhook;
