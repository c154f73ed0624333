//! The Web API: one root message, a thread below it, and the root kept up to date in place.

use std::num::NonZeroU32;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::port::{
    Delivered, DeliveryOutcome, Notifier, NotifierCapabilities, Offered, Posting, PostingKind, PostingProbe,
};
use hotfix_http::{Answer, ConfigError, Fault, Http, SecretSource, private_endpoint};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};

use super::USER_AGENT;
use super::card::Card;
use super::classify::{self, Judged};
use super::config::{SlackWebApiConfig, channel_id};
use super::payload::{self, Reach};
use super::strikes::{Strike, Strikes};
use crate::destination::destination;
use crate::pace::Pace;

const TOKEN_FIELD: &str = "slack_web_api.token";
const ANSWER_LIMIT: usize = 256 * 1024;
/// Reading may come in a burst: a search takes a few pages at once, and Slack allows 50 a minute.
const READ_BURST: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// Posts to one channel with a bot token.
///
/// The receipt of the root holds the channel and the timestamp that Slack returned; replies and updates go there. A
/// message carries the posting's key as metadata, by which [`Notifier::find`] recognises it among the newest 1000
/// messages of the channel or the thread. An update that is delivered twice is one update.
#[derive(Debug)]
pub struct SlackWebApi {
    destination: String,
    pub(super) channel: String,
    base: Url,
    token: SecretSource,
    posts: Pace,
    updates: Pace,
    pub(super) reads: Pace,
    strikes: Strikes,
    http: Http,
}

/// A request to be made for a posting.
struct Call<'a> {
    method: &'static str,
    pace: &'a Pace,
    body: Vec<u8>,
}

impl SlackWebApi {
    /// Builds the notifier. Reads the token once, to refuse a wrong one early; sends nothing.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field.
    pub fn new(config: &SlackWebApiConfig) -> std::result::Result<Self, ConfigError> {
        let SlackWebApiConfig { name, token, channel, base_url, pace, http } = config;
        let mend = "set it to the bot token (xoxb-…) of your Slack app";
        let missing = ConfigError::Missing { field: TOKEN_FIELD, mend };
        let token = token.clone().ok_or(missing)?;
        bearer(&token.read(TOKEN_FIELD)?)?;
        let channel = channel_id("slack_web_api.channel", channel)?;
        let name = name.as_deref().unwrap_or(&channel);
        Ok(Self {
            destination: destination("slack_web_api.name", "slack", name)?,
            base: private_endpoint(
                "slack_web_api.base_url",
                &format!("{}/", base_url.trim_end_matches('/')),
            )?,
            channel,
            token,
            posts: Pace::new(*pace, NonZeroU32::MIN),
            updates: Pace::new(*pace, NonZeroU32::MIN),
            reads: Pace::new(*pace, READ_BURST),
            strikes: Strikes::default(),
            http: Http::new(http, USER_AGENT)?,
        })
    }

    /// Begins a read of a method with its arguments.
    pub(super) fn read(&self, method: &str, arguments: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.method(method);
        url.query_pairs_mut().extend_pairs(arguments);
        self.http.get(url)
    }

    /// Sends a request with the token.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        limit: usize,
    ) -> std::result::Result<Answer, Fault> {
        let token = self.token.fetch(TOKEN_FIELD, self.http.deadline()).await;
        let bearer = token.and_then(|token| bearer(&token));
        self.http.send(request.header(AUTHORIZATION, bearer?), limit).await
    }

    fn method(&self, method: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{method}", self.base.path()));
        url
    }

    /// Returns the request for a posting; `None` for an update without a root to update.
    fn call(&self, posting: &Posting) -> Option<Call<'_>> {
        let card = Card::of(posting);
        let id = &posting.dedup;
        let post = |body| Call { method: "chat.postMessage", pace: &self.posts, body };
        Some(match (posting.kind, root_of(posting)) {
            (PostingKind::Reply, Some(root)) => post(payload::reply(root, Reach::Thread, &card, id)),
            (PostingKind::Broadcast, Some(root)) => post(payload::reply(root, Reach::Channel, &card, id)),
            (PostingKind::Update, Some(root)) => {
                let body = payload::update(root, &card, id);
                Call { method: "chat.update", pace: &self.updates, body }
            }
            (PostingKind::Update, None) => return None,
            // A reply whose root never came to be is still worth reading.
            (PostingKind::Root | PostingKind::Reply | PostingKind::Broadcast, _) => {
                post(payload::root(&self.channel, &card, id))
            }
        })
    }

    async fn perform(&self, posting: &Posting, call: Call<'_>) -> DeliveryOutcome {
        if let Err(wait) = call.pace.admit() {
            return DeliveryOutcome::Throttled { wait: Some(wait) };
        }
        let request = self.http.post_json(self.method(call.method), call.body);
        let outcome = match self.send(request, ANSWER_LIMIT).await {
            Ok(answer) => self.judge(posting, &answer),
            Err(fault) => classify::fault(fault),
        };
        if let DeliveryOutcome::Throttled { wait: Some(wait) } = outcome {
            call.pace.hold(wait);
        }
        outcome
    }

    fn judge(&self, posting: &Posting, answer: &Answer) -> DeliveryOutcome {
        match classify::web_api(answer, posting.kind) {
            Judged::Outcome(outcome) => outcome,
            Judged::Unknown(code) => match self.strikes.record(&posting.dedup) {
                Strike::First => DeliveryOutcome::Transient { cause: code },
                Strike::Again => DeliveryOutcome::Permanent { code },
            },
        }
    }
}

/// Returns the root's receipt, if it says where the root is: that of another notifier may not.
pub(super) fn root_of(posting: &Posting) -> Option<&Delivered> {
    posting.root.as_ref().filter(|root| !root.channel.is_empty() && !root.id.is_empty())
}

fn bearer(token: &SecretString) -> std::result::Result<HeaderValue, ConfigError> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
    let mut value = value.map_err(|_| {
        let allowed = "must be one line of visible characters".to_owned();
        ConfigError::Invalid { field: TOKEN_FIELD, allowed }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[async_trait]
impl Notifier for SlackWebApi {
    fn capabilities(&self) -> NotifierCapabilities {
        NotifierCapabilities { threads: Offered::Yes, updates: Offered::Yes, probe: Offered::Yes }
    }

    fn destination(&self) -> &str {
        &self.destination
    }

    async fn deliver(&self, posting: &Posting) -> DeliveryOutcome {
        match self.call(posting) {
            Some(call) => self.perform(posting, call).await,
            None => DeliveryOutcome::RootGone,
        }
    }

    async fn find(&self, posting: &Posting) -> Result<PostingProbe> {
        self.search(posting).await
    }
}
