//! An incoming webhook: one URL that takes a message and tells nothing about it.

use std::num::NonZeroU32;

use async_trait::async_trait;
use hotfix_core::port::{
    DeliveryOutcome, Notifier, NotifierCapabilities, Offered, Posting, PostingKind, PostingProbe,
};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_http::{ConfigError, Http, SecretSource, private_endpoint};
use reqwest::Url;
use secrecy::ExposeSecret;

use super::card::Card;
use super::config::SlackWebhookConfig;
use super::{USER_AGENT, classify, payload};
use crate::destination::destination;
use crate::pace::Pace;
use crate::receipt::skipped;

const URL_FIELD: &str = "slack_webhook.url";
const ANSWER_LIMIT: usize = 64 * 1024;

/// Posts to the one channel that an incoming webhook was made for.
///
/// Slack returns no id, so there are no threads, no updates and no way to look whether a message arrived: a reply
/// becomes a message of its own (its footer names incident and run).
#[derive(Debug)]
pub struct SlackWebhook {
    destination: String,
    url: SecretSource,
    pace: Pace,
    http: Http,
}

impl SlackWebhook {
    /// Builds the notifier. Reads the URL once, to refuse a wrong one early; sends nothing.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field.
    pub fn new(config: &SlackWebhookConfig) -> std::result::Result<Self, ConfigError> {
        let SlackWebhookConfig { name, url, pace, http } = config;
        let mend = "set it to the URL of an incoming webhook of your Slack app";
        let missing = ConfigError::Missing { field: URL_FIELD, mend };
        let url = url.clone().ok_or(missing)?;
        private_endpoint(URL_FIELD, url.read(URL_FIELD)?.expose_secret())?;
        Ok(Self {
            destination: destination("slack_webhook.name", "slack", name)?,
            url,
            pace: Pace::new(*pace, NonZeroU32::MIN),
            http: Http::new(http, USER_AGENT)?,
        })
    }

    async fn url(&self) -> std::result::Result<Url, ConfigError> {
        let url = self.url.fetch(URL_FIELD, self.http.deadline()).await?;
        private_endpoint(URL_FIELD, url.expose_secret())
    }

    async fn post(&self, posting: &Posting) -> DeliveryOutcome {
        let url = match self.url().await {
            Ok(url) => url,
            Err(error) => {
                return DeliveryOutcome::Transient { cause: error.to_string() };
            }
        };
        if let Err(wait) = self.pace.admit() {
            return DeliveryOutcome::Throttled { wait: Some(wait) };
        }
        let request = self.http.post_json(url, payload::hook(&Card::of(posting)));
        match self.http.send(request, ANSWER_LIMIT).await {
            Ok(answer) => classify::webhook(&answer),
            Err(fault) => classify::fault(fault),
        }
    }
}

#[async_trait]
impl Notifier for SlackWebhook {
    fn capabilities(&self) -> NotifierCapabilities {
        NotifierCapabilities { threads: Offered::No, updates: Offered::No, probe: Offered::No }
    }

    fn destination(&self) -> &str {
        &self.destination
    }

    async fn deliver(&self, posting: &Posting) -> DeliveryOutcome {
        if posting.kind == PostingKind::Update {
            return DeliveryOutcome::Delivered(skipped(posting));
        }
        let outcome = self.post(posting).await;
        if let DeliveryOutcome::Throttled { wait: Some(wait) } = outcome {
            self.pace.hold(wait);
        }
        outcome
    }

    async fn find(&self, _posting: &Posting) -> Result<PostingProbe> {
        let message = "an incoming webhook cannot tell what arrived";
        Err(Error::new(ErrorKind::Unsupported, "notifier.find", message)
            .with("destination", &self.destination))
    }
}
