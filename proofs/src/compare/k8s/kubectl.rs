//! The peer: `kubectl`, from the programs of the control plane or from PATH.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hotfix_benches::Failure;
use hotfix_benches::program::{program, run};
use hotfix_testkit::cluster::{TestCluster, Tool, locate};
use tempfile::TempDir;

/// The program with what leads it to the cluster.
#[derive(Debug, Clone)]
pub(super) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    /// Where it keeps what the server offers.
    cache: Arc<TempDir>,
}

impl Kubectl {
    pub(super) fn find(cluster: &TestCluster) -> Result<Self, Failure> {
        let program = locate(Tool::Kubectl).unwrap_or_else(|_| Path::new(Tool::Kubectl.name()).to_owned());
        let cache = Arc::new(tempfile::tempdir()?);
        Ok(Self { program, kubeconfig: cluster.kubeconfig().to_owned(), cache })
    }

    /// The version of the program.
    pub(super) fn version(&self) -> Result<String, Failure> {
        let text = run(program(&self.program).args(["version", "--client", "--output=json"]))?;
        let value: serde_json::Value = serde_json::from_str(&text)?;
        let version = value["clientVersion"]["gitVersion"].as_str();
        Ok(version.ok_or_else(|| Failure::new("kubectl does not tell its version"))?.to_owned())
    }

    /// Runs `kubectl rollout WORD` on a Deployment to its end.
    pub(super) fn rollout(&self, word: &str, namespace: &str, deployment: &str) -> Result<(), Failure> {
        let mut command = self.command();
        command.args(["--namespace", namespace, "rollout", word, &format!("deployment/{deployment}")]);
        run(&mut command).map(drop)
    }

    fn command(&self) -> Command {
        let mut command = program(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(self.cache.path());
        command
    }
}
