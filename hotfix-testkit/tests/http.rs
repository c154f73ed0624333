//! The scripted server does on the wire what the script says.

use std::io;

use hotfix_testkit::http::{Answer, ScriptedServer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn open(server: &ScriptedServer, path: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nX-Key: k1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

async fn exchange(server: &ScriptedServer, path: &str, body: &str) -> String {
    let mut socket = open(server, path, body).await;
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer).await {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(answer).unwrap(),
    }
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn answers_in_order_and_records_what_came() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::status(429).header("retry-after", "30"));
    server.respond(Answer::json(200, &json!({"ok": true})));
    server.respond_on("/other", Answer::status(204));

    let first = exchange(&server, "/post?a=1", r#"{"n":1}"#).await;
    assert!(first.starts_with("HTTP/1.1 429 "), "{first}");
    assert!(first.contains("retry-after: 30\r\n"), "{first}");
    assert!(exchange(&server, "/other", "").await.starts_with("HTTP/1.1 204 "));
    assert_eq!(body_of(&exchange(&server, "/post", "").await), r#"{"ok":true}"#);

    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/post"));
    assert_eq!(requests[0].query, "a=1");
    assert_eq!(requests[0].header("x-key"), Some("k1"));
    assert_eq!(requests[0].json(), json!({"n": 1}));
    assert_eq!(server.request(1).await.path, "/other");
    server.verify();
}

#[tokio::test]
async fn cuts_before_the_head_and_in_the_middle_of_the_body() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::cut());
    server.respond(Answer::status(200).text("0123456789").cut_after(4));
    server.respond(Answer::status(200).text("0123456789").cut_after(0));
    server.respond(Answer::status(200).text("all").cut_after(99));

    assert_eq!(exchange(&server, "/", "").await, "");
    let half = exchange(&server, "/", "").await;
    assert!(half.contains("content-length: 10\r\n"), "{half}");
    assert_eq!(body_of(&half), "0123");
    let head = exchange(&server, "/", "").await;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert_eq!(body_of(&head), "");
    let whole = exchange(&server, "/", "").await;
    assert!(whole.contains("content-length: 4\r\n"), "{whole}");
    assert_eq!(body_of(&whole), "all");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn hangs_until_it_is_dropped() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::hang());
    server.respond(Answer::status(200).text("0123456789").hang_after(4));
    let mut silent = open(&server, "/silent", "").await;
    let mut half = {
        server.request(0).await;
        open(&server, "/half", "").await
    };
    server.request(1).await;
    drop(server);
    let mut answer = Vec::new();
    let _closed = silent.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    let _closed = half.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || body_of(&answer) == "0123", "{answer}");
}

#[tokio::test]
#[should_panic(
    expected = "1 scripted answer(s) were not asked for; requests without a scripted answer: [\"POST /b\"]"
)]
async fn an_unexpected_request_and_an_unused_answer_are_defects() {
    let server = ScriptedServer::start().await;
    server.respond_on("/a", Answer::status(200));
    let answer = exchange(&server, "/b", "").await;
    assert_eq!(body_of(&answer), "no answer is scripted for POST /b");
    server.verify();
}
