//! The process of a pod of the test cluster; a node starts it and says by the one argument what it is.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stderr, reason = "a program speaks to its operator")]
async fn main() -> ExitCode {
    let Some(argument) = std::env::args().nth(1) else {
        eprintln!("hotfix-test-pod: a node of the test cluster starts this, with what to be as JSON");
        return ExitCode::from(2);
    };
    match hotfix_testkit::cluster::run_pod(&argument).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hotfix-test-pod: {error}");
            ExitCode::from(128)
        }
    }
}
