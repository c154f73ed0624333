//! A real Kubernetes cluster for tests: etcd, the API server and the controllers as processes of their own, ready in
//! about three seconds, and gone when the test is, however it ends.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use hotfix_testkit::cluster::TestCluster;
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::Api;
//!
//! let cluster = TestCluster::shared().await?;
//! let namespace = cluster.namespace("shop").await?;
//! let maps: Api<ConfigMap> = Api::namespaced(cluster.client()?, &namespace);
//! # let _ = maps;
//! # Ok(())
//! # }
//! ```
//!
//! Its nodes bind pods and run each as a process on an address of its own ([`reach`]): a service that behaves as its image
//! was pushed to behave ([`TestCluster::image`], [`Behaviour`]) and that a test can talk to past every route ([`DemoPod`]).
//! They write the status of a pod as a kubelet would: probes, gates, back-off, and the reasons by which one fails.
//! A [`FaultProxy`] stands between a test's subject and the API server where requests are to be lost, held or repeated.
//!
//! The programs come from the folder that `KUBEBUILDER_ASSETS` names, or from a cache that `hotfix-test-cluster build`
//! fills once ([`build`]). With `HOTFIX_TEST_KUBECONFIG` set to a kubeconfig file, [`TestCluster::start`] starts nothing
//! and uses that cluster, whose user must be an administrator. Its nodes run what `HOTFIX_TEST_IMAGES` names
//! ([`TestCluster::suite_images`]).

mod access;
mod argo_rollouts;
mod audit;
mod behaviour;
mod binaries;
mod build;
mod chance;
mod clock;
mod control_plane;
mod definitions;
mod gateway;
mod grant;
mod image;
mod kubeconfig;
mod load;
mod namespace;
mod network;
mod node;
mod pod;
mod proxy;
mod readiness_gate;
#[cfg(feature = "monitoring")]
mod scrape;
mod suite_images;
mod test_cluster;
mod worker;

pub use crate::proxy::{Disturbance, FaultProxy, Happened};
pub use argo_rollouts::ArgoRollouts;
pub use audit::AuditEvent;
pub use behaviour::{Behaviour, End, Pull, Readiness};
pub use binaries::{MissingTools, Tool, check, locate};
pub use build::build;
pub use gateway::{Counts, Gateway};
pub use grant::Grant;
pub use load::{Load, LoadPlan, LoadReport, VERSION_HEADER};
pub use namespace::TestNamespace;
pub use network::reach;
pub use node::NodeOptions;
pub use pod::{DemoPod, Identity, PodMetrics, run as run_pod};
pub use readiness_gate::ReadinessGate;
#[cfg(feature = "monitoring")]
pub use scrape::PodScrape;
pub use suite_images::SuiteImages;
pub use test_cluster::TestCluster;
