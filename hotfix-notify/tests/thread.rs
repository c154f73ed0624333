//! One root, a thread below it, the root updated in place: the exact bytes on the wire.

use hotfix_core::model::Period;
use hotfix_core::port::{Delivered, DeliveryOutcome, Notifier, PostingKind};
use hotfix_notify::{SlackWebApi, SlackWebApiConfig};
use hotfix_testkit::http::{Answer, Recorded, ScriptedServer};
use serde_json::json;

use crate::fixture::{CHANNEL, HOOK, POST, TOKEN, UPDATE, posting, web_api, web_api_config, webhook};

fn accepted(ts: &str) -> Answer {
    let message = json!({"text": "…", "type": "message", "subtype": "bot_message", "ts": ts});
    Answer::json(200, &json!({"ok": true, "channel": CHANNEL, "ts": ts, "message": message}))
}

fn delivered(id: &str) -> DeliveryOutcome {
    let (channel, id) = (CHANNEL.to_owned(), id.to_owned());
    DeliveryOutcome::Delivered(Delivered { channel, id })
}

fn assert_golden(request: &Recorded, golden: &str) {
    assert_eq!(
        request.text(),
        golden.trim_end(),
        "if the change is meant, review and replace the golden file"
    );
}

#[tokio::test]
async fn a_run_is_one_root_with_a_thread_below_it() {
    let server = ScriptedServer::start().await;
    let notifier = web_api(&server);
    let root_ts = "1503435956.000247";
    for (kind, path, ts, golden) in [
        (PostingKind::Root, POST, root_ts, include_str!("golden/root.json")),
        (PostingKind::Reply, POST, "1503435957.000100", include_str!("golden/reply.json")),
        (PostingKind::Broadcast, POST, "1503435958.000200", include_str!("golden/broadcast.json")),
        (PostingKind::Update, UPDATE, root_ts, include_str!("golden/update.json")),
    ] {
        server.respond_on(path, accepted(ts));
        assert_eq!(notifier.deliver(&posting(kind)).await, delivered(ts), "{kind:?}");
        let requests = server.requests();
        let request = requests.last().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", path));
        assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        assert_eq!(request.header("content-type"), Some("application/json; charset=utf-8"));
        assert!(!request.text().contains(TOKEN), "the token travels in the header only");
        assert_golden(request, golden);
    }
    server.verify();
}

#[tokio::test]
async fn a_webhook_gets_every_message_at_its_own_url() {
    let server = ScriptedServer::start().await;
    let notifier = webhook(&server);
    for (kind, golden) in [
        (PostingKind::Root, include_str!("golden/hook_root.json")),
        (PostingKind::Reply, include_str!("golden/hook_reply.json")),
    ] {
        server.respond_on(HOOK, Answer::status(200).text("ok"));
        let nowhere = Delivered { channel: String::new(), id: String::new() };
        assert_eq!(notifier.deliver(&posting(kind)).await, DeliveryOutcome::Delivered(nowhere));
        let requests = server.requests();
        let request = requests.last().unwrap();
        assert_eq!(request.header("authorization"), None);
        assert_golden(request, golden);
    }
    server.verify();
}

#[tokio::test]
async fn without_a_root_a_reply_is_a_message_and_an_update_is_nothing() {
    let server = ScriptedServer::start().await;
    // The receipt of a destination that tells nothing is as good as none.
    let nowhere = Delivered { channel: String::new(), id: String::new() };
    for root in [None, Some(nowhere)] {
        let (mut reply, mut update) = (posting(PostingKind::Reply), posting(PostingKind::Update));
        (reply.root, update.root) = (root.clone(), root);
        server.respond_on(POST, accepted("1.1"));
        assert_eq!(web_api(&server).deliver(&reply).await, delivered("1.1"));
        assert_eq!(web_api(&server).deliver(&update).await, DeliveryOutcome::RootGone);
    }
    for request in server.requests() {
        let body = request.json();
        assert_eq!(body["channel"], CHANNEL);
        assert_eq!(body.get("thread_ts"), None);
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_webhook_skips_updates() {
    let server = ScriptedServer::start().await;
    let update = posting(PostingKind::Update);
    let outcome = webhook(&server).deliver(&update).await;
    assert_eq!(outcome, DeliveryOutcome::Delivered(update.root.unwrap()));
    assert_eq!(server.requests(), []);
}

#[tokio::test]
async fn the_pace_is_kept_before_the_wire_and_apart_for_updates() {
    let server = ScriptedServer::start().await;
    let config = SlackWebApiConfig { pace: Period::from_hours(1), ..web_api_config(server.url("/api")) };
    let notifier = SlackWebApi::new(&config).unwrap();
    server.respond_on(POST, accepted("1.1"));
    server.respond_on(UPDATE, accepted("1.1"));
    assert_eq!(notifier.deliver(&posting(PostingKind::Root)).await, delivered("1.1"));
    let DeliveryOutcome::Throttled { wait: Some(wait) } =
        notifier.deliver(&posting(PostingKind::Reply)).await
    else {
        panic!("the second message of the hour was sent");
    };
    assert!(wait > Period::from_mins(59) && wait <= Period::from_millis(3_600_001), "{wait}");
    assert_eq!(notifier.deliver(&posting(PostingKind::Update)).await, delivered("1.1"));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn after_429_nothing_more_is_sent_until_the_time_is_over() {
    let server = ScriptedServer::start().await;
    let notifier = web_api(&server);
    let body = json!({"retry_after": 1, "ok": false, "error": "rate_limited"});
    server.respond_on(POST, Answer::json(429, &body).header("retry-after", "30"));
    let asked = DeliveryOutcome::Throttled { wait: Some(Period::from_secs(30)) };
    assert_eq!(notifier.deliver(&posting(PostingKind::Root)).await, asked);
    let DeliveryOutcome::Throttled { wait: Some(wait) } = notifier.deliver(&posting(PostingKind::Root)).await
    else {
        panic!("a message was sent although Slack asked for quiet");
    };
    assert!(wait > Period::from_secs(20) && wait <= Period::from_millis(30_001), "{wait}");
    assert_eq!(server.requests().len(), 1);
}
