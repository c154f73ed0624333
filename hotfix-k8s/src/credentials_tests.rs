use std::path::Path;

use hotfix_testkit::http::{Answer, ScriptedServer};
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde_json::json;

use super::*;

const PATH: &str = "/apis/apps/v1/namespaces/prod/deployments/shop";

fn refused() -> Answer {
    Answer::json(401, &json!({"kind": "Status", "code": 401, "reason": "Unauthorized"}))
}

fn configured(server: &ScriptedServer, auth_info: AuthInfo) -> kube::Config {
    let mut config = kube::Config::new(server.url("").parse().unwrap());
    config.auth_info = auth_info;
    config
}

fn by_file(server: &ScriptedServer, file: &Path) -> kube::Config {
    let token_file = Some(file.display().to_string());
    configured(server, AuthInfo { token_file, ..AuthInfo::default() })
}

/// A plugin that counts how often it ran in a file, and whose token has an hour left.
fn by_plugin(server: &ScriptedServer, runs: &Path) -> kube::Config {
    let script = r#"echo >>"$0"; runs=$(grep -c '' "$0")
        echo '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {
            "token": "run-'$runs'", "expirationTimestamp": "2999-01-01T00:00:00Z"}}'"#;
    let plugin = ExecConfig {
        api_version: Some("client.authentication.k8s.io/v1".to_owned()),
        command: Some("sh".to_owned()),
        args: Some(vec!["-c".to_owned(), script.to_owned(), runs.display().to_string()]),
        interactive_mode: Some(ExecInteractiveMode::Never),
        ..ExecConfig::default()
    };
    configured(server, AuthInfo { exec: Some(plugin), ..AuthInfo::default() })
}

fn patch(value: &str) -> Request<Body> {
    let request = Request::patch(PATH).header("content-type", "application/json-patch+json");
    request.body(Body::from(value.as_bytes().to_vec())).unwrap()
}

/// What the server was sent, and as whom.
fn sent(server: &ScriptedServer) -> Vec<(String, String)> {
    let whole = |request: &hotfix_testkit::http::Recorded| {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("PATCH", PATH));
        assert_eq!(request.header("content-type"), Some("application/json-patch+json"));
        (request.header("authorization").unwrap_or_default().to_owned(), request.text())
    };
    server.requests().iter().map(whole).collect()
}

fn pair(token: &str, body: &str) -> (String, String) {
    (format!("Bearer {token}"), body.to_owned())
}

#[tokio::test]
async fn a_token_file_that_was_replaced_is_read_when_the_server_refuses_the_old_one() {
    let (server, folder) = (ScriptedServer::start().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    std::fs::write(&file, "old").unwrap();
    let client = connect(by_file(&server, &file)).unwrap();
    std::fs::write(&file, "new").unwrap();
    server.respond(Answer::json(200, &json!({})));
    server.respond(refused());
    server.respond(Answer::json(200, &json!({})));
    server.respond(Answer::json(200, &json!({})));
    for body in ["1", "2", "3"] {
        assert_eq!(client.send(patch(body)).await.unwrap().status(), 200, "{body}");
    }
    assert_eq!(sent(&server), [pair("old", "1"), pair("old", "2"), pair("new", "2"), pair("new", "3")]);
}

#[tokio::test]
async fn a_plugin_is_asked_again_before_its_token_expires_and_once_for_all_who_are_refused() {
    let (server, folder) = (ScriptedServer::start().await, tempfile::tempdir().unwrap());
    let runs = folder.path().join("runs");
    let client = connect(by_plugin(&server, &runs)).unwrap();
    // kube asks once for a token and once for a certificate.
    let ran = || std::fs::read_to_string(&runs).unwrap().len();
    let each = ran();
    // Everybody is on the way with the first token before anybody is refused.
    for _ in 0..3 {
        server.respond(refused().after(Duration::from_secs(1)));
    }
    server.otherwise(Answer::json(200, &json!({})));
    let (a, b, c) = tokio::join!(client.send(patch("a")), client.send(patch("b")), client.send(patch("c")));
    assert!([a, b, c].iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
    let mut sent = sent(&server);
    sent.sort();
    let of = |run: usize| ["a", "b", "c"].map(|body| pair(&format!("run-{run}"), body));
    assert_eq!(sent, [of(each), of(2 * each)].concat());
    assert_eq!(ran(), 2 * each);
}

#[tokio::test]
async fn who_is_refused_twice_is_refused() {
    let (server, folder) = (ScriptedServer::start().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    std::fs::write(&file, "old").unwrap();
    let client = connect(by_file(&server, &file)).unwrap();
    server.otherwise(refused());
    assert_eq!(client.send(patch("1")).await.unwrap().status(), 401);
    assert_eq!(sent(&server), [pair("old", "1"), pair("old", "1")]);
}

#[tokio::test]
async fn what_cannot_be_read_anew_is_used_as_it_was() {
    let (server, folder) = (ScriptedServer::start().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    std::fs::write(&file, "old").unwrap();
    let client = connect(by_file(&server, &file)).unwrap();
    std::fs::remove_file(&file).unwrap();
    server.respond(refused());
    server.respond(Answer::json(200, &json!({})));
    assert_eq!(client.send(patch("1")).await.unwrap().status(), 200);
    assert_eq!(sent(&server), [pair("old", "1"), pair("old", "1")]);
}

#[test]
fn what_a_plugin_printed_is_not_told() {
    let out = std::process::Output {
        status: std::os::unix::process::ExitStatusExt::from_raw(256),
        stdout: b"a secret".to_vec(),
        stderr: b"another".to_vec(),
    };
    let error = Error::Auth(AuthError::AuthExecRun { cmd: "get-token".to_owned(), out: Box::new(out) });
    assert_eq!(cause(&error), "get-token ended with exit status: 1");
}
