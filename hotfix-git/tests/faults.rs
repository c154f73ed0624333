//! Pushes whose answer never comes: what the fence makes of them.

use std::path::Path;
use std::time::Duration;

use hotfix_core::model::{Period, Stamp};
use hotfix_core::port::{Ambiguity, Probe, Receipt, Rejection, Reply, Seal, Sealed, VersionControl};
use hotfix_git::{GitConfig, GitVersionControl};

use crate::fixture::daemon::Daemon;
use crate::fixture::source::{Source, apply, branch, create, key, shop, short_lived_port, update};

/// A hook that stops the first push which arrives, until the file `go` appears.
const HOLD_THE_FIRST: &str = "cat >/dev/null; test -e held && exit 0; : >held; \
     for try in $(seq 600); do test -e go && break; sleep 0.1; done; : >went";

fn port(source: &Source, daemon: &Daemon) -> GitVersionControl {
    source.clone.git(&["remote", "set-url", "origin", &daemon.url("remote.git")]);
    source.hook("pre-receive", HOLD_THE_FIRST);
    short_lived_port(&source.clone, Period::from_secs(3))
}

/// Waits until a condition holds, which takes a moment.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen within 30 seconds");
}

async fn appears(path: &Path) {
    until(&format!("the appearance of {}", path.display()), || path.exists()).await;
}

fn let_go(source: &Source) {
    std::fs::write(source.remote.path.join("go"), "").unwrap();
}

#[tokio::test]
async fn a_push_that_arrives_after_the_seal_is_refused_by_the_server() {
    let source = Source::new();
    let daemon = Daemon::start(&source.sandbox);
    let port = port(&source, &daemon);
    let base = source.clone.id("origin/main");
    let fix = source.clone.commit("fix", &[("a", "a\n")]);
    let updates = || vec![update(branch("main"), base, fix), create(branch("hotfix/1"), fix)];
    assert_eq!(apply(&port, "late", (1, 1), updates()).await, Reply::Ambiguous(Ambiguity::Timeout));
    assert_eq!(port.seal(&shop(), Stamp::new(1, 2)).await, Seal::Sealed(Sealed { previous: Stamp::ZERO }));
    let_go(&source);
    appears(&source.remote.path.join("went")).await;
    assert_eq!(port.probe(&shop(), &key("late")).await, Probe::NotApplied);
    // The retry the engine makes now is the only one that counts.
    assert_eq!(
        apply(&port, "late", (1, 3), updates()).await,
        Reply::Applied(Receipt("2 reference(s) at 1.3".to_owned()))
    );
    assert_eq!([source.remote.id("main"), source.clone.id("refs/heads/main")], [fix; 2]);
    assert_eq!(source.remote.git(&["rev-list", "--count", "refs/hotfix/fence/shop"]), "2");
}

#[tokio::test]
async fn a_push_whose_answer_was_lost_is_found_by_the_probe() {
    let source = Source::new();
    let daemon = Daemon::start(&source.sandbox);
    let port = port(&source, &daemon);
    let base = source.clone.id("origin/main");
    let fix = source.clone.commit("fix", &[("a", "a\n")]);
    let reply = apply(&port, "lost", (1, 1), vec![update(branch("main"), base, fix)]).await;
    assert_eq!(reply, Reply::Ambiguous(Ambiguity::Timeout));
    let_go(&source);
    appears(&source.remote.path.join("refs/hotfix/fence/shop")).await;
    assert_eq!(
        port.seal(&shop(), Stamp::new(1, 2)).await,
        Seal::Sealed(Sealed { previous: Stamp::new(1, 1) })
    );
    let receipt = Receipt("1 reference(s) at 1.1".to_owned());
    assert_eq!(port.probe(&shop(), &key("lost")).await, Probe::Applied(receipt));
    assert_eq!([source.remote.id("main"), source.clone.id("refs/heads/main")], [fix; 2]);
}

#[tokio::test]
async fn dropping_the_call_ends_the_program_it_runs() {
    let source = Source::new();
    // Here the hook is a child of the client, and goes with it.
    source.hook("pre-receive", &format!("echo $$ >pid; {HOLD_THE_FIRST}"));
    let port = source.port();
    let base = source.clone.id("origin/main");
    let call = tokio::spawn({
        let port = port.clone();
        async move { apply(&port, "dropped", (1, 1), vec![create(branch("x"), base)]).await }
    });
    appears(&source.remote.path.join("held")).await;
    let pid = std::fs::read_to_string(source.remote.path.join("pid")).unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    ends(pid.trim()).await;
    assert_eq!(port.probe(&shop(), &key("dropped")).await, Probe::NotApplied);
}

/// Waits until no process has the number, or it is only waiting to be reaped.
async fn ends(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    until("the end of the hook", || {
        std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
    })
    .await;
}

#[tokio::test]
async fn a_call_after_its_deadline_is_not_tried() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    let call = hotfix_core::port::Call {
        key: key("late"),
        stamp: Stamp::new(1, 1),
        deadline: chrono::DateTime::UNIX_EPOCH,
    };
    let batch = hotfix_core::model::RefBatch { updates: vec![create(branch("x"), base)] };
    let reply = source.port().apply(&call, &shop(), &batch).await;
    let reason = "the deadline has passed; nothing was tried".to_owned();
    assert_eq!(reply, Reply::Rejected(Rejection::Busy { reason, retry_after: None }));
}

#[tokio::test]
async fn passwords_in_the_url_of_the_remote_reach_no_answer() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    source.clone.git(&["remote", "set-url", "origin", "http://user:hunter2@127.0.0.1:1/x.git"]);
    let port = source.port();
    let reply = apply(&port, "k", (1, 1), vec![create(branch("x"), base)]).await;
    let (seal, probe) = (port.seal(&shop(), Stamp::new(1, 1)).await, port.probe(&shop(), &key("k")).await);
    assert!(matches!(reply, Reply::Rejected(Rejection::Busy { .. })), "{reply:?}");
    let said = format!("{reply:?} {seal:?} {probe:?} {port:?} {:?}", GitConfig::default());
    assert!(!said.contains("hunter2"), "{said}");
}
