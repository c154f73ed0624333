//! Looking for a message whose outcome is unknown.

use hotfix_core::ErrorKind;
use hotfix_core::model::Period;
use hotfix_core::port::{Delivered, Notifier, PostingKind, PostingProbe};
use hotfix_notify::{SlackWebApi, SlackWebApiConfig};
use hotfix_testkit::http::{Answer, ScriptedServer};
use serde_json::{Value, json};

use crate::fixture::{CHANNEL, TOKEN, posting, web_api, web_api_config, webhook};

const HISTORY: &str = "/api/conversations.history";
const REPLIES: &str = "/api/conversations.replies";

fn message(ts: &str, id: &str) -> Value {
    let metadata = json!({"event_type": "hotfix_outbox", "event_payload": {"id": id}});
    json!({"type": "message", "ts": ts, "text": "…", "metadata": metadata})
}

fn page(messages: &[Value], next_cursor: &str) -> Answer {
    let cursor = json!({"next_cursor": next_cursor});
    let more = !next_cursor.is_empty();
    Answer::json(
        200,
        &json!({"ok": true, "messages": messages, "has_more": more, "response_metadata": cursor}),
    )
}

fn found(id: &str) -> PostingProbe {
    PostingProbe::Found(Delivered { channel: CHANNEL.into(), id: id.into() })
}

#[tokio::test]
async fn a_root_is_found_by_its_metadata_on_any_page() {
    let server = ScriptedServer::start().await;
    let strangers = [
        json!({"type": "message", "ts": "9.0", "text": "run-1/7/slack"}),
        json!({"type": "message", "ts": "8.0", "metadata": {"event_type": "other", "event_payload": {"id": "run-1/7/slack"}}}),
        message("7.0", "run-1/6/slack"),
    ];
    server.respond_on(HISTORY, page(&strangers, "dXNlcjpVMDYx="));
    server.respond_on(HISTORY, page(&[message("6.5", "run-1/7/slack")], ""));
    let probe = web_api(&server).find(&posting(PostingKind::Root)).await.unwrap();
    assert_eq!(probe, found("6.5"));
    let queries: Vec<_> = server.requests().into_iter().map(|request| request.query).collect();
    assert_eq!(
        queries,
        [
            "channel=C024BE91L&include_all_metadata=true&limit=200",
            "channel=C024BE91L&include_all_metadata=true&limit=200&cursor=dXNlcjpVMDYx%3D"
        ]
    );
    let request = &server.requests()[0];
    assert_eq!(request.method, "GET");
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    server.verify();
}

#[tokio::test]
async fn a_reply_is_looked_for_in_its_thread_and_an_update_in_its_root() {
    let server = ScriptedServer::start().await;
    server.respond_on(REPLIES, page(&[message("1.0", "root"), message("2.0", "run-1/7/slack")], ""));
    let probe = web_api(&server).find(&posting(PostingKind::Broadcast)).await.unwrap();
    assert_eq!(probe, found("2.0"));
    server.respond_on(HISTORY, page(&[message("1503435956.000247", "run-1/7/slack")], ""));
    let probe = web_api(&server).find(&posting(PostingKind::Update)).await.unwrap();
    assert_eq!(probe, found("1503435956.000247"));
    // The root shows an earlier update; that there are newer messages in the channel does not matter.
    server.respond_on(HISTORY, page(&[message("1503435956.000247", "run-1/5/slack")], "more"));
    let probe = web_api(&server).find(&posting(PostingKind::Update)).await.unwrap();
    assert_eq!(probe, PostingProbe::Absent);
    let queries: Vec<_> = server.requests().into_iter().map(|request| request.query).collect();
    let root = "channel=C024BE91L&include_all_metadata=true&latest=1503435956.000247&\
                oldest=1503435956.000247&inclusive=true&limit=1";
    assert_eq!(
        queries,
        ["channel=C024BE91L&include_all_metadata=true&ts=1503435956.000247&limit=200", root, root]
    );
    server.verify();
}

#[tokio::test]
async fn what_is_nowhere_is_absent() {
    let server = ScriptedServer::start().await;
    server.respond_on(HISTORY, page(&[], ""));
    let probe = web_api(&server).find(&posting(PostingKind::Root)).await.unwrap();
    assert_eq!(probe, PostingProbe::Absent);
    server.respond_on(REPLIES, Answer::json(200, &json!({"ok": false, "error": "thread_not_found"})));
    let probe = web_api(&server).find(&posting(PostingKind::Reply)).await.unwrap();
    assert_eq!(probe, PostingProbe::Absent);
    // Without a root, a reply was sent as a message of its own, and an update never.
    let (mut reply, mut update) = (posting(PostingKind::Reply), posting(PostingKind::Update));
    (reply.root, update.root) = (None, None);
    server.respond_on(HISTORY, page(&[message("3.0", "run-1/7/slack")], ""));
    assert_eq!(web_api(&server).find(&reply).await.unwrap(), found("3.0"));
    assert_eq!(web_api(&server).find(&update).await.unwrap(), PostingProbe::Absent);
    server.verify();
}

#[tokio::test]
async fn beyond_the_depth_of_the_search_nothing_is_claimed() {
    let server = ScriptedServer::start().await;
    server.otherwise(page(&[message("1.0", "other")], "next"));
    let error = web_api(&server).find(&posting(PostingKind::Root)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn a_search_that_fails_says_whether_to_search_again() {
    let server = ScriptedServer::start().await;
    let refusal = |code: &str| Answer::json(200, &json!({"ok": false, "error": code}));
    for (answer, kind, message) in [
        (
            refusal("missing_scope"),
            ErrorKind::Unsupported,
            "notifier.find: unsupported: reading the channel is not allowed: grant channels:history (groups:history \
             for a private channel) and install the app again (channel=C024BE91L, code=missing_scope)",
        ),
        (
            refusal("invalid_auth"),
            ErrorKind::Unauthenticated,
            "notifier.find: not authenticated: Slack refused the search (channel=C024BE91L, code=invalid_auth)",
        ),
        (
            refusal("channel_not_found"),
            ErrorKind::NotFound,
            "notifier.find: not found: Slack refused the search (channel=C024BE91L, code=channel_not_found)",
        ),
        (
            refusal("ratelimited"),
            ErrorKind::Unavailable,
            "notifier.find: unavailable: Slack refused the search (channel=C024BE91L, code=ratelimited)",
        ),
        (
            Answer::status(429).header("retry-after", "30"),
            ErrorKind::Unavailable,
            "notifier.find: unavailable: rate limited (channel=C024BE91L, wait=30s)",
        ),
        (
            Answer::status(200).text("<html>"),
            ErrorKind::Unavailable,
            "notifier.find: unavailable: HTTP 200, and the body is not Slack's (channel=C024BE91L)",
        ),
    ] {
        server.respond_on(HISTORY, answer);
        let error = web_api(&server).find(&posting(PostingKind::Root)).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    }
    server.verify();
}

#[tokio::test]
async fn searches_keep_a_pace_too() {
    let server = ScriptedServer::start().await;
    let config = SlackWebApiConfig { pace: Period::from_hours(1), ..web_api_config(server.url("/api")) };
    let notifier = SlackWebApi::new(&config).unwrap();
    server.otherwise(page(&[], ""));
    for _ in 0..10 {
        notifier.find(&posting(PostingKind::Root)).await.unwrap();
    }
    let error = notifier.find(&posting(PostingKind::Root)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(server.requests().len(), 10);
}

#[tokio::test]
async fn a_webhook_cannot_tell() {
    let server = ScriptedServer::start().await;
    let error = webhook(&server).find(&posting(PostingKind::Root)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(server.requests(), []);
}
