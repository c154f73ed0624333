//! What an example says on a machine that has nothing but Rust.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Cargo builds the examples of a package before it runs its tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let program =
        test.parent().and_then(Path::parent).expect("the folder of the profile").join("examples/k8s_rolling");
    let mend = "run `cargo build -p hotfix-examples-kubernetes --examples`";
    assert!(program.exists(), "{} is missing; {mend}", program.display());
    program
}

/// Runs an example where no program is, and no cache.
#[expect(clippy::disallowed_methods, reason = "an example is run as a program")]
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let nothing = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(program());
    command.args(arguments).env("KUBEBUILDER_ASSETS", "").env_remove("HOTFIX_TEST_KUBECONFIG");
    for place in ["PATH", "HOME", "XDG_CACHE_HOME"] {
        command.env(place, nothing.path());
    }
    command.envs(variables.iter().copied()).output().expect("a program")
}

#[test]
fn what_is_missing_is_named_at_once_with_what_gets_it() {
    // A cluster that others are tested on is of no use: it does not run the pods of an example.
    for variables in [&[][..], &[("HOTFIX_TEST_KUBECONFIG", "/nowhere")]] {
        let output = run(&[], variables);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b""[..]), "{said}");
        for expected in [
            "runs on a Kubernetes control plane of its own and is judged by a real Prometheus",
            "- no etcd, kube-apiserver, kube-controller-manager in ",
            "`cargo run -p hotfix-testkit --features cluster --bin hotfix-test-cluster build`",
            "- no program prometheus in PATH: `cargo xtask test` installs it, or `apt-get install prometheus`",
            "without it an example ends with code 3",
        ] {
            assert!(said.contains(expected), "{expected:?} is not in: {said}");
        }
    }
}

/// No other program has to be built for the pods: a node starts the example itself.
#[test]
fn an_example_is_the_program_of_its_pods_too() {
    let output = run(&[r#"{"listen": "nowhere"}"#], &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(128), "{said}");
    assert!(said.starts_with("this is no pod: "), "{said}");
}
