//! The controller of Argo Rollouts, as a peer to measure beside.

use std::fs;
use std::io;
use std::path::Path;

use kube::Client;

use super::build::{ARGO_CONTROLLER, ARGO_ROLLOUTS, build_argo_rollouts, pinned};
use super::definitions::{self, Definition};
use crate::program::Program;

/// The kinds of Argo Rollouts, with the files that define them.
const KINDS: [(&str, &str); 5] = [
    ("rollouts.argoproj.io", "rollout-crd.yaml"),
    ("analysisruns.argoproj.io", "analysis-run-crd.yaml"),
    ("analysistemplates.argoproj.io", "analysis-template-crd.yaml"),
    ("clusteranalysistemplates.argoproj.io", "cluster-analysis-template-crd.yaml"),
    ("experiments.argoproj.io", "experiment-crd.yaml"),
];

/// A running controller of Argo Rollouts for all namespaces of a cluster. Dropping it ends it.
#[derive(Debug)]
pub struct ArgoRollouts {
    program: Program,
}

impl ArgoRollouts {
    /// Builds it unless that was done before, which takes Go and some minutes, installs its kinds, and starts it as the
    /// administrator that the kubeconfig names. It needs a moment until it reacts.
    pub(super) async fn start(client: &Client, kubeconfig: &Path) -> io::Result<Self> {
        let files = KINDS.map(|(_, file)| file);
        let folder = tokio::task::spawn_blocking(move || build_argo_rollouts(&files)).await??;
        for (name, file) in KINDS {
            let yaml = fs::read_to_string(folder.join(file))?;
            definitions::install(client, &[Definition { name, yaml: &yaml }]).await?;
        }
        let controller = folder.join(ARGO_CONTROLLER);
        let kubeconfig = kubeconfig.display().to_string();
        let arguments = |_: &Path| {
            let flags = ["--leader-elect=false", "--metricsport=0", "--healthzPort=0"];
            let flags = flags.map(str::to_owned);
            [&["--kubeconfig".to_owned(), kubeconfig.clone()], &flags[..]].concat()
        };
        Ok(Self { program: Program::start(controller, |_| Ok(()), arguments)? })
    }

    /// Returns its version.
    #[must_use]
    pub fn version() -> &'static str {
        pinned(&ARGO_ROLLOUTS, "github.com/argoproj/argo-rollouts").unwrap_or_default()
    }

    /// Returns what it wrote to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }
}
