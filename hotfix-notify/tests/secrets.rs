//! No secret is ever shown: not by `Debug`, not by an error, not by an outcome.

use std::fmt::Debug;

use hotfix_core::port::{Notifier, PostingKind};
use hotfix_notify::{
    ConfigError, HttpConfig, SecretSource, SlackWebApi, SlackWebApiConfig, SlackWebhook, SlackWebhookConfig,
};
use hotfix_testkit::http::{Answer, ScriptedServer};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{HOOK, POST, impatient, posting, web_api_config, webhook_config};

/// What `Debug` and, for errors, `Display` and every source show.
fn shown(value: &impl Debug) -> String {
    format!("{value:?}\n{value:#?}")
}

fn shown_error(error: &ConfigError) -> String {
    let mut text = format!("{error}\n{error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}\n{inner}\n{inner:?}");
        source = inner.source();
    }
    text
}

fn web_api_with(token: &str) -> SlackWebApiConfig {
    SlackWebApiConfig {
        token: Some(token.into()),
        http: HttpConfig {
            proxy: Some(format!("http://user:{token}@127.0.0.1:1").as_str().into()),
            ..impatient()
        },
        ..web_api_config("http://127.0.0.1:1".into())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn nothing_public_shows_a_secret(canary in "canary[A-Za-z0-9]{8,24}") {
        let web_api = web_api_with(&canary);
        let webhook = webhook_config(&format!("https://hooks.slack.com/services/T0/B0/{canary}"));
        let bad_url = |url: String| SlackWebhook::new(&webhook_config(&url)).unwrap_err();
        let bad_api = |change: &dyn Fn(&mut SlackWebApiConfig)| {
            let mut config = web_api_with(&canary);
            change(&mut config);
            SlackWebApi::new(&config).unwrap_err()
        };
        let texts = [
            shown(&web_api),
            shown(&webhook),
            shown(&web_api.http),
            shown(&SlackWebApi::new(&web_api).unwrap()),
            shown(&SlackWebhook::new(&webhook).unwrap()),
            shown(&SecretSource::from(canary.as_str())),
            shown_error(&bad_url(canary.clone())),
            shown_error(&bad_url(format!("http://hooks.example.com/{canary}"))),
            shown_error(&bad_url(format!("https://user:{canary}@hooks.example.com/"))),
            shown_error(&bad_url(format!("https://[{canary}]/"))),
            shown_error(&bad_api(&|config| config.token = Some(format!("two\nlines{canary}").as_str().into()))),
            shown_error(&bad_api(&|config| config.channel = canary.clone())),
            shown_error(&bad_api(&|config| config.name = Some(format!("xoxb-{canary}")))),
            shown_error(&bad_api(&|config| config.http.proxy = Some(format!("::{canary}").as_str().into()))),
            shown_error(&bad_api(&|config| config.base_url = format!("ftp://x/{canary}"))),
        ];
        for text in texts {
            prop_assert!(!text.contains(&canary), "{}", text);
        }
    }
}

#[tokio::test]
async fn no_outcome_shows_a_secret() {
    let server = ScriptedServer::start().await;
    let token = "xoxb-123456789012-canary";
    let echo =
        json!({"ok": false, "error": token, "needed": token, "authorization": format!("Bearer {token}")});
    let answers = [
        Answer::json(200, &echo),
        Answer::json(500, &echo),
        Answer::status(400).text(token),
        Answer::status(302).header("location", format!("https://evil.example/{token}")),
        Answer::hang(),
        Answer::cut(),
    ];
    for answer in answers {
        let config = SlackWebApiConfig { http: impatient(), ..web_api_config(server.url("/api")) };
        let notifier = SlackWebApi::new(&config).unwrap();
        server.respond_on(POST, answer.clone());
        let delivered = notifier.deliver(&posting(PostingKind::Root)).await;
        server.respond_on("/api/conversations.history", answer.clone());
        let searched = notifier.find(&posting(PostingKind::Root)).await.unwrap_err();
        server.respond_on(HOOK, answer);
        let config = SlackWebhookConfig { http: impatient(), ..webhook_config(&server.url(HOOK)) };
        let hooked = SlackWebhook::new(&config).unwrap().deliver(&posting(PostingKind::Root)).await;
        let text = format!("{delivered:?} {searched} {searched:?} {hooked:?}");
        assert!(!text.contains("canary"), "{text}");
    }
    server.verify();
}

#[tokio::test]
async fn a_webhook_that_cannot_be_reached_keeps_its_url_to_itself() {
    let url = "http://127.0.0.1:1/services/T0/B0/canary";
    let config = SlackWebhookConfig { http: impatient(), ..webhook_config(url) };
    let outcome = SlackWebhook::new(&config).unwrap().deliver(&posting(PostingKind::Root)).await;
    let text = format!("{outcome:?}");
    assert!(text.starts_with("Transient"), "{text}");
    assert!(!text.contains("canary") && !text.contains("services"), "{text}");
}

#[test]
fn what_is_missing_is_named_with_the_mend() {
    let error = |config: SlackWebApiConfig| SlackWebApi::new(&config).unwrap_err().to_string();
    assert_eq!(
        error(SlackWebApiConfig::default()),
        "slack_web_api.token is not set: set it to the bot token (xoxb-…) of your Slack app"
    );
    assert_eq!(
        error(SlackWebApiConfig { token: Some("t".into()), ..SlackWebApiConfig::default() }),
        "slack_web_api.channel is not set: set it to the channel's id, which its details show at the bottom, such as \
         C024BE91L"
    );
    let error = SlackWebhook::new(&SlackWebhookConfig::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "slack_webhook.url is not set: set it to the URL of an incoming webhook of your Slack app"
    );
}
