//! The cluster as a test sees it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotfix_core::model::ImageReference;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::{Client, Config};
use tokio::sync::OnceCell;

use super::access;
use super::argo_rollouts::ArgoRollouts;
use super::audit::{self, AuditEvent};
use super::behaviour::Behaviour;
use super::control_plane::{self, ControlPlane};
use super::definitions;
use super::grant::Grant;
use super::image::Registry;
use super::kubeconfig;
use super::namespace::TestNamespace;
use super::node::{Agent, NodeOptions};
#[cfg(feature = "monitoring")]
use super::scrape::PodScrape;
use super::suite_images::{self, SuiteImages};
use super::worker::Worker;
use crate::environment;
#[cfg(feature = "monitoring")]
use crate::monitoring::RealPrometheus;
use crate::proxy::FaultProxy;

/// Names a kubeconfig file that leads to a cluster to use instead of starting one.
const EXISTING: &str = "HOTFIX_TEST_KUBECONFIG";

/// The program that runs in pods.
const POD: &str = "hotfix-test-pod";

const MISSING_POD: &str = "no program hotfix-test-pod beside the running one or in PATH: \
    `cargo build -p hotfix-testkit --features cluster --bin hotfix-test-pod` makes it in a checkout, \
    `cargo install hotfix-testkit --features cluster` anywhere else";

/// A Kubernetes cluster for tests. Dropping it kills every process of it and removes what it stored; so does the end of
/// the process that started it, even by SIGKILL.
#[derive(Debug)]
pub struct TestCluster {
    config: Config,
    kubeconfig: PathBuf,
    worker: Worker,
    own: Option<Own>,
}

/// What there is of a cluster that was started here.
#[derive(Debug)]
struct Own {
    plane: ControlPlane,
    registry: Arc<Registry>,
    pod_program: Option<PathBuf>,
}

impl TestCluster {
    /// Starts a cluster with one node, or turns to the one that `HOTFIX_TEST_KUBECONFIG` names.
    ///
    /// # Errors
    /// `NotFound` with a [`MissingTools`](super::MissingTools) inside that says how to get what is missing; otherwise
    /// what the process that did not start said.
    pub async fn start() -> io::Result<Self> {
        match environment::place(EXISTING) {
            Some(kubeconfig) => Self::existing(&kubeconfig).await,
            None => Self::start_with(NodeOptions::default()).await,
        }
    }

    /// Starts a cluster with such nodes.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(nodes: NodeOptions) -> io::Result<Self> {
        let plane = ControlPlane::start().await?;
        let found = || environment::sibling(POD).or_else(|| Some(environment::program(&[POD])?.1));
        let pod_program = nodes.program.clone().or_else(found);
        let registry = Arc::new(Registry::default());
        let worker = Worker::start()?;
        let node_config = control_plane::load(&plane.node_kubeconfig()).await?;
        let client = {
            let _the_runtime_of_its_connections = worker.handle().enter();
            Client::try_from(node_config).map_err(io::Error::other)?
        };
        let agent = Arc::new(Agent::new(client, nodes, Arc::clone(&registry), pod_program.clone()));
        let registered = Arc::clone(&agent);
        let registered = worker.handle().spawn(async move { registered.register().await });
        registered.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
        worker.handle().spawn(agent.work());
        let kubeconfig = plane.kubeconfig();
        let config = control_plane::load(&kubeconfig).await?;
        Ok(Self { config, kubeconfig, worker, own: Some(Own { plane, registry, pod_program }) })
    }

    /// Uses a cluster that is there, with the nodes that it has. Its user must be an administrator.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub async fn existing(kubeconfig: &Path) -> io::Result<Self> {
        let config = control_plane::load(kubeconfig).await?;
        Ok(Self { config, kubeconfig: kubeconfig.to_owned(), worker: Worker::start()?, own: None })
    }

    /// Returns the one cluster that all tests of a process share; the first to ask starts it. It ends with the process.
    ///
    /// # Errors
    /// As [`start`](Self::start). Whoever asks next tries again.
    pub async fn shared() -> io::Result<&'static Self> {
        static SHARED: OnceCell<TestCluster> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
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

    /// Writes a configuration as a kubeconfig file, which other processes can be given: that of a [`user`](Self::user),
    /// also with the way led [`through`](FaultProxy::through) a proxy. The file holds what proves who the user is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, config: &Config, file: &Path) -> io::Result<()> {
        kubeconfig::write(config, &self.kubeconfig, file)
    }

    /// Makes a namespace whose name begins with the prefix and differs from all others.
    ///
    /// # Errors
    /// When the server refuses, or its log cannot be read.
    pub async fn namespace(&self, prefix: &str) -> io::Result<TestNamespace> {
        let worker = self.worker.handle().clone();
        let log_begins = self.own.as_ref().map_or(Ok(0), |own| audit::length(&own.plane.audit_log()))?;
        TestNamespace::create(prefix, log_begins, self.config(), worker).await.map_err(io::Error::other)
    }

    /// Makes a user who may do what the rules say in the namespace, and nothing else anywhere, and returns what leads
    /// that user to the cluster. It is a service account with a Role of the same name.
    ///
    /// # Errors
    /// When the server refuses, as for a name that is taken.
    pub async fn user(&self, namespace: &str, name: &str, rules: &[PolicyRule]) -> io::Result<Config> {
        access::create(&self.config, namespace, name, rules).await.map_err(io::Error::other)
    }

    /// Lets a user of the namespace do more than its own Role says, until that is revoked: what somebody takes on for one
    /// deed, and gives back. Returns when the server allows it.
    ///
    /// # Errors
    /// When the server refuses, as while a grant of the same name is not revoked; `TimedOut` when it does not come to
    /// allow it.
    pub async fn grant(
        &self,
        namespace: &str,
        user: &str,
        name: &str,
        rules: &[PolicyRule],
    ) -> io::Result<Grant> {
        Grant::make(self.client()?, namespace, user, name, rules).await
    }

    /// Pushes an image, named with its version as in `demo/shop:1.4.2`, whose service behaves like that wherever a pod
    /// runs it, and returns it by digest. Images that nobody pushed cannot be pulled.
    ///
    /// # Errors
    /// `Unsupported` for an existing cluster, which has a registry of its own. `InvalidInput` when the tag is missing.
    /// `NotFound` when there is no program to run; the message says how to get it.
    pub fn image(&self, tagged: &str, behaviour: &Behaviour) -> io::Result<ImageReference> {
        let own = self.own()?;
        if own.pod_program.is_none() {
            return Err(io::Error::new(io::ErrorKind::NotFound, MISSING_POD));
        }
        own.registry.push(tagged, behaviour)
    }

    /// Returns images for a suite that runs on this cluster or any other: those that the file names that the variable
    /// `HOTFIX_TEST_IMAGES` names, and images of our own where it was started here.
    ///
    /// # Errors
    /// `NotFound` when an existing cluster is used and nothing is named, `InvalidInput` when the file cannot be used;
    /// otherwise as [`image`](Self::image).
    pub fn suite_images(&self) -> io::Result<SuiteImages> {
        if !self.is_own() {
            return suite_images::named_by_the_environment();
        }
        let part = |name: &str| self.image(&format!("suite/{name}:1.0.0"), &Behaviour::default());
        Ok(SuiteImages { live: part("live")?, next: part("next")?, never_ready: part("never-ready")? })
    }

    /// Returns whether it was started here, so that whatever is done to it concerns nobody else.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Starts a proxy in front of the API server that disturbs what a test wants to see disturbed. It lives in the
    /// runtime that this is called in.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn proxy(&self) -> io::Result<FaultProxy> {
        FaultProxy::start(&self.config).await
    }

    /// Lets a real Prometheus scrape the pods of the namespace at `/metrics`, with the labels `namespace`, `pod` and those
    /// of the pod, until what is returned is dropped. A new pod is scraped within five seconds. One Prometheus can scrape
    /// the pods of any number of namespaces.
    #[cfg(feature = "monitoring")]
    #[must_use = "it ends when this is dropped"]
    pub fn scrape_pods(&self, namespace: &str, prometheus: &RealPrometheus) -> PodScrape {
        let discovered = prometheus.discovered(namespace);
        PodScrape::start(self.config(), namespace.to_owned(), discovered, self.worker.handle())
    }

    /// Installs the kinds of Istio that route traffic: VirtualService and DestinationRule. Again is harmless.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn install_istio(&self) -> io::Result<()> {
        definitions::install(&self.client()?, definitions::ISTIO).await
    }

    /// Installs the kinds of the Gateway API: GatewayClass, Gateway, HTTPRoute and ReferenceGrant. Again is harmless.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn install_gateway_api(&self) -> io::Result<()> {
        definitions::install(&self.client()?, definitions::GATEWAY_API).await
    }

    /// Installs the kind of Traefik that splits traffic, TraefikService, without its schema. Again is harmless.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn install_traefik(&self) -> io::Result<()> {
        definitions::install(&self.client()?, definitions::TRAEFIK).await
    }

    /// Starts the controller of Argo Rollouts, to measure beside it. The first time builds it, which takes Go and some
    /// minutes.
    ///
    /// # Errors
    /// When it cannot be built, or the server refuses its kinds.
    pub async fn argo_rollouts(&self) -> io::Result<ArgoRollouts> {
        ArgoRollouts::start(&self.client()?, &self.kubeconfig).await
    }

    /// Installs the kinds that GitOps controllers apply from: Application of Argo CD, Kustomization and HelmRelease of Flux.
    /// They have no schema, and nobody acts on them. Again is harmless.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn install_gitops(&self) -> io::Result<()> {
        definitions::install(&self.client()?, definitions::GITOPS).await
    }

    /// Returns every request that the API server answered so far, in the order of the answers. What was sent is there for
    /// all that change something; how it is written down is the server's own format.
    ///
    /// # Errors
    /// `Unsupported` for an existing cluster, whose log is out of reach.
    pub fn audit_log(&self) -> io::Result<Vec<AuditEvent>> {
        audit::read(&self.own()?.plane.audit_log())
    }

    /// Returns of [`audit_log`](Self::audit_log) what is about objects of a namespace. However long the cluster has been
    /// there, only what was put down since the namespace was made is read.
    ///
    /// # Errors
    /// As [`audit_log`](Self::audit_log).
    pub fn audit_log_of(&self, namespace: &TestNamespace) -> io::Result<Vec<AuditEvent>> {
        audit::read_about(&self.own()?.plane.audit_log(), namespace.log_begins, namespace.name())
    }

    fn own(&self) -> io::Result<&Own> {
        let not_ours = || io::Error::new(io::ErrorKind::Unsupported, "the cluster was not started here");
        self.own.as_ref().ok_or_else(not_ours)
    }
}
