//! etcd, the API server and the controllers as processes of their own.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

use super::binaries::{self, Tool};
use super::chance;
use crate::program::{Program, eventually};

/// How often a start is tried when somebody else took the port meanwhile.
const TRIES: usize = 3;

/// Everything that is asked is put down with what was sent, so that a test can say who wrote what and when.
const AUDIT_POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
  "rules": [
    {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}], "users": ["kube-controller-manager"]},
    {"level": "Metadata", "verbs": ["get", "list", "watch"]},
    {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]},
    {"level": "Request"}
  ]
}"#;

/// Controllers that need more of a cluster than there is here.
const CONTROLLERS: &str =
    "*,-node-lifecycle-controller,-certificatesigningrequest-signing-controller,-ttl-controller";

/// A running control plane. Dropping it kills it and removes what it stored.
#[derive(Debug)]
pub(super) struct ControlPlane {
    // They are killed in this order: a server that lost its etcd would keep its port for minutes.
    _controllers: Program,
    server: Program,
    _etcd: Program,
}

/// Who may do everything, by name.
#[derive(Debug, Clone, Copy)]
enum Administrator {
    Tester,
    Controllers,
    Node,
}

impl Administrator {
    const ALL: [Self; 3] = [Self::Tester, Self::Controllers, Self::Node];

    const fn name(self) -> &'static str {
        match self {
            Self::Tester => "tester",
            Self::Controllers => "kube-controller-manager",
            Self::Node => "node-agent",
        }
    }

    fn kubeconfig(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.kubeconfig", self.name()))
    }
}

impl ControlPlane {
    pub(super) async fn start() -> io::Result<Self> {
        binaries::check()?;
        let mut tried = Self::start_once().await;
        for _ in 1..TRIES {
            if !matches!(&tried, Err(error) if error.kind() == io::ErrorKind::AddrInUse) {
                break;
            }
            tried = Self::start_once().await;
        }
        tried
    }

    async fn start_once() -> io::Result<Self> {
        let etcd = start_etcd()?;
        let store = store_url(&etcd).await?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let server = start_server(&store, port)?;
        let certificate = server.folder().join("certs/apiserver.crt");
        eventually("the API server has a certificate", || async { certificate.metadata().ok() }).await?;
        let client = ready_client(&server).await?;
        // They would give up on a server that takes long, and look after it once a second only.
        let controllers = start_controllers(&Administrator::Controllers.kubeconfig(server.folder()))?;
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        eventually("the controllers made the first account", || async {
            client.request_text(request(account)).await.ok()
        })
        .await
        .map_err(|error| {
            io::Error::new(error.kind(), format!("{error}; their log: {}", controllers.log()))
        })?;
        Ok(Self { _controllers: controllers, server, _etcd: etcd })
    }

    /// Returns the file that leads an administrator to the server.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        Administrator::Tester.kubeconfig(self.server.folder())
    }

    /// Returns the same for the nodes.
    pub(super) fn node_kubeconfig(&self) -> PathBuf {
        Administrator::Node.kubeconfig(self.server.folder())
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.server.folder().join("audit.log")
    }
}

/// Waits until the server is ready, and returns a client of it.
async fn ready_client(server: &Program) -> io::Result<Client> {
    let client = frank_client(load(&Administrator::Tester.kubeconfig(server.folder())).await?)?;
    eventually("the API server says that it is ready", || async {
        let is_ready = client.request_text(request("/readyz")).await.is_ok();
        if is_ready { Some(Ok(())) } else { given_up(&server.log()).map(Err) }
    })
    .await
    .map_err(|error| io::Error::new(error.kind(), format!("{error}; its log: {}", server.log())))??;
    Ok(client)
}

/// Makes a client that passes every answer on. By itself it would repeat what a server that is not ready yet answers with
/// 429 or 503, and pause twice as long each time: a server that is slow to start is then asked too seldom to be noticed.
fn frank_client(mut config: Config) -> io::Result<Client> {
    config.default_retry = false;
    Client::try_from(config).map_err(io::Error::other)
}

/// Reads in the log of a server that it will not be ready, and why.
fn given_up(log: &str) -> Option<io::Error> {
    if log.contains("address already in use") {
        return Some(io::Error::new(io::ErrorKind::AddrInUse, "somebody took the port of the API server"));
    }
    log.contains("command failed")
        .then(|| io::Error::other(format!("the API server gave up; its log: {log}")))
}

/// Reads what leads to a server.
pub(super) async fn load(kubeconfig: &Path) -> io::Result<Config> {
    let file = Kubeconfig::read_from(kubeconfig).map_err(io::Error::other)?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(file, &options).await.map_err(io::Error::other)
}

fn request(path: &str) -> http::Request<Vec<u8>> {
    http::Request::get(path).body(Vec::new()).expect("the path is a constant")
}

fn start_etcd() -> io::Result<Program> {
    Program::start(
        binaries::locate(Tool::Etcd)?,
        |_| Ok(()),
        |folder| {
            let chosen_by_the_system = "http://127.0.0.1:0";
            vec![
                format!("--data-dir={}", folder.join("data").display()),
                format!("--listen-client-urls={chosen_by_the_system}"),
                format!("--advertise-client-urls={chosen_by_the_system}"),
                format!("--listen-peer-urls={chosen_by_the_system}"),
                "--unsafe-no-fsync".to_owned(),
                // It has nobody to agree with, and need not wait long to find that out.
                "--heartbeat-interval=10".to_owned(),
                "--election-timeout=50".to_owned(),
            ]
        },
    )
}

async fn store_url(etcd: &Program) -> io::Result<String> {
    eventually("etcd listens", || async {
        let log = etcd.log();
        let line = log.lines().find(|line| line.contains("serving client traffic"))?;
        let (_, behind) = line.split_once("\"address\":\"")?;
        Some(format!("http://{}", behind.split_once('"')?.0))
    })
    .await
    .map_err(|error| io::Error::other(format!("{error}; its log: {}", etcd.log())))
}

fn start_server(store: &str, port: u16) -> io::Result<Program> {
    Program::start(
        binaries::locate(Tool::ApiServer)?,
        |folder| prepare_server(folder, port),
        |folder| {
            let at = |name: &str| folder.join(name).display().to_string();
            vec![
                format!("--etcd-servers={store}"),
                "--bind-address=127.0.0.1".to_owned(),
                // Otherwise it looks for an address by which others reach this machine, and there may be none.
                "--advertise-address=127.0.0.1".to_owned(),
                "--endpoint-reconciler-type=none".to_owned(),
                format!("--secure-port={port}"),
                format!("--cert-dir={}", at("certs")),
                format!("--service-account-key-file={}", at("accounts.pub")),
                format!("--service-account-signing-key-file={}", at("accounts.key")),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!("--token-auth-file={}", at("tokens.csv")),
                "--authorization-mode=RBAC".to_owned(),
                "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
                "--disable-admission-plugins=ServiceAccount".to_owned(),
                format!("--audit-policy-file={}", at("audit.json")),
                format!("--audit-log-path={}", at("audit.log")),
                // It is read as one file, and gone with the cluster.
                "--audit-log-maxsize=0".to_owned(),
            ]
        },
    )
}

fn prepare_server(folder: &Path, port: u16) -> io::Result<()> {
    let key = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    fs::write(folder.join("accounts.key"), key.serialize_pem())?;
    fs::write(folder.join("accounts.pub"), key.public_key_pem())?;
    fs::write(folder.join("audit.json"), AUDIT_POLICY)?;
    let mut tokens = String::new();
    for who in Administrator::ALL {
        let (name, token) = (who.name(), chance::word());
        tokens.push_str(&format!("{token},{name},{name},system:masters\n"));
        fs::write(who.kubeconfig(folder), kubeconfig(folder, port, name, &token).to_string())?;
    }
    fs::write(folder.join("tokens.csv"), tokens)
}

/// Writes the configuration as JSON, which YAML takes.
fn kubeconfig(folder: &Path, port: u16, user: &str, token: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": folder.join("certs/apiserver.crt"),
        }}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": "default"}}],
        "current-context": "test",
    })
}

fn start_controllers(kubeconfig: &Path) -> io::Result<Program> {
    let key = kubeconfig.with_file_name("accounts.key");
    Program::start(
        binaries::locate(Tool::ControllerManager)?,
        |_| Ok(()),
        |_| {
            vec![
                format!("--kubeconfig={}", kubeconfig.display()),
                format!("--service-account-private-key-file={}", key.display()),
                "--bind-address=127.0.0.1".to_owned(),
                "--secure-port=0".to_owned(),
                format!("--controllers={CONTROLLERS}"),
                "--leader-elect=false".to_owned(),
                // Otherwise each of them writes 20 times a second at the most, and many workloads wait for one another.
                "--kube-api-qps=1000".to_owned(),
                "--kube-api-burst=1000".to_owned(),
            ]
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Answer, ScriptedServer};

    #[tokio::test]
    async fn a_server_that_is_not_ready_is_asked_once_at_a_time() {
        let server = ScriptedServer::start().await;
        server.otherwise(Answer::json(503, &json!({"kind": "Status", "code": 503})));
        let client = frank_client(Config::new(server.url("").parse().unwrap())).unwrap();
        let refused = client.request_text(request("/readyz")).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 503), "{refused}");
        assert_eq!(server.requests().len(), 1);
    }
}
