//! A deployer in a process of its own, killed at any moment: traffic goes on, and the target's write log stays true.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hotfix_core::model::{Precondition, Stamp};
use hotfix_core::port::Deployer;
use serde_json::Value;

use super::demo;
use super::host::{Host, call, deployer_at, eventually, shift, slot};
use super::http::Connection;

/// Says which stamps a controller uses; the epoch of its lease, as it were.
const EPOCH: &str = "HOTFIX_TEST_EPOCH";

/// The test that is the controller: does nothing unless it was started as one.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the controller is set up by its environment")]
async fn shift_back_and_forth() {
    let (Ok(folder), Ok(epoch)) = (std::env::var(demo::FOLDER), std::env::var(EPOCH)) else {
        return;
    };
    let (deployer, epoch) = (deployer_at(Path::new(&folder)), epoch.parse().expect("a number"));
    let target = "production/shop".parse().expect("a target");
    for seq in 1.. {
        let call = call(&format!("shift-{epoch}-{seq}"), Stamp::new(epoch, seq));
        let percent = if seq % 2 == 0 { 0 } else { 50 };
        deployer.apply(&call, &target, &shift(percent), &Precondition::default()).await;
    }
}

struct Controller(Child);

impl Controller {
    #[expect(clippy::disallowed_methods, reason = "starts this binary again")]
    fn start(host: &Host, epoch: u64) -> Self {
        let program = std::env::current_exe().expect("this binary");
        let mut command = Command::new(program);
        command
            .args(["controller::shift_back_and_forth", "--exact"])
            .env(demo::FOLDER, host.folder())
            .env(EPOCH, epoch.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Self(command.spawn().expect("a controller"))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // SIGKILL; it may have ended, then there is nothing to kill.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The write log as an auditor reads it, without the help of the crate.
fn log(host: &Host) -> Vec<Value> {
    let text = fs::read_to_string(host.target_folder().join("writes.jsonl")).expect("a log");
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn stamp(write: &Value) -> (u64, u64) {
    let number = |name: &str| write["stamp"][name].as_u64().expect("a number");
    (number("epoch"), number("seq"))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_controllers_leave_a_gapless_log_and_cost_no_request() {
    let (host, agent) = Host::serving("v1").await;
    host.stage("green", &host.release("v2", &[])).await;
    host.ready("green").await;
    let mut connection = Connection::open(host.address().await).await;
    for epoch in 2..12_u64 {
        let seen = log(&host).len();
        let controller = Controller::start(&host, epoch);
        // A different number of writes each time, so that the kill falls on different instructions.
        let wanted = seen + 1 + usize::try_from(epoch).expect("small");
        eventually("the controller has written", async || (log(&host).len() >= wanted).then_some(())).await;
        drop(controller);
        assert_eq!(connection.get("/").await.expect("no connection is dropped").0, 200);
    }
    // Whatever the last kill kept out of the log is added by the next mutation.
    host.deployer.seal(&host.target, Stamp::new(99, 1)).await;
    let log = log(&host);
    for (position, write) in log.iter().enumerate() {
        assert_eq!(write["number"], position + 1);
    }
    assert!(log.windows(2).all(|pair| stamp(&pair[0]) < stamp(&pair[1])), "stamps only rise");
    assert!(log.windows(2).all(|pair| pair[0]["after"] == pair[1]["before"]), "nothing happened in between");
    let workload = host.deployer.observe(&host.target).await.expect("readable");
    assert_eq!(workload.stamp, Stamp::new(99, 1));
    let routed = workload.weights.expect("a split");
    assert!([0, 50].contains(&routed.of(&slot("green"))), "{routed}");
    tokio::time::timeout(Duration::from_secs(20), agent.stop()).await.expect("stopped");
}
