//! What is known when there is no whole answer.

use hotfix_core::model::Period;
use hotfix_core::port::{DeliveryOutcome, Notifier, PostingKind};
use hotfix_notify::{
    HttpConfig, SecretSource, SlackWebApi, SlackWebApiConfig, SlackWebhook, SlackWebhookConfig,
};
use hotfix_testkit::http::{Answer, ScriptedServer};
use tokio::net::TcpListener;

use crate::fixture::{HOOK, POST, impatient, posting, web_api, web_api_config, webhook, webhook_config};

fn ambiguous(cause: &str) -> DeliveryOutcome {
    DeliveryOutcome::Ambiguous { cause: cause.into() }
}

const ACCEPTED: &str = "{\"ok\":true,\"channel\":\"C024BE91L\",\"ts\":\"1.1\"}";

async fn deliver_impatiently(base_url: String) -> DeliveryOutcome {
    let config = SlackWebApiConfig { http: impatient(), ..web_api_config(base_url) };
    let notifier = SlackWebApi::new(&config).unwrap();
    notifier.deliver(&posting(PostingKind::Root)).await
}

#[tokio::test]
async fn a_request_without_an_answer_may_have_arrived() {
    let server = ScriptedServer::start().await;
    for (answer, cause) in [
        (Answer::hang(), "no whole answer in time"),
        (Answer::status(200).text(ACCEPTED).hang_after(0), "HTTP 200: no whole answer in time"),
        (Answer::status(200).text(ACCEPTED).hang_after(20), "HTTP 200: no whole answer in time"),
    ] {
        server.respond_on(POST, answer);
        assert_eq!(deliver_impatiently(server.url("/api")).await, ambiguous(cause));
    }
    server.respond_on(HOOK, Answer::hang());
    let config = SlackWebhookConfig { http: impatient(), ..webhook_config(&server.url(HOOK)) };
    let outcome = SlackWebhook::new(&config).unwrap().deliver(&posting(PostingKind::Root)).await;
    assert_eq!(outcome, ambiguous("no whole answer in time"));
    server.verify();
}

#[tokio::test]
async fn a_cut_connection_may_have_carried_the_request() {
    let server = ScriptedServer::start().await;
    for answer in [
        Answer::cut(),
        Answer::status(200).text(ACCEPTED).cut_after(0),
        Answer::status(200).text(ACCEPTED).cut_after(20),
    ] {
        server.respond_on(POST, answer);
        let outcome = web_api(&server).deliver(&posting(PostingKind::Root)).await;
        assert!(matches!(outcome, DeliveryOutcome::Ambiguous { .. }), "{outcome:?}");
    }
    server.verify();
}

#[tokio::test]
async fn a_status_that_says_it_all_needs_no_body() {
    let server = ScriptedServer::start().await;
    server.respond_on(POST, Answer::status(429).header("retry-after", "3").text("{}").hang_after(1));
    let throttled = DeliveryOutcome::Throttled { wait: Some(Period::from_secs(3)) };
    assert_eq!(deliver_impatiently(server.url("/api")).await, throttled);
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let server = ScriptedServer::start().await;
    server.respond_on(POST, Answer::status(200).text("x".repeat(300 * 1024)));
    let outcome = web_api(&server).deliver(&posting(PostingKind::Root)).await;
    assert_eq!(outcome, ambiguous("HTTP 200: the answer is longer than 262144 bytes"));
    server.respond_on(HOOK, Answer::status(200).text("ok ".repeat(64 * 1024)));
    let outcome = webhook(&server).deliver(&posting(PostingKind::Root)).await;
    assert_eq!(outcome, ambiguous("HTTP 200: the answer is longer than 65536 bytes"));
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let outcome = deliver_impatiently(format!("http://{closed}")).await;
    let DeliveryOutcome::Transient { cause } = outcome else { panic!("{outcome:?}") };
    assert!(cause.contains("Connection refused"), "{cause}");
    assert!(!cause.contains("127.0.0.1"), "{cause}");
}

#[tokio::test]
async fn without_tls_nothing_was_sent() {
    let server = ScriptedServer::start().await;
    // The server speaks plain HTTP, so the handshake fails.
    let outcome = deliver_impatiently(format!("https://{}", server.address())).await;
    assert!(matches!(outcome, DeliveryOutcome::Transient { .. }), "{outcome:?}");
    // The kernel accepts, and nobody ever answers the handshake.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let outcome = deliver_impatiently(format!("https://{}", silent.local_addr().unwrap())).await;
    let cause = "no connection in time".to_owned();
    assert_eq!(outcome, DeliveryOutcome::Transient { cause });
    assert_eq!(server.requests(), []);
}

#[tokio::test]
async fn a_configured_proxy_is_used() {
    let proxy = ScriptedServer::start().await;
    proxy.respond_on(POST, Answer::status(200).text(ACCEPTED));
    let http = HttpConfig { proxy: Some(proxy.url("/").as_str().into()), ..impatient() };
    // Nothing listens at this name; only the proxy can answer.
    let config = SlackWebApiConfig { http, ..web_api_config("http://localhost:1/api".into()) };
    let outcome = SlackWebApi::new(&config).unwrap().deliver(&posting(PostingKind::Root)).await;
    assert!(matches!(outcome, DeliveryOutcome::Delivered(_)), "{outcome:?}");
    proxy.verify();
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_makes_the_message_wait_and_a_rotated_one_is_used() {
    let server = ScriptedServer::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |token: &str| std::fs::write(file.path(), token).unwrap();
    write("xoxb-old\n");
    let token = Some(SecretSource::File(file.path().to_owned()));
    let config = SlackWebApiConfig { token, ..web_api_config(server.url("/api")) };
    let notifier = SlackWebApi::new(&config).unwrap();
    write("");
    let cause = "slack_web_api.token is not set: the place that should hold the secret is empty";
    let waits = DeliveryOutcome::Transient { cause: cause.into() };
    assert_eq!(notifier.deliver(&posting(PostingKind::Root)).await, waits);
    write("xoxb-new\n");
    server.respond_on(POST, Answer::status(200).text(ACCEPTED));
    notifier.deliver(&posting(PostingKind::Root)).await;
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer xoxb-new"));
}
