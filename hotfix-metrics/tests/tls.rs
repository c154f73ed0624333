//! Certificates: trusted, expired, of strangers, and shown in turn. Seen by probes and by the Prometheus client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hotfix_core::ErrorKind;
use hotfix_core::memory::ManualClock;
use hotfix_core::port::Clock;
use hotfix_http::{HttpConfig, TlsConfig};
use hotfix_metrics::{
    Ask, Endpoint, Health, Probe, ProbeConfig, ProbeFailureKind, Prometheus, PrometheusConfig,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::probes::{config, failure, look};

/// An authority and the files that trust it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn trusted(&self) -> TlsConfig {
        TlsConfig { ca_file: Some(self.file("ca.pem")), ..TlsConfig::default() }
    }

    /// Trusts the authority and shows a certificate of it.
    fn known(&self) -> TlsConfig {
        let (certificate, key) = self.issue("client", 2100);
        std::fs::write(self.file("client.pem"), certificate.pem()).unwrap();
        std::fs::write(self.file("client.key"), key.serialize_pem()).unwrap();
        TlsConfig {
            certificate: Some(self.file("client.pem")),
            key: Some(hotfix_http::SecretSource::File(self.file("client.key"))),
            ..self.trusted()
        }
    }

    fn issue(&self, name: &str, until: i32) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Serves 200 to every request, as `shop.test`.
    async fn serve(&self, until: i32, clients: Clients) -> SocketAddr {
        let (certificate, key) = self.issue("shop.test", until);
        let builder = ServerConfig::builder();
        let builder = match clients {
            Clients::Anybody => builder.with_no_client_auth(),
            Clients::Known => {
                let mut roots = RootCertStore::empty();
                roots.add(self.issuer.der().clone()).unwrap();
                builder.with_client_cert_verifier(
                    WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap(),
                )
            }
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let acceptor = TlsAcceptor::from(Arc::new(
            builder.with_single_cert(vec![certificate.der().clone()], key).unwrap(),
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(socket).await else {
                    continue;
                };
                let (mut request, answer) = ([0; 4096], r#"{"status":"success","data":{"result":[]}}"#);
                if stream.read(&mut request).await.is_ok() {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        answer.len()
                    );
                    let _sent = stream.write_all(format!("{head}{answer}").as_bytes()).await;
                    let _closed = stream.shutdown().await;
                }
            }
        });
        address
    }
}

#[derive(Clone, Copy)]
enum Clients {
    Anybody,
    Known,
}

fn probe(address: SocketAddr, tls: TlsConfig) -> ProbeConfig {
    let at = format!("https://shop.test:{}/healthz", address.port());
    let endpoints = vec![Endpoint { at, instance: Some(address) }];
    ProbeConfig { endpoints, tls, ..config("", Ask::default()) }
}

#[tokio::test]
async fn an_instance_is_asked_under_the_name_of_the_service() {
    let authority = Authority::new();
    let address = authority.serve(2100, Clients::Anybody).await;
    let evidence = look(&probe(address, authority.trusted())).await;
    assert_eq!(evidence.health(), Health::Healthy, "{evidence:?}");
}

#[tokio::test]
async fn an_expired_certificate_is_told_from_one_of_a_stranger() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let address = authority.serve(2021, Clients::Anybody).await;
    let expired = failure(&probe(address, authority.trusted())).await;
    assert_eq!(expired.kind, ProbeFailureKind::CertificateExpired, "{expired:?}");
    let address = authority.serve(2100, Clients::Anybody).await;
    for tls in [stranger.trusted(), TlsConfig::default()] {
        let unknown = failure(&probe(address, tls)).await;
        assert_eq!(unknown.kind, ProbeFailureKind::CertificateInvalid, "{unknown:?}");
    }
}

#[tokio::test]
async fn who_must_show_a_certificate_does() {
    let authority = Authority::new();
    let address = authority.serve(2100, Clients::Known).await;
    let evidence = look(&probe(address, authority.known())).await;
    assert_eq!(evidence.health(), Health::Healthy, "{evidence:?}");
    assert_eq!(failure(&probe(address, authority.trusted())).await.kind, ProbeFailureKind::Connection);
}

#[tokio::test]
async fn prometheus_is_reached_by_tls_as_well() {
    let (authority, clock) = (Authority::new(), ManualClock::default());
    let now = clock.now();
    let address = authority.serve(2021, Clients::Anybody).await;
    let http = HttpConfig { tls: authority.trusted(), ..HttpConfig::default() };
    let config = PrometheusConfig {
        url: format!("https://localhost:{}", address.port()),
        http,
        ..PrometheusConfig::default()
    };
    let error = Prometheus::new(&config, Arc::new(clock)).unwrap().query("up", now).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, hotfix_core::RetryClass::Never),
        "{error}"
    );
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn nothing_of_a_key_is_shown() {
    let authority = Authority::new();
    let config = probe("127.0.0.1:1".parse().unwrap(), authority.known());
    let probe = Probe::new(&config, Arc::new(ManualClock::default())).unwrap();
    assert!(!format!("{config:?} {probe:?}").contains("PRIVATE"));
}
