//! The contract of the port on a cluster that somebody else runs: another process, known by its environment alone.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hotfix_testkit::cluster::TestCluster;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::ListParams;

/// A running cluster that ends with this.
struct Theirs {
    owner: Child,
    environment: Vec<(String, String)>,
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the cluster or the suite is another process")]
fn command(program: &Path) -> Command {
    Command::new(program)
}

impl Theirs {
    /// Starts a cluster and waits until it is said how to reach it.
    fn start() -> Self {
        let own = std::env::current_exe().expect("a path");
        let mut folders = own.ancestors().skip(1).take(2);
        let program: Option<PathBuf> =
            folders.find_map(|folder| Some(folder.join("hotfix-test-cluster")).filter(|file| file.is_file()));
        let program = program.expect("the programs of hotfix-testkit, built with --features cluster --bins");
        let mut owner = command(&program);
        let owner = owner.arg("run").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut theirs = Self { owner: owner.expect("it starts"), environment: Vec::new() };
        let mut lines = BufReader::new(theirs.owner.stdout.take().expect("its output")).lines();
        while !theirs.environment.iter().any(|(name, _)| name == "KUBECONFIG") {
            let line = lines.next().expect("it says how to reach it").expect("its output");
            let variable = line.strip_prefix("export ").and_then(|variable| variable.split_once('='));
            theirs.environment.extend(variable.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        theirs
    }

    fn variable(&self, name: &str) -> &str {
        let (_, value) = self.environment.iter().find(|(known, _)| known == name).expect("it is said");
        value
    }

    /// Runs a test as whoever has this environment does, and returns what it said.
    async fn test(&self, name: &str) -> String {
        let mut test = command(&std::env::current_exe().expect("a path"));
        let variables = ["HOTFIX_TEST_KUBECONFIG", "HOTFIX_TEST_IMAGES"];
        test.args(["--exact", name]).envs(variables.map(|name| (name, self.variable(name))));
        let mut test = tokio::process::Command::from(test);
        let output = test.kill_on_drop(true).output().await.expect("it runs");
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text")).concat();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        said
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.owner.stdin.take());
        let _ended = self.owner.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_is_kept_on_a_cluster_that_the_environment_names() {
    let theirs = tokio::task::spawn_blocking(Theirs::start).await.expect("a cluster");
    let kept =
        theirs.test("cluster::conformance::the_deployer_keeps_its_contract_by_the_selector_of_a_service");
    let lacking = theirs.test("cluster::conformance::the_deployer_keeps_its_contract_by_a_virtual_service");
    let (kept, lacking) = tokio::join!(kept, lacking);
    assert!(!kept.contains("skipped"), "{kept}");
    let why =
        "skipped, because the cluster has no VirtualService of networking.istio.io/v1: the contract by it";
    assert!(lacking.contains(why), "{lacking}");

    // Nothing is left there, and nothing was installed that others would see.
    let cluster = TestCluster::existing(Path::new(theirs.variable("KUBECONFIG"))).await.expect("a cluster");
    let client = cluster.client().expect("a client");
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let installed = definitions.list(&ListParams::default()).await.expect("a list").items;
    assert!(installed.is_empty(), "{installed:?}");
    let (namespaces, ours) = (Api::<Namespace>::all(client), ListParams::default().labels("hotfix.dev/test"));
    let left = namespaces.list(&ours).await.expect("a list").items;
    let kept: Vec<_> = left.iter().filter(|left| left.metadata.deletion_timestamp.is_none()).collect();
    assert!(kept.is_empty(), "not deleted: {kept:?}");
}
