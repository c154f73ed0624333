use hotfix_testkit::http::{Answer, ScriptedServer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::*;

async fn receive(connection: &TcpStream) {
    let (mut request, mut bytes) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"\r\n\r\n") {
        connection.readable().await.unwrap();
        match connection.try_read(&mut bytes) {
            Ok(read) => request.extend_from_slice(&bytes[..read]),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

async fn reply(connection: &TcpStream) {
    connection.writable().await.unwrap();
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(connection.try_write(answer).unwrap(), answer.len());
}

#[tokio::test]
async fn a_read_that_was_given_up_does_not_cost_its_connection() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap()).parse().unwrap();
    let api = Api::connect(kube::Config::new(url), RequestLimits::default()).unwrap();
    let get = |api: Api| {
        tokio::spawn(async move {
            let deadline = Instant::now() + READ_LIMIT;
            api.get(&ObjectRef::pod("prod", "shop-0"), deadline).await
        })
    };
    let given_up = get(api.clone());
    let (first, _) = server.accept().await.unwrap();
    receive(&first).await;
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    // Another read is answered on a connection of its own: the first one is still waiting.
    let other = get(api.clone());
    let (second, _) = server.accept().await.unwrap();
    receive(&second).await;
    reply(&second).await;
    assert_eq!(other.await.unwrap(), Ok(Some(serde_json::json!({}))));
    reply(&first).await;
    let still_there = first.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(still_there.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn the_code_is_read_before_the_body() {
    let body = br#"{"kind":"Status","reason":"TooManyRequests","message":"slow down","details":{"retryAfterSeconds":7}}"#;
    let said = |code, reason: &str, message: &str, wait: Option<u64>| {
        let retry_after = wait.map(Period::from_secs);
        Err(Failure::Status(Refusal { code, reason: reason.into(), message: message.into(), retry_after }))
    };
    let cases: [(u16, Option<u64>, &[u8], _); 6] = [
        (200, None, b"{}", Ok(serde_json::json!({}))),
        (200, None, b"<html>", Err(Failure::Unclear { answer: "200 without JSON".to_owned() })),
        (429, None, body, said(429, "TooManyRequests", "slow down", Some(7))),
        (429, Some(2), body, said(429, "TooManyRequests", "slow down", Some(2))),
        (502, None, b"<html>bad gateway</html>", said(502, "", "", None)),
        (503, None, b"", said(503, "", "", None)),
    ];
    for (code, wait, body, expected) in cases {
        assert_eq!(answer(code, wait.map(Period::from_secs), body), expected, "{code}");
    }
}

#[tokio::test]
async fn only_the_api_server_says_that_there_is_no_object() {
    let status = |code: u16, reason: &str| {
        let refusal = Refusal { code, reason: reason.to_owned(), ..Refusal::default() };
        Err(Failure::Status(refusal))
    };
    let cases = [
        (Answer::json(404, &json!({"kind": "Status", "reason": "NotFound"})), Ok(None)),
        (Answer::status(404).text("<html>no such site</html>"), status(404, "")),
        (Answer::status(404).text("404 page not found"), status(404, "")),
        (Answer::json(410, &json!({"reason": "Gone"})), status(410, "Gone")),
        (Answer::json(200, &json!({})), Ok(Some(json!({})))),
    ];
    for (answer, expected) in cases {
        let server = ScriptedServer::start().await;
        server.respond(answer);
        let api = Api::connect(kube::Config::new(server.url("/").parse().unwrap()), RequestLimits::default())
            .unwrap();
        let found = api.get(&ObjectRef::pod("prod", "shop-0"), Instant::now() + READ_LIMIT).await;
        assert_eq!(found, expected);
    }
}
