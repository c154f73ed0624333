//! Looks for a posting by the metadata that every message carries.

use hotfix_core::port::{Delivered, Posting, PostingKind, PostingProbe};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_http::Answer;
use serde::Deserialize;

use super::payload::EVENT_TYPE;
use super::reply::code;
use super::web_api::{SlackWebApi, root_of};

const OPERATION: &str = "notifier.find";
const PAGE: &str = "200";
const PAGES: usize = 5;
/// A page of the longest messages that bots may send.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// Where a posting would be.
struct Place<'a> {
    method: &'static str,
    channel: &'a str,
    arguments: Vec<(&'static str, &'a str)>,
}

#[derive(Debug, Deserialize)]
struct Page {
    ok: bool,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    response_metadata: Cursor,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cursor {
    next_cursor: String,
}

#[derive(Debug, Deserialize)]
struct Message {
    ts: String,
    #[serde(default)]
    metadata: serde_json::Value,
}

impl Message {
    fn carries(&self, id: &str) -> bool {
        self.metadata["event_type"] == EVENT_TYPE && self.metadata["event_payload"]["id"] == id
    }
}

impl SlackWebApi {
    pub(super) async fn search(&self, posting: &Posting) -> Result<PostingProbe> {
        let Some(place) = place(&self.channel, posting) else {
            // Without a root, an update was never sent.
            return Ok(PostingProbe::Absent);
        };
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let Some(page) = self.page(&place, &cursor).await? else {
                return Ok(PostingProbe::Absent);
            };
            if let Some(message) = page.messages.iter().find(|message| message.carries(&posting.dedup)) {
                let (channel, id) = (place.channel.to_owned(), message.ts.clone());
                return Ok(PostingProbe::Found(Delivered { channel, id }));
            }
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() || posting.kind == PostingKind::Update {
                return Ok(PostingProbe::Absent);
            }
        }
        Err(self
            .error(ErrorKind::Unsupported, "not among the newest 1000 messages, and older ones are not read"))
    }

    /// Reads a page; `None` if the thread is gone.
    async fn page(&self, place: &Place<'_>, cursor: &str) -> Result<Option<Page>> {
        if let Err(wait) = self.reads.admit() {
            return Err(self.error(ErrorKind::Unavailable, "too many reads at once").with("wait", wait));
        }
        let mut arguments = vec![("channel", place.channel), ("include_all_metadata", "true")];
        arguments.extend(&place.arguments);
        if !cursor.is_empty() {
            arguments.push(("cursor", cursor));
        }
        let request = self.read(place.method, &arguments);
        match self.send(request, PAGE_LIMIT).await {
            Ok(answer) => self.parse(&answer),
            Err(fault) => Err(self.error(ErrorKind::Unavailable, fault.into_cause().text)),
        }
    }

    fn parse(&self, answer: &Answer) -> Result<Option<Page>> {
        let page: Option<Page> = answer.body.as_ref().ok().and_then(|body| serde_json::from_slice(body).ok());
        match page {
            Some(page) if page.ok && answer.status == 200 => Ok(Some(page)),
            _ if answer.status == 429 => Err(self.throttled(answer)),
            Some(page) if !page.ok => self.refused(&code(page.error.as_deref().unwrap_or("no_code"))),
            _ => {
                let message = format!("HTTP {}, and the body is not Slack's", answer.status);
                Err(self.error(ErrorKind::Unavailable, message))
            }
        }
    }

    fn throttled(&self, answer: &Answer) -> Error {
        let error = self.error(ErrorKind::Unavailable, "rate limited");
        match answer.wait {
            Some(wait) => {
                self.reads.hold(wait);
                error.with("wait", wait)
            }
            None => error,
        }
    }

    fn refused(&self, code: &str) -> Result<Option<Page>> {
        let kind = match code {
            "thread_not_found" | "message_not_found" => return Ok(None),
            "missing_scope" | "not_allowed_token_type" | "no_permission" | "unknown_method" => {
                let message = "reading the channel is not allowed: grant channels:history (groups:history for a \
                               private channel) and install the app again";
                return Err(self.error(ErrorKind::Unsupported, message).with("code", code));
            }
            "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
                ErrorKind::Unauthenticated
            }
            "channel_not_found" => ErrorKind::NotFound,
            "not_in_channel" | "access_denied" | "ekm_access_denied" => ErrorKind::Forbidden,
            "ratelimited"
            | "rate_limited"
            | "internal_error"
            | "fatal_error"
            | "service_unavailable"
            | "request_timeout"
            | "team_added_to_org" => ErrorKind::Unavailable,
            _ => ErrorKind::Unexpected,
        };
        Err(self.error(kind, "Slack refused the search").with("code", code))
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, OPERATION, message).with("channel", &self.channel)
    }
}

/// Returns where the posting would be; `None` for an update without a root to update.
fn place<'a>(channel: &'a str, posting: &'a Posting) -> Option<Place<'a>> {
    let (method, channel, arguments) = match (posting.kind, root_of(posting)) {
        (PostingKind::Reply | PostingKind::Broadcast, Some(root)) => {
            let thread = vec![("ts", root.id.as_str()), ("limit", PAGE)];
            ("conversations.replies", root.channel.as_str(), thread)
        }
        (PostingKind::Update, Some(root)) => {
            let (id, only) = (root.id.as_str(), [("inclusive", "true"), ("limit", "1")]);
            let message = [("latest", id), ("oldest", id)].into_iter().chain(only).collect();
            ("conversations.history", root.channel.as_str(), message)
        }
        (PostingKind::Update, None) => return None,
        (PostingKind::Root | PostingKind::Reply | PostingKind::Broadcast, _) => {
            ("conversations.history", channel, vec![("limit", PAGE)])
        }
    };
    Some(Place { method, channel, arguments })
}
