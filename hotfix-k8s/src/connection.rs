//! The connections to the API server: kube's own, but for a socket that sends at once.
//!
//! kube leaves Nagle's algorithm on. The first request of a connection then waits until the server acknowledges the end
//! of the TLS handshake, which it does a twenty-fifth of a second later because it has nothing to say. That is several
//! times what an undo takes, and it needs a new connection whenever others are busy or were just given up.

use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use tower::{BoxError, ServiceBuilder};

/// Builds the client. Nothing is sent yet. Of a way through a proxy kube knows more, so that is left to it.
pub(crate) fn connect(config: kube::Config) -> Result<Client, kube::Error> {
    if config.proxy_url.is_some() {
        return Client::try_from(config);
    }
    if CryptoProvider::get_default().is_none() {
        // It fails only if somebody else has chosen in between.
        let _chosen = aws_lc_rs::default_provider().install_default();
    }
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(socket())?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}

fn socket() -> HttpConnector {
    let mut socket = HttpConnector::new();
    // TLS is the business of whoever wraps it.
    socket.enforce_http(false);
    socket.set_nodelay(true);
    socket
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn nothing_waits_for_an_acknowledgement() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("https://{}", server.local_addr().unwrap());
        let stream = socket().oneshot(server.parse().unwrap()).await.unwrap();
        assert!(stream.inner().nodelay().unwrap());
    }
}
