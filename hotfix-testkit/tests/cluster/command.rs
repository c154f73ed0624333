//! The command `hotfix-test-cluster`, and what the environment says to it.

use std::path::Path;
use std::process::{Command, Output};

use hotfix_testkit::cluster::TestCluster;

#[expect(clippy::disallowed_methods, reason = "the environment of a process is what is tested")]
fn run(word: &str, environment: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotfix-test-cluster"));
    command.arg(word).envs(environment.iter().copied()).output().unwrap()
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_is_missing_is_named_with_the_way_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let assets = folder.path().join("assets");
    std::fs::create_dir(&assets).unwrap();
    std::fs::write(assets.join("etcd"), "").unwrap();
    let output = run("check", &[("KUBEBUILDER_ASSETS", &assets), ("XDG_CACHE_HOME", folder.path())]);
    let refusal = refusal(&output);
    let beginning = format!(
        "hotfix-test-cluster: no kube-apiserver, kube-controller-manager in {} or {}/hotfix/kube/",
        assets.display(),
        folder.path().display()
    );
    assert!(refusal.starts_with(&beginning), "{refusal}");
    assert!(refusal.contains("build them once with `hotfix-test-cluster build`"), "{refusal}");
}

#[tokio::test]
async fn a_cluster_that_the_environment_names_is_used_instead_of_an_own() {
    let cluster = TestCluster::shared().await.unwrap();
    let output = run("run", &[("HOTFIX_TEST_KUBECONFIG", cluster.kubeconfig())]);
    // Into the registry of somebody else's cluster nobody can push from here.
    assert_eq!(refusal(&output), "hotfix-test-cluster: the cluster was not started here\n");
}
