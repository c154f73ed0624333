//! One health probe: a GET on a connection of its own, and how to read the answer.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Asks for `path`; the error says in a few words why the instance is not ready.
pub(crate) async fn probe(address: SocketAddr, path: &str, limit: Duration) -> Result<(), String> {
    match timeout(limit, status_of(address, path)).await {
        Ok(Ok(status @ 200..=399)) => {
            tracing::trace!(%address, status, "ready");
            Ok(())
        }
        Ok(Ok(status)) => Err(format!("GET {path} answered {status}")),
        Ok(Err(reason)) => Err(format!("GET {path} failed: {reason}")),
        Err(_) => Err(format!("GET {path} took longer than {} ms", limit.as_millis())),
    }
}

async fn status_of(address: SocketAddr, path: &str) -> Result<u16, String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nuser-agent: hotfix-local\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    // `HTTP/1.1 200`: the rest does not matter.
    let mut head = [0_u8; 12];
    stream
        .read_exact(&mut head)
        .await
        .map_err(|_| "it closed the connection without an answer".to_owned())?;
    status_in(&head).ok_or_else(|| "it does not speak HTTP/1".to_owned())
}

fn status_in(head: &[u8; 12]) -> Option<u16> {
    let status = std::str::from_utf8(head).ok()?.strip_prefix("HTTP/1.")?.get(2..)?;
    status.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_the_first_bytes() {
        assert_eq!(status_in(b"HTTP/1.1 200"), Some(200));
        assert_eq!(status_in(b"HTTP/1.0 503"), Some(503));
        assert_eq!(status_in(b"SSH-2.0-Open"), None);
        assert_eq!(status_in(b"HTTP/1.1 2xx"), None);
    }

    #[tokio::test]
    async fn nobody_there_is_said_so() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let reason = probe(address, "/up", Duration::from_secs(5)).await.expect_err("refused");
        assert!(reason.starts_with("GET /up failed: "), "{reason}");
    }
}
