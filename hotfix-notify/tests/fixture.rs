//! Postings, and notifiers that talk to a scripted server.

use hotfix_core::model::{Fact, IncidentId, Message, Part, Period, Phase, RunId, Tone};
use hotfix_core::port::{Delivered, Posting, PostingKind, ThreadKey};
use hotfix_notify::{HttpConfig, SlackWebApi, SlackWebApiConfig, SlackWebhook, SlackWebhookConfig};
use hotfix_testkit::http::ScriptedServer;

pub(crate) const TOKEN: &str = "xoxb-123456789012-canary";
pub(crate) const CHANNEL: &str = "C024BE91L";
pub(crate) const POST: &str = "/api/chat.postMessage";
pub(crate) const UPDATE: &str = "/api/chat.update";
pub(crate) const HOOK: &str = "/services/T0/B0/canary";

pub(crate) fn message() -> Message {
    Message {
        tone: Tone::Bad,
        phase: Phase::RollingBack,
        title: vec![Part::Ours("Taking back ".into()), Part::Foreign("v2.1.1 <!channel> R&D".into())],
        body: vec![
            Part::Ours("The canary failed its check.\n".into()),
            Part::Foreign("*Revert* <https://evil.example|this> with password=hunter2".into()),
        ],
        facts: vec![
            Fact { label: "Verdict".into(), value: "fail: 41 of 200 requests".into() },
            Fact { label: "error_budget".into(), value: "<@U024BE7LH>".into() },
        ],
    }
}

pub(crate) fn posting(kind: PostingKind) -> Posting {
    let root = Delivered { channel: CHANNEL.into(), id: "1503435956.000247".into() };
    Posting {
        dedup: "run-1/7/slack".into(),
        thread: ThreadKey { incident: IncidentId::new("inc-7").unwrap(), run: RunId::new("run-1").unwrap() },
        kind,
        message: message(),
        silencing: None,
        root: (kind != PostingKind::Root).then_some(root),
    }
}

/// Short deadlines, and no pace: the tests are faster than a person.
pub(crate) fn web_api_config(base_url: String) -> SlackWebApiConfig {
    SlackWebApiConfig {
        token: Some(TOKEN.into()),
        channel: CHANNEL.into(),
        base_url,
        pace: Period::from_millis(0),
        http: brisk(),
        ..SlackWebApiConfig::default()
    }
}

pub(crate) fn web_api(server: &ScriptedServer) -> SlackWebApi {
    SlackWebApi::new(&web_api_config(server.url("/api"))).unwrap()
}

pub(crate) fn webhook_config(url: &str) -> SlackWebhookConfig {
    SlackWebhookConfig {
        url: Some(url.into()),
        pace: Period::from_millis(0),
        http: brisk(),
        ..SlackWebhookConfig::default()
    }
}

pub(crate) fn webhook(server: &ScriptedServer) -> SlackWebhook {
    SlackWebhook::new(&webhook_config(&server.url(HOOK))).unwrap()
}

/// A deadline that a loaded machine keeps when the server answers at once.
fn brisk() -> HttpConfig {
    HttpConfig { deadline: Period::from_secs(5), connect: Period::from_secs(2), ..HttpConfig::default() }
}

/// A deadline for servers that never answer.
pub(crate) fn impatient() -> HttpConfig {
    HttpConfig { deadline: Period::from_secs(1), connect: Period::from_millis(500), ..HttpConfig::default() }
}
