//! The fence on the real host: stale and repeated requests, many writers, and controllers that are killed.

use hotfix_core::ErrorKind;
use hotfix_core::model::{IdempotencyKey, Precondition, Stamp, Verb};
use hotfix_core::port::{Call, Conflict, Deployer, Probe, Receipt, Rejection, Reply, Seal, Sealed};

use hotfix_local::{WriteKind, accepted_writes};

use super::host::{Host, LONG, call, deployer_at, slot, stage};

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).expect("a key")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_duplicate_is_refused_after_a_seal_and_probed_as_applied() {
    let (host, _agent) = Host::serving("v1").await;
    let (deployer, target) = (&host.deployer, &host.target);
    let verb = stage("green", &host.release("v2", &[]));
    let first = call("stage-green", Stamp::new(2, 1));
    let reply = deployer.apply(&first, target, &verb, &Precondition::default()).await;
    let Reply::Applied(receipt) = reply.clone() else { panic!("{reply:?}") };
    assert_eq!(
        deployer.apply(&first, target, &verb, &Precondition::default()).await,
        reply,
        "the same request again"
    );
    let previous = Stamp::new(2, 1);
    assert_eq!(deployer.seal(target, Stamp::new(2, 2)).await, Seal::Sealed(Sealed { previous }));
    let current = Stamp::new(2, 2);
    let late = deployer.apply(&first, target, &verb, &Precondition::default()).await;
    assert_eq!(late, Reply::Conflict(Conflict::Fenced { current }));
    assert_eq!(deployer.probe(target, &key("stage-green")).await, Probe::Applied(receipt));
    assert_eq!(deployer.probe(target, &key("never-sent")).await, Probe::NotApplied);
    assert_eq!(deployer.seal(target, Stamp::new(2, 1)).await, Seal::Overtaken { current });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_precondition_that_does_not_hold_is_a_conflict_that_names_both_sides() {
    let (host, _agent) = Host::serving("v1").await;
    let (found, expected) = (host.release("v1", &[]).artifact.id(), host.release("v0", &[]).artifact.id());
    let precondition = Precondition { live: vec![expected.clone()], holds: None };
    let verb = stage("green", &host.release("v2", &[]));
    let reply = host.deployer.apply(&host.call(), &host.target, &verb, &precondition).await;
    let drifted = Conflict::Drifted { expected: format!("live {expected}"), found: format!("live {found}") };
    assert_eq!(reply, Reply::Conflict(drifted));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_deployers_with_one_stamp_exactly_one_is_applied() {
    let (host, _agent) = Host::serving("v1").await;
    let verb = stage("green", &host.release("v2", &[]));
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (deployer, target, verb) = (deployer_at(host.folder()), host.target.clone(), verb.clone());
        writers.spawn(async move {
            let call = call(&format!("writer-{number}"), Stamp::new(2, 1));
            deployer.apply(&call, &target, &verb, &Precondition::default()).await
        });
    }
    let replies = writers.join_all().await;
    let applied = replies.iter().filter(|reply| matches!(reply, Reply::Applied(Receipt(_)))).count();
    let fenced =
        replies.iter().filter(|reply| matches!(reply, Reply::Conflict(Conflict::Fenced { .. }))).count();
    assert_eq!((applied, fenced), (1, 7), "{replies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_means_something_else_is_refused() {
    let (host, _agent) = Host::serving("v1").await;
    let apply = async |seq, verb: Verb| {
        let call = call("one-key", Stamp::new(2, seq));
        host.deployer.apply(&call, &host.target, &verb, &Precondition::default()).await
    };
    assert!(matches!(apply(1, Verb::Pause).await, Reply::Applied(_)));
    let reason = "this key was applied to another effect; use a new key".to_owned();
    assert_eq!(apply(2, Verb::Resume).await, Reply::Rejected(Rejection::Permanent { reason }));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_agent_only_a_rollback_is_accepted_and_it_is_done_later() {
    let (host, agent) = Host::serving("v1").await;
    let snapshot = host.deployer.snapshot(&host.target).await.expect("live");
    host.go_live("green", "v2").await;
    agent.stop().await;
    let down = format!("no agent serves {0}; start one with `hotfix-agent {0}`", host.state().display());
    let error = host.deployer.observe(&host.target).await.expect_err("nobody to ask");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&down), "{error}");
    let reply = host.apply(&Verb::Retire { slot: slot("blue") }).await;
    assert_eq!(reply, Reply::Rejected(Rejection::Busy { reason: down.clone(), retry_after: None }));
    let restore = call("restore", Stamp::new(2, 1));
    let verb = Verb::Restore { snapshot };
    let reply = host.deployer.apply(&restore, &host.target, &verb, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Ambiguous(_)), "{reply:?}");
    assert_eq!(host.deployer.probe(&host.target, &key("restore")).await, Probe::Unreadable { cause: down });
    let agent = host.start_agent().await;
    let workload = host.until("blue is back", |workload| workload.live == Some(slot("blue"))).await;
    assert_eq!(workload.stamp, Stamp::new(2, 1));
    assert!(matches!(host.deployer.probe(&host.target, &key("restore")).await, Probe::Applied(_)));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_target_is_named() {
    let host = Host::without_agent().await;
    let unknown = "staging/shop".parse().expect("a target");
    let error = host.deployer.observe(&unknown).await.expect_err("unknown");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("target staging/shop does not exist"), "{error}");
    let error = host.deployer.snapshot(&host.target).await.expect_err("nothing is live");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_write_log_tells_what_was_accepted_and_nothing_else() {
    let host = Host::without_agent().await;
    let _agent = host.start_agent().await;
    let release = host.release("v1", &[]);
    host.deployer.install(&host.target, &release, 1.try_into().expect("not zero"), LONG).await.expect("live");
    host.deployer
        .install(&host.target, &release, 1.try_into().expect("not zero"), LONG)
        .await
        .expect("still live");
    let verb = Verb::Promote { slot: slot("blue") };
    let again = call("again", Stamp::new(1, 1));
    for seq in [1, 2] {
        let call = Call { stamp: Stamp::new(1, seq), ..again.clone() };
        host.deployer.apply(&call, &host.target, &verb, &Precondition::default()).await;
    }
    host.apply(&Verb::Retire { slot: slot("blue") }).await;
    host.deployer.seal(&host.target, Stamp::new(3, 1)).await;
    let writes = accepted_writes(&host.state(), &host.target).expect("readable");
    let told = writes.iter().map(|write| {
        let what = match &write.kind {
            WriteKind::Applied { verb, .. } => verb.to_string(),
            WriteKind::Repeated { key } => format!("repeat {key}"),
            WriteKind::Sealed => "seal".to_owned(),
        };
        format!("{} {} {what} {}", write.number, write.stamp, write.changed)
    });
    let expected = [
        "1 0.1 stage v1 on blue with 1 replica(s) true",
        "2 0.2 shift traffic to blue 100 % true",
        "3 0.3 promote blue true",
        "4 1.1 promote blue false",
        "5 1.2 repeat again false",
        "6 3.1 seal false",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let error = host
        .deployer
        .install(&host.target, &host.release("v2", &[]), 1.try_into().expect("not zero"), LONG)
        .await;
    assert_eq!(error.expect_err("v1 is live").kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_release_that_crashes_is_an_error_that_says_so() {
    let host = Host::without_agent().await;
    let _agent = host.start_agent().await;
    let release = host.release("v1", &["exit=3"]);
    let installed =
        host.deployer.install(&host.target, &release, 1.try_into().expect("not zero"), LONG).await;
    let error = installed.expect_err("it crashes");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("is in a crash loop (3 restarts)"), "{error}");
}
