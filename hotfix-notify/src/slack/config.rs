//! Configuration of the two Slack notifiers.

use hotfix_core::model::Period;
use hotfix_http::{ConfigError, HttpConfig, SecretSource};
use serde::Deserialize;

/// Where the Web API is.
pub(super) const BASE_URL: &str = "https://slack.com/api/";
/// Slack accepts about one message a second and channel.
const PACE: Period = Period::from_secs(1);

/// How to post with the Web API. Needs `token` and `channel`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlackWebApiConfig {
    /// The destination's name in the outbox is `slack:` and this; by default the channel's id. Never change it while
    /// messages wait.
    pub name: Option<String>,
    /// The bot token, `xoxb-…`.
    pub token: Option<SecretSource>,
    /// The id of the channel, such as `C024BE91L`. Not its name: a name can change and cannot be searched.
    pub channel: String,
    /// Where the API is; for Slack-compatible services.
    pub base_url: String,
    /// The shortest time between two messages.
    pub pace: Period,
    /// How to reach it.
    pub http: HttpConfig,
}

impl Default for SlackWebApiConfig {
    fn default() -> Self {
        Self {
            name: None,
            token: None,
            channel: String::new(),
            base_url: BASE_URL.to_owned(),
            pace: PACE,
            http: HttpConfig::default(),
        }
    }
}

/// How to post with an incoming webhook. Needs `url`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlackWebhookConfig {
    /// The destination's name in the outbox is `slack:` and this. Never change it while messages wait.
    pub name: String,
    /// The URL that Slack gave out. Whoever has it can post, so it is a secret.
    pub url: Option<SecretSource>,
    /// The shortest time between two messages.
    pub pace: Period,
    /// How to reach it.
    pub http: HttpConfig,
}

impl Default for SlackWebhookConfig {
    fn default() -> Self {
        Self { name: "webhook".to_owned(), url: None, pace: PACE, http: HttpConfig::default() }
    }
}

/// Checks that the text is the id of a channel.
pub(super) fn channel_id(field: &'static str, text: &str) -> Result<String, ConfigError> {
    let mend = "set it to the channel's id, which its details show at the bottom, such as C024BE91L";
    if text.is_empty() {
        return Err(ConfigError::Missing { field, mend });
    }
    let id = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    if (3..=32).contains(&text.len()) && text.starts_with(['C', 'D', 'G']) && text.bytes().all(id) {
        return Ok(text.to_owned());
    }
    let allowed = format!("a name or something else than a channel's id; {mend}");
    Err(ConfigError::Invalid { field, allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_given_by_its_id() {
        for good in ["C024BE91L", "G012AC86C", "D024BFF1M"] {
            assert_eq!(channel_id("slack.channel", good).unwrap(), good);
        }
        for bad in ["#incidents", "incidents", "@ann", "U024BE7LH", "C0", "C024be91l"] {
            assert_eq!(
                channel_id("slack.channel", bad).unwrap_err().to_string(),
                "slack.channel is not valid: a name or something else than a channel's id; set it to the channel's \
                 id, which its details show at the bottom, such as C024BE91L"
            );
        }
    }

    #[test]
    fn unknown_fields_are_refused_and_absent_ones_have_defaults() {
        let config: SlackWebApiConfig = serde_json::from_str(r#"{"channel":"C1"}"#).unwrap();
        assert_eq!(config.base_url, "https://slack.com/api/");
        assert_eq!(config.pace, Period::from_secs(1));
        let error = serde_json::from_str::<SlackWebhookConfig>(r#"{"chanel":"C1"}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `chanel`"), "{error}");
    }
}
