//! Every answer that Slack is known to give, and what it means.

use hotfix_core::model::Period;
use hotfix_core::port::{Delivered, DeliveryOutcome, Notifier, PostingKind};
use hotfix_testkit::http::{Answer, ScriptedServer};
use serde_json::json;

use crate::fixture::{CHANNEL, HOOK, POST, UPDATE, posting, web_api, webhook};

fn refusal(code: &str) -> Answer {
    Answer::json(200, &json!({"ok": false, "error": code}))
}

fn throttled(wait: Option<u64>) -> DeliveryOutcome {
    DeliveryOutcome::Throttled { wait: wait.map(Period::from_secs) }
}

fn transient(cause: &str) -> DeliveryOutcome {
    DeliveryOutcome::Transient { cause: cause.into() }
}

fn ambiguous(cause: &str) -> DeliveryOutcome {
    DeliveryOutcome::Ambiguous { cause: cause.into() }
}

fn permanent(code: &str) -> DeliveryOutcome {
    DeliveryOutcome::Permanent { code: code.into() }
}

fn delivered(channel: &str, id: &str) -> DeliveryOutcome {
    DeliveryOutcome::Delivered(Delivered { channel: channel.into(), id: id.into() })
}

async fn post(server: &ScriptedServer, kind: PostingKind, answer: Answer) -> DeliveryOutcome {
    let path = if kind == PostingKind::Update { UPDATE } else { POST };
    server.respond_on(path, answer);
    web_api(server).deliver(&posting(kind)).await
}

const HTML: &str = "<html><body>Checking your browser</body></html>";
const NOT_SLACKS: &str = "the body is not Slack's";

#[tokio::test]
async fn the_web_api_refuses_under_http_200() {
    let server = ScriptedServer::start().await;
    for (answer, expected) in [
        (refusal("ratelimited"), throttled(None)),
        (refusal("ratelimited").header("retry-after", "7"), throttled(Some(7))),
        (refusal("rate_limited"), throttled(None)),
        (refusal("message_limit_exceeded"), throttled(None)),
        (
            Answer::json(200, &json!({"ok": false, "error": "ratelimited", "retry_after": 2.5})),
            DeliveryOutcome::Throttled { wait: Some(Period::from_millis(2500)) },
        ),
        (refusal("service_unavailable"), transient("service_unavailable")),
        (refusal("request_timeout"), transient("request_timeout")),
        (refusal("team_added_to_org"), transient("team_added_to_org")),
        (refusal("internal_error"), ambiguous("internal_error")),
        (refusal("fatal_error"), ambiguous("fatal_error")),
        (refusal("restricted_action_read_only_channel"), permanent("restricted_action_read_only_channel")),
        // Nothing was there before the root.
        (refusal("message_not_found"), permanent("message_not_found")),
        (Answer::json(500, &json!({"ok": false, "error": "internal_error"})), ambiguous("internal_error")),
        (Answer::json(503, &json!({"ok": false, "error": "brand_new"})), ambiguous("brand_new")),
        (Answer::json(400, &json!({"ok": false, "error": "invalid_auth"})), permanent("invalid_auth")),
    ] {
        let shown = format!("{answer:?}");
        assert_eq!(post(&server, PostingKind::Root, answer).await, expected, "{shown}");
    }
    server.verify();
}

#[tokio::test]
async fn what_only_a_person_can_mend_is_permanent() {
    let server = ScriptedServer::start().await;
    for code in [
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "no_text",
        "msg_too_long",
        "msg_blocks_too_long",
        "invalid_blocks",
        "restricted_action",
        "ekm_access_denied",
        "cant_update_message",
        "edit_window_closed",
    ] {
        assert_eq!(post(&server, PostingKind::Update, refusal(code)).await, permanent(code));
    }
    server.verify();
}

#[tokio::test]
async fn a_lost_root_is_told_apart() {
    let server = ScriptedServer::start().await;
    for (kind, code) in [
        (PostingKind::Update, "message_not_found"),
        (PostingKind::Reply, "thread_not_found"),
        (PostingKind::Broadcast, "message_not_found"),
    ] {
        assert_eq!(post(&server, kind, refusal(code)).await, DeliveryOutcome::RootGone, "{kind:?}");
    }
    server.verify();
}

#[tokio::test]
async fn an_unknown_code_gets_two_tries() {
    let server = ScriptedServer::start().await;
    let notifier = web_api(&server);
    let (one, mut other) = (posting(PostingKind::Root), posting(PostingKind::Root));
    other.dedup = "run-2/1/slack".into();
    server.otherwise(refusal("brand_new"));
    assert_eq!(notifier.deliver(&one).await, transient("brand_new"));
    assert_eq!(notifier.deliver(&other).await, transient("brand_new"));
    assert_eq!(notifier.deliver(&one).await, permanent("brand_new"));
    assert_eq!(notifier.deliver(&other).await, permanent("brand_new"));
}

#[tokio::test]
async fn what_is_not_slacks_answer_is_judged_by_its_status() {
    let server = ScriptedServer::start().await;
    let text = |status, text: &'static str| Answer::status(status).text(text);
    let date = "Sat, 21 Nov 2026 10:00:00 GMT";
    let until = "Sat, 21 Nov 2026 10:00:45 GMT";
    for (answer, expected) in [
        (text(200, HTML), ambiguous(&format!("HTTP 200: {NOT_SLACKS}"))),
        (text(200, ""), ambiguous(&format!("HTTP 200: {NOT_SLACKS}"))),
        (text(200, "{\"ok\":true}"), ambiguous("accepted without saying where: channel or ts is missing")),
        (text(500, HTML), ambiguous(&format!("HTTP 500: {NOT_SLACKS}"))),
        (text(502, HTML), ambiguous(&format!("HTTP 502: {NOT_SLACKS}"))),
        (text(503, "upstream"), ambiguous(&format!("HTTP 503: {NOT_SLACKS}"))),
        (text(504, HTML), ambiguous(&format!("HTTP 504: {NOT_SLACKS}"))),
        (text(404, HTML), permanent("http_404")),
        (text(408, ""), transient("http_408")),
        (text(302, "").header("location", "/api/other"), permanent("http_302")),
        (text(429, HTML), throttled(None)),
        (text(429, "").header("retry-after", "0"), throttled(Some(1))),
        (text(429, "").header("retry-after", "999999"), throttled(Some(900))),
        (text(429, "").header("retry-after", until).header("date", date), throttled(Some(45))),
    ] {
        let shown = format!("{answer:?}");
        assert_eq!(post(&server, PostingKind::Root, answer).await, expected, "{shown}");
    }
    // A redirect was not followed.
    assert!(server.requests().iter().all(|request| request.path == POST));
    server.verify();
}

#[tokio::test]
async fn an_error_that_is_no_code_is_not_repeated() {
    let server = ScriptedServer::start().await;
    for odd in ["Bearer xoxb-123456789012-canary", "", "UPPER", &"x".repeat(65)] {
        let outcome = post(&server, PostingKind::Root, refusal(odd)).await;
        assert_eq!(outcome, transient("unreadable_code"), "{odd}");
    }
    server.verify();
}

#[tokio::test]
async fn a_webhook_is_judged_by_the_word_in_the_body() {
    let server = ScriptedServer::start().await;
    let answer = |status, body: &'static str| Answer::status(status).text(body);
    for (answer, expected) in [
        (answer(200, "ok"), delivered("", "")),
        (answer(200, "ok\n"), delivered("", "")),
        (Answer::json(200, &json!({"ok": true})), delivered("", "")),
        (answer(400, "invalid_payload"), permanent("invalid_payload")),
        (answer(400, "user_not_found"), permanent("user_not_found")),
        (answer(403, "action_prohibited"), permanent("action_prohibited")),
        (answer(403, "invalid_token"), permanent("invalid_token")),
        (answer(404, "channel_not_found"), permanent("channel_not_found")),
        (answer(410, "channel_is_archived"), permanent("channel_is_archived")),
        (answer(500, "rollup_error"), transient("rollup_error")),
        // Documented without a status: the word counts whatever it comes with.
        (answer(200, "no_service"), permanent("no_service")),
        (answer(500, "no_text"), permanent("no_text")),
        (answer(404, "no_service_id"), permanent("no_service_id")),
        (answer(500, "no_active_hooks"), permanent("no_active_hooks")),
        (answer(500, "no_team"), permanent("no_team")),
        (answer(500, "team_disabled"), permanent("team_disabled")),
        (answer(403, "posting_to_general_channel_denied"), permanent("posting_to_general_channel_denied")),
        (answer(400, "too_many_attachments"), permanent("too_many_attachments")),
        (answer(400, "brand_new"), permanent("brand_new")),
        (answer(500, "brand_new"), ambiguous(&format!("HTTP 500: {NOT_SLACKS}"))),
        (Answer::json(200, &json!({"ok": false, "error": "fatal_error"})), ambiguous("fatal_error")),
        (answer(200, HTML), ambiguous(&format!("HTTP 200: {NOT_SLACKS}"))),
        (answer(404, HTML), permanent("http_404")),
        (answer(503, HTML), ambiguous(&format!("HTTP 503: {NOT_SLACKS}"))),
        (answer(429, "rate_limited").header("retry-after", "30"), throttled(Some(30))),
        (answer(200, "ratelimited"), throttled(None)),
    ] {
        let shown = format!("{answer:?}");
        server.respond_on(HOOK, answer);
        assert_eq!(webhook(&server).deliver(&posting(PostingKind::Root)).await, expected, "{shown}");
    }
    server.verify();
}

#[tokio::test]
async fn the_receipt_is_what_slack_says_and_not_what_was_asked() {
    let server = ScriptedServer::start().await;
    let moved = json!({"ok": true, "channel": "C0MOVED", "ts": "1.2"});
    let outcome = post(&server, PostingKind::Root, Answer::json(200, &moved)).await;
    assert_eq!(outcome, delivered("C0MOVED", "1.2"));
    assert_eq!(server.requests()[0].json()["channel"], CHANNEL);
}
