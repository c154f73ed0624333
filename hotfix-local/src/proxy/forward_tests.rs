use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hotfix_core::model::SlotName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::proxy::{Counters, CountersView, Server};

/// What a scripted instance does with each request it has read.
#[derive(Debug, Clone, Copy)]
enum Script {
    /// Sends these bytes and keeps the connection.
    Answers(&'static str),
    /// Answers the first request of the first connection and closes on the second, as if it had been idle too long.
    ClosesOnSecond(&'static str),
    /// Sends these bytes and closes.
    BreaksOff(&'static str),
    /// Sends what it read back as the body.
    Echoes,
    Hangs,
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// An instance that follows a script, and what the proxy knows of it.
struct Instance {
    upstream: Arc<Upstream>,
    connections: Arc<AtomicUsize>,
}

async fn instance(script: Script) -> Instance {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let connections = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::spawn(follow(stream, script, number));
        }
    });
    Instance { upstream: upstream_at(address), connections }
}

fn upstream_at(address: SocketAddr) -> Arc<Upstream> {
    Arc::new(Upstream::new(format!("at-{address}"), address))
}

/// An address at which nobody listens.
async fn nobody() -> Arc<Upstream> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    upstream_at(listener.local_addr().expect("an address"))
}

async fn follow(mut stream: TcpStream, script: Script, connection: usize) {
    for request in 1.. {
        let Some(read) = read_message(&mut stream).await else {
            return;
        };
        let answer = match script {
            Script::Hangs => std::future::pending().await,
            Script::ClosesOnSecond(_) if connection == 1 && request == 2 => return,
            Script::Answers(answer) | Script::ClosesOnSecond(answer) | Script::BreaksOff(answer) => {
                answer.to_owned()
            }
            Script::Echoes => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{read}", read.len()),
        };
        stream.write_all(answer.as_bytes()).await.expect("the proxy reads");
        if matches!(script, Script::BreaksOff(_)) {
            return;
        }
    }
}

/// Reads a head and the body it announces; nothing when the connection ended.
async fn read_message(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    while !is_whole(&String::from_utf8_lossy(&read)) {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(read).ok()
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

struct Fixture {
    proxy: Arc<Proxy>,
    server: Server,
    unserved: Arc<Counters>,
}

impl Fixture {
    /// A proxy with everything going to `blue`, except for what `green` gets.
    async fn new(blue: Vec<Arc<Upstream>>, green: Option<(u8, Arc<Upstream>)>) -> Self {
        let limits = Limits { answer_timeout: Duration::from_millis(200), ..Limits::default() };
        let proxy = Arc::new(Proxy::new(limits));
        let unserved = Arc::<Counters>::default();
        proxy.replace_table(table(blue, green, &unserved));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = Server::of_proxy(listener, Arc::clone(&proxy)).expect("a server");
        Self { proxy, server, unserved }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.server.address).await.expect("the proxy")
    }

    /// Sends the request on a connection of its own and returns status and body.
    async fn ask(&self, request: &str) -> (u16, String) {
        ask(&mut self.connect().await, request).await
    }
}

fn table(blue: Vec<Arc<Upstream>>, green: Option<(u8, Arc<Upstream>)>, unserved: &Arc<Counters>) -> Table {
    let slot = |name| SlotName::new(name).expect("a slot");
    let percent = green.as_ref().map_or(0, |(percent, _)| *percent);
    let green = green.map(|(percent, green)| Route::new(slot("green"), percent, vec![green], Arc::default()));
    let blue = Route::new(slot("blue"), 100 - percent, blue, Arc::clone(unserved));
    Table::new(green.into_iter().chain([blue]).collect())
}

async fn ask(connection: &mut TcpStream, request: &str) -> (u16, String) {
    connection.write_all(request.as_bytes()).await.expect("the proxy reads");
    let answer = read_message(connection).await.expect("an answer");
    parse(&answer)
}

fn parse(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 4\r\n\r\nbody";

fn requests_and_errors(view: &CountersView) -> (u64, u64) {
    (view.requests, view.errors)
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let blue = instance(Script::Answers(OK)).await;
    let fixture = Fixture::new(vec![Arc::clone(&blue.upstream)], None).await;
    let mut connection = fixture.connect().await;
    for _ in 0..3 {
        assert_eq!(ask(&mut connection, GET).await, (200, "ok".to_owned()));
        assert_eq!(ask(&mut connection, POST).await, (200, "ok".to_owned()));
    }
    assert_eq!(blue.connections.load(Ordering::SeqCst), 1);
    assert_eq!(requests_and_errors(&blue.upstream.counters.view()), (6, 0));
    assert_eq!(blue.upstream.in_flight(), 0);
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_request_that_can_be_repeated() {
    let blue = instance(Script::ClosesOnSecond(OK)).await;
    let fixture = Fixture::new(vec![Arc::clone(&blue.upstream)], None).await;
    assert_eq!(fixture.ask(GET).await.0, 200);
    assert_eq!(fixture.ask(GET).await.0, 200);
    assert_eq!(blue.connections.load(Ordering::SeqCst), 2);
    assert_eq!(requests_and_errors(&blue.upstream.counters.view()), (2, 0));
}

#[tokio::test]
async fn a_request_that_may_have_been_worked_on_is_not_repeated() {
    let blue = instance(Script::ClosesOnSecond(OK)).await;
    let fixture = Fixture::new(vec![Arc::clone(&blue.upstream)], None).await;
    assert_eq!(fixture.ask(GET).await.0, 200);
    assert_eq!(fixture.ask(POST).await, (502, "the instance gave no answer\n".to_owned()));
    assert_eq!(blue.connections.load(Ordering::SeqCst), 1);
    assert_eq!(requests_and_errors(&blue.upstream.counters.view()), (2, 1));
}

#[tokio::test]
async fn another_instance_of_the_slot_takes_what_the_first_cannot() {
    let (dead, alive) = (nobody().await, instance(Script::Answers(OK)).await);
    let fixture = Fixture::new(vec![dead, Arc::clone(&alive.upstream)], None).await;
    for _ in 0..4 {
        assert_eq!(fixture.ask(POST).await.0, 200);
    }
    assert_eq!(requests_and_errors(&alive.upstream.counters.view()), (4, 0));
    assert_eq!(requests_and_errors(&fixture.unserved.view()), (0, 0));
}

#[tokio::test]
async fn the_other_side_answers_for_a_dead_one_and_the_dead_one_is_charged() {
    let (blue, green) = (nobody().await, instance(Script::Answers(OK)).await);
    let fixture = Fixture::new(vec![blue], Some((50, Arc::clone(&green.upstream)))).await;
    for _ in 0..10 {
        assert_eq!(fixture.ask(GET).await.0, 200);
    }
    assert_eq!(requests_and_errors(&green.upstream.counters.view()), (10, 0));
    assert_eq!(requests_and_errors(&fixture.unserved.view()), (5, 5));
}

#[tokio::test]
async fn a_side_without_traffic_gets_nothing_even_when_the_other_is_dead() {
    let (blue, green) = (nobody().await, instance(Script::Answers(OK)).await);
    let fixture = Fixture::new(vec![blue], Some((0, Arc::clone(&green.upstream)))).await;
    assert_eq!(fixture.ask(GET).await, (502, "no instance can be reached\n".to_owned()));
    assert_eq!(green.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_cannot_be_answered_says_why_and_is_counted() {
    let fixture = Fixture::new(Vec::new(), None).await;
    assert_eq!(fixture.ask(GET).await, (503, "no instance is ready\n".to_owned()));
    assert_eq!(requests_and_errors(&fixture.unserved.view()), (1, 1));
    let hanging = instance(Script::Hangs).await;
    fixture.proxy.replace_table(table(vec![Arc::clone(&hanging.upstream)], None, &fixture.unserved));
    assert_eq!(fixture.ask(GET).await, (504, "the instance did not answer in time\n".to_owned()));
    assert_eq!(requests_and_errors(&hanging.upstream.counters.view()), (1, 1));
    fixture.proxy.replace_table(Table::empty());
    assert_eq!(fixture.ask(GET).await, (503, "nothing is deployed here yet\n".to_owned()));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let blue = instance(Script::BreaksOff("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")).await;
    let fixture = Fixture::new(vec![Arc::clone(&blue.upstream)], None).await;
    let mut connection = fixture.connect().await;
    connection.write_all(GET.as_bytes()).await.expect("the proxy reads");
    assert_eq!(read_message(&mut connection).await, None, "never whole");
    assert_eq!(requests_and_errors(&blue.upstream.counters.view()), (1, 1));
}

#[tokio::test]
async fn a_status_of_500_and_above_is_an_error_and_passes_through() {
    let blue = instance(Script::Answers("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")).await;
    let fixture = Fixture::new(vec![Arc::clone(&blue.upstream)], None).await;
    assert_eq!(fixture.ask(GET).await, (500, String::new()));
    assert_eq!(requests_and_errors(&blue.upstream.counters.view()), (1, 1));
}

#[tokio::test]
async fn a_client_that_goes_away_lets_the_instance_go() {
    let blue = instance(Script::Answers("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegin")).await;
    let fixture = Fixture::new(vec![Arc::clone(&blue.upstream)], None).await;
    let mut connection = fixture.connect().await;
    connection.write_all(GET.as_bytes()).await.expect("the proxy reads");
    let mut begin = [0; 16];
    connection.read_exact(&mut begin).await.expect("the beginning of an answer");
    assert_eq!(blue.upstream.in_flight(), 1);
    drop(connection);
    blue.upstream.drain().await;
    assert_eq!(requests_and_errors(&blue.upstream.counters.view()), (1, 0));
}

#[tokio::test]
async fn a_request_that_met_a_drain_follows_the_next_table() {
    let (old, new) = (instance(Script::Answers(OK)).await, instance(Script::Answers(OK)).await);
    let fixture = Fixture::new(vec![Arc::clone(&old.upstream)], None).await;
    old.upstream.drain().await;
    let mut connection = fixture.connect().await;
    connection.write_all(GET.as_bytes()).await.expect("the proxy reads");
    tokio::task::yield_now().await;
    fixture.proxy.replace_table(table(vec![Arc::clone(&new.upstream)], None, &fixture.unserved));
    assert_eq!(parse(&read_message(&mut connection).await.expect("an answer")).0, 200);
    assert_eq!(requests_and_errors(&new.upstream.counters.view()), (1, 0));
    assert_eq!(requests_and_errors(&fixture.unserved.view()), (0, 0));
}

#[tokio::test]
async fn the_head_of_an_answer_to_head_stays_as_it_is() {
    let blue =
        instance(Script::Answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-size: 12345\r\n\r\n")).await;
    let fixture = Fixture::new(vec![Arc::clone(&blue.upstream)], None).await;
    let mut connection = fixture.connect().await;
    assert_eq!(ask(&mut connection, "HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n").await.0, 200);
    assert_eq!(ask(&mut connection, "HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n").await.0, 200);
    assert_eq!(blue.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_length_announced_to_head_is_passed_on() {
    let blue = instance(Script::Answers("HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n")).await;
    let fixture = Fixture::new(vec![blue.upstream], None).await;
    let mut connection = fixture.connect().await;
    connection.write_all(b"HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n").await.expect("the proxy reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert_ne!(connection.read_buf(&mut answer).await.expect("readable"), 0, "cut short");
    }
    assert!(String::from_utf8_lossy(&answer).contains("content-length: 12345\r\n"), "{answer:?}");
}

#[tokio::test]
async fn expectations_are_answered_here_and_bodies_are_streamed() {
    let blue = instance(Script::Echoes).await;
    let fixture = Fixture::new(vec![blue.upstream], None).await;
    let mut connection = fixture.connect().await;
    let head =
        "PUT /a?b HTTP/1.1\r\nhost: shop\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.write_all(head.as_bytes()).await.expect("the proxy reads");
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).await.expect("an interim answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let (status, echoed) = ask(&mut connection, "4\r\nbody\r\n0\r\n\r\n").await;
    assert_eq!(status, 200);
    let echoed = echoed.to_ascii_lowercase();
    assert!(echoed.starts_with("put /a?b http/1.1\r\n"), "{echoed}");
    assert!(echoed.contains("transfer-encoding: chunked\r\n") && !echoed.contains("expect"), "{echoed}");
    assert!(echoed.contains("x-forwarded-for: 127.0.0.1\r\n"), "{echoed}");
    assert!(echoed.ends_with("4\r\nbody\r\n0\r\n\r\n"), "{echoed}");
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served_and_let_go() {
    let blue = instance(Script::Echoes).await;
    let fixture = Fixture::new(vec![blue.upstream], None).await;
    let mut connection = fixture.connect().await;
    connection.write_all(b"GET /old HTTP/1.0\r\n\r\n").await.expect("the proxy reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("closed after the answer");
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.contains("GET /old HTTP/1.1\r\n") && answer.contains("host: localhost\r\n"), "{answer}");
}

#[tokio::test]
async fn a_refused_protocol_switch_leaves_the_connection_usable() {
    let blue =
        instance(Script::Answers("HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok"))
            .await;
    let fixture = Fixture::new(vec![blue.upstream], None).await;
    let mut connection = fixture.connect().await;
    let upgrade = "GET / HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(
        ask(&mut connection, upgrade).await,
        (501, "this proxy does not switch protocols\n".to_owned())
    );
    connection.write_all(GET.as_bytes()).await.expect("the proxy reads");
    let answer = read_message(&mut connection).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("keep-alive"), "{answer}");
}
