//! Gets the programs of the test cluster, and runs one for a human.

use std::process::ExitCode;

use hotfix_core::model::Period;
use hotfix_testkit::cluster::{self, Behaviour, End, Pull, Readiness, TestCluster};

const USAGE: &str = "usage: hotfix-test-cluster build | check | run
  build  makes the programs of the control plane, unless they are there, and prints their folder
  check  says whether everything is there that a cluster needs
  run    starts a cluster, prints how to reach it and which images it has, and ends it when standard input ends";

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stderr, clippy::print_stdout, reason = "a program speaks to its operator")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["build"] => cluster::build().map(|folder| println!("{}", folder.display())),
        ["check"] => cluster::check().map_err(Into::into),
        ["run"] => run().await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hotfix-test-cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program speaks to its operator")]
async fn run() -> std::io::Result<()> {
    let cluster = TestCluster::start().await?;
    for (image, behaviour) in images() {
        println!("image {} has tag {image}", cluster.image(image, &behaviour)?);
    }
    let suite = cluster.kubeconfig().with_file_name("suite-images.json");
    std::fs::write(&suite, serde_json::to_vec(&cluster.suite_images()?)?)?;
    println!("export HOTFIX_TEST_IMAGES={}", suite.display());
    println!("export HOTFIX_TEST_KUBECONFIG={}", cluster.kubeconfig().display());
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    ended.await.map_err(std::io::Error::other)?.map(|_| ())
}

/// One image for each thing that can be wrong.
fn images() -> [(&'static str, Behaviour); 8] {
    let shop = Behaviour::default;
    [
        ("demo/shop:1.0.0", shop()),
        ("demo/shop:1.0.1-crashes", Behaviour { end: End::Crash(Period::from_secs(1)), ..shop() }),
        (
            "demo/shop:1.0.1-out-of-memory",
            Behaviour { end: End::OutOfMemory(Period::from_secs(1)), ..shop() },
        ),
        ("demo/shop:1.0.1-never-ready", Behaviour { readiness: Readiness::Never, ..shop() }),
        ("demo/shop:1.0.1-unpullable", Behaviour { pull: Pull::Fails("unauthorized".to_owned()), ..shop() }),
        ("demo/shop:1.0.1-fails", Behaviour { error_percent: 10, ..shop() }),
        ("demo/shop:1.0.1-slow", Behaviour { latency: Period::from_millis(500), ..shop() }),
        (
            "demo/shop:1.0.1-starts-slowly",
            Behaviour { readiness: Readiness::After(Period::from_secs(10)), ..shop() },
        ),
    ]
}
