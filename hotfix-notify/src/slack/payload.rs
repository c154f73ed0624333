//! The bodies of the requests, field by field.

use hotfix_core::port::Delivered;
use serde::Serialize;

use super::card::Card;
use super::layout::Block;
use super::text::SlackText;

/// The type of the metadata that every message carries.
pub(super) const EVENT_TYPE: &str = "hotfix_outbox";

/// What a message carries unseen, so that it can be found again.
#[derive(Debug, Serialize)]
struct Metadata<'a> {
    event_type: &'static str,
    event_payload: EventPayload<'a>,
}

#[derive(Debug, Serialize)]
struct EventPayload<'a> {
    id: &'a str,
}

impl<'a> Metadata<'a> {
    const fn new(id: &'a str) -> Self {
        let event_payload = EventPayload { id };
        Self { event_type: EVENT_TYPE, event_payload }
    }
}

/// Whether a reply is shown in the channel too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Thread,
    Channel,
}

/// `chat.postMessage`.
#[derive(Debug, Serialize)]
struct Post<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_broadcast: Option<bool>,
    text: &'a SlackText,
    blocks: &'a [Block],
    mrkdwn: bool,
    parse: &'static str,
    unfurl_links: bool,
    unfurl_media: bool,
    metadata: Metadata<'a>,
}

impl<'a> Post<'a> {
    const fn new(channel: &'a str, card: &'a Card, id: &'a str) -> Self {
        Self {
            channel,
            thread_ts: None,
            reply_broadcast: None,
            text: &card.text,
            blocks: card.blocks.as_slice(),
            mrkdwn: false,
            parse: "none",
            unfurl_links: false,
            unfurl_media: false,
            metadata: Metadata::new(id),
        }
    }
}

/// `chat.update`. Text without blocks would remove the blocks; blocks without text would keep the old notification.
#[derive(Debug, Serialize)]
struct Update<'a> {
    channel: &'a str,
    ts: &'a str,
    text: &'a SlackText,
    blocks: &'a [Block],
    parse: &'static str,
    metadata: Metadata<'a>,
}

/// An incoming webhook.
#[derive(Debug, Serialize)]
struct Hook<'a> {
    text: &'a SlackText,
    blocks: &'a [Block],
    mrkdwn: bool,
    parse: &'static str,
    unfurl_links: bool,
    unfurl_media: bool,
}

pub(super) fn root(channel: &str, card: &Card, id: &str) -> Vec<u8> {
    bytes(&Post::new(channel, card, id))
}

pub(super) fn reply(root: &Delivered, reach: Reach, card: &Card, id: &str) -> Vec<u8> {
    bytes(&Post {
        thread_ts: Some(&root.id),
        reply_broadcast: (reach == Reach::Channel).then_some(true),
        ..Post::new(&root.channel, card, id)
    })
}

pub(super) fn update(root: &Delivered, card: &Card, id: &str) -> Vec<u8> {
    bytes(&Update {
        channel: &root.channel,
        ts: &root.id,
        text: &card.text,
        blocks: &card.blocks,
        parse: "none",
        metadata: Metadata::new(id),
    })
}

pub(super) fn hook(card: &Card) -> Vec<u8> {
    bytes(&Hook {
        text: &card.text,
        blocks: &card.blocks,
        mrkdwn: false,
        parse: "none",
        unfurl_links: false,
        unfurl_media: false,
    })
}

fn bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("structs of strings, lists and booleans are always JSON")
}
