//! The cluster as a test sees it.

use std::io;
use std::path::{Path, PathBuf};

use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::{Client, Config};
use tokio::sync::OnceCell;

use super::access;
use super::audit::{self, AuditEvent};
use super::control_plane::{self, ControlPlane};
use super::namespace::TestNamespace;
use super::worker::Worker;
use crate::environment;

/// Names a kubeconfig file that leads to a cluster to use instead of starting one.
const EXISTING: &str = "HOTFIX_TEST_KUBECONFIG";

/// A Kubernetes cluster for tests. Dropping it kills every process of it and removes what it stored; so does the end of
/// the process that started it, even by SIGKILL.
#[derive(Debug)]
pub struct TestCluster {
    config: Config,
    kubeconfig: PathBuf,
    worker: Worker,
    plane: Option<ControlPlane>,
}

impl TestCluster {
    /// Starts a cluster, or turns to the one that `HOTFIX_TEST_KUBECONFIG` names.
    ///
    /// # Errors
    /// `NotFound` with a [`MissingTools`](super::MissingTools) inside that says how to get what is missing; otherwise
    /// what the process that did not start said.
    pub async fn start() -> io::Result<Self> {
        if let Some(kubeconfig) = environment::place(EXISTING) {
            return Self::existing(&kubeconfig).await;
        }
        let plane = ControlPlane::start().await?;
        Self::at(plane.kubeconfig(), Some(plane)).await
    }

    /// Uses a cluster that is there. Its user must be an administrator.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub async fn existing(kubeconfig: &Path) -> io::Result<Self> {
        Self::at(kubeconfig.to_owned(), None).await
    }

    /// Returns the one cluster that all tests of a process share; the first to ask starts it. It ends with the process.
    ///
    /// # Errors
    /// As [`start`](Self::start). Whoever asks next tries again.
    pub async fn shared() -> io::Result<&'static Self> {
        static SHARED: OnceCell<TestCluster> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    async fn at(kubeconfig: PathBuf, plane: Option<ControlPlane>) -> io::Result<Self> {
        let config = control_plane::load(&kubeconfig).await?;
        Ok(Self { config, kubeconfig, worker: Worker::start()?, plane })
    }

    /// Returns a client of an administrator. Its connections belong to the runtime that this is called in, so every test
    /// needs one of its own.
    ///
    /// # Errors
    /// When the configuration of an existing cluster cannot be used.
    pub fn client(&self) -> io::Result<Client> {
        Client::try_from(self.config.clone()).map_err(io::Error::other)
    }

    /// Returns what leads an administrator to the cluster.
    #[must_use]
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// Returns the same as a file, for programs such as kubectl.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Makes a namespace whose name begins with the prefix and differs from all others.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn namespace(&self, prefix: &str) -> io::Result<TestNamespace> {
        let worker = self.worker.handle().clone();
        TestNamespace::create(prefix, self.config(), worker).await.map_err(io::Error::other)
    }

    /// Makes a user who may do what the rules say in the namespace, and nothing else anywhere, and returns what leads
    /// that user to the cluster. It is a service account with a Role of the same name.
    ///
    /// # Errors
    /// When the server refuses, as for a name that is taken.
    pub async fn user(&self, namespace: &str, name: &str, rules: &[PolicyRule]) -> io::Result<Config> {
        access::create(&self.config, namespace, name, rules).await.map_err(io::Error::other)
    }

    /// Returns every request that the API server answered so far, in the order of the answers. What was sent is there for
    /// all that change something; how it is written down is the server's own format.
    ///
    /// # Errors
    /// `Unsupported` for an existing cluster, whose log is out of reach.
    pub fn audit_log(&self) -> io::Result<Vec<AuditEvent>> {
        let out_of_reach = || io::Error::new(io::ErrorKind::Unsupported, "the cluster was not started here");
        audit::read(&self.plane.as_ref().ok_or_else(out_of_reach)?.audit_log())
    }
}
