//! Single verbs: what others commit in between stays, what they write instead is left alone, and what is refused.

use hotfix_core::ErrorKind;
use hotfix_core::model::{Precondition, Release, Verb, WorkloadSnapshot};
use hotfix_core::port::{Conflict, Deployer, Rejection, Reply};
use hotfix_k8s::{KubernetesConfig, KubernetesDeployer};
use serde_json::json;

use super::super::pods::image;
use super::super::site::{call, pushed, release, slot, until};
use super::shop::{FILE, GitShop, PODS, manifest, shift, stage};

async fn snapshot(shop: &GitShop) -> WorkloadSnapshot {
    shop.deployer.snapshot(&shop.target).await.expect("a snapshot")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_commit_in_between_stays() {
    let shop = GitShop::open().await;
    let (old, fix, before) = (release(shop.cluster, 1), release(shop.cluster, 2), snapshot(&shop).await);
    shop.applied(1, &stage(&fix)).await;
    let theirs = manifest(image(&fix), PODS).replace("# enough", "# for now");
    shop.fleet.commit("Say why", &[(FILE, &theirs), ("README.md", "the fleet\n")]);
    shop.until_ready("hotfix").await;
    shop.applied(2, &shift("hotfix")).await;
    shop.applied(3, &Verb::Restore { snapshot: before }).await;
    shop.until_running(&old, PODS).await;
    assert_eq!(shop.fleet.show(FILE), manifest(image(&old), PODS).replace("# enough", "# for now"));
    assert_eq!(shop.fleet.show("README.md"), "the fleet\n");
    let log = shop.fleet.log();
    let paths: Vec<_> = log.iter().map(|told| (told.subject.as_str(), told.paths.len())).collect();
    assert_eq!(
        paths,
        [
            ("Begin", 2),
            ("Put v1.0.2 on production/shop", 1),
            ("Say why", 2),
            ("Put v1.0.1 back on production/shop", 1),
        ]
    );
}

/// Whoever writes another image meanwhile has the last word.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_somebody_else_is_left_alone() {
    let shop = GitShop::open().await;
    let (fix, before) = (release(shop.cluster, 2), snapshot(&shop).await);
    let theirs = pushed(shop.cluster, 3, &hotfix_testkit::cluster::Behaviour::default());
    shop.applied(1, &stage(&fix)).await;
    shop.until_ready("hotfix").await;
    shop.applier.be_deaf(true);
    shop.fleet.commit("Ship ours", &[(FILE, &manifest(image(&theirs), PODS))]);
    let reply = shop.apply(2, &Verb::Restore { snapshot: before.clone() }).await;
    let Reply::Conflict(Conflict::Drifted { found, .. }) = &reply else { panic!("{reply:?}") };
    assert_eq!(*found, format!("{FILE} with {}", image(&theirs)));
    let again = shop.apply(3, &stage(&fix)).await;
    assert!(matches!(again, Reply::Conflict(Conflict::Drifted { .. })), "{again:?}");
    assert_eq!(shop.fleet.show(FILE), manifest(image(&theirs), PODS));
    assert_eq!(shop.fleet.log().len(), 3);

    shop.applier.be_deaf(false);
    shop.until_running(&theirs, PODS).await;
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload.live_artifact(), Some(theirs.artifact.id()), "it is what is live now");
}

/// What somebody changes on the Deployment itself, its owner takes back; the annotations are nobody's but ours.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_keeps_the_marks_and_nothing_else() {
    let shop = GitShop::open().await;
    let fix = release(shop.cluster, 2);
    shop.applied(1, &stage(&fix)).await;
    shop.until_running(&fix, PODS).await;
    shop.edit(&json!({"spec": {"replicas": 3}})).await;
    until("the owner took it back", || async { shop.read().await["spec"]["replicas"] == PODS }).await;
    let annotations = shop.read().await["metadata"]["annotations"].clone();
    assert!(annotations["hotfix.dev/in-git"].is_string() && annotations["hotfix.dev/fence"].is_string());
}

/// Goes back as a run does: whatever somebody else has deployed meanwhile is left alone.
async fn restore(shop: &GitShop, seq: u32, before: WorkloadSnapshot, known: &[&Release]) -> Reply {
    let live = known.iter().map(|release| release.artifact.id()).collect();
    let call = call(&format!("k{seq}"), seq);
    let precondition = Precondition { live, holds: None };
    shop.deployer.apply(&call, &shop.target, &Verb::Restore { snapshot: before }, &precondition).await
}

/// Whoever scales a shop to nothing in the middle of a release has not deployed to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_without_pods_is_taken_back() {
    let shop = GitShop::open().await;
    let (old, fix, before) = (release(shop.cluster, 1), release(shop.cluster, 2), snapshot(&shop).await);
    shop.applied(1, &stage(&fix)).await;
    shop.until_running(&fix, PODS).await;
    shop.fleet.commit("Close the shop", &[(FILE, &manifest(image(&fix), 0))]);
    shop.until_running(&fix, 0).await;
    let reply = restore(&shop, 2, before, &[&old, &fix]).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    assert_eq!(shop.fleet.show(FILE), manifest(image(&old), 0));
    let live = shop.read().await;
    assert_eq!(live.pointer("/spec/template/spec/containers/0/image"), Some(&json!(image(&old))));
}

/// The digest of a tag is known by pods alone, and there may be none, or none that ever ran.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_no_pod_runs_is_the_tag_that_it_was() {
    let shop = GitShop::open().await;
    let old = release(shop.cluster, 1);
    let (tag, _) = image(&old).split_once('@').expect("a digest");
    shop.fleet.commit("Deploy by tag", &[(FILE, &manifest(tag, PODS))]);
    shop.until_running_image(tag, PODS).await;
    let before = snapshot(&shop).await;
    shop.fleet.commit("Close the shop", &[(FILE, &manifest(tag, 0))]);
    shop.until_running_image(tag, 0).await;
    let reply = restore(&shop, 1, before.clone(), &[&before.release]).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");

    let other = release(shop.cluster, 3);
    let (theirs, _) = image(&other).split_once('@').expect("a digest");
    shop.fleet.commit("Ship ours", &[(FILE, &manifest(theirs, 0))]);
    until("it was applied", || async {
        shop.read().await.pointer("/spec/template/spec/containers/0/image") == Some(&json!(theirs))
    })
    .await;
    let reply = restore(&shop, 2, before.clone(), &[&before.release]).await;
    assert!(matches!(reply, Reply::Conflict(Conflict::Drifted { .. })), "{reply:?}");
    assert_eq!(shop.fleet.show(FILE), manifest(theirs, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_ahead_of_what_runs_is_refused() {
    let shop = GitShop::open().await;
    shop.applier.be_deaf(true);
    let theirs = release(shop.cluster, 3);
    shop.fleet.commit("Ship ours", &[(FILE, &manifest(image(&theirs), PODS))]);
    let ahead = shop.deployer.snapshot(&shop.target).await.expect_err("refused");
    assert_eq!(ahead.kind(), ErrorKind::Conflict);
    let reply = shop.apply(1, &stage(&release(shop.cluster, 2))).await;
    let Reply::Rejected(Rejection::Permanent { reason }) = &reply else { panic!("{reply:?}") };
    assert!(reason.starts_with(&format!("{FILE} names {}, and Deployment", image(&theirs))), "{reason}");
    assert_eq!(shop.fleet.log().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_would_not_apply_it_is_refused_before_anything() {
    let shop = GitShop::open().await;
    shop.applier.edit(&json!({"spec": {"syncPolicy": {"automated": null}}})).await;
    let off = shop.deployer.observe(&shop.target).await.expect_err("refused").to_string();
    assert!(off.contains("is off, so what is written in git would not be applied; switch it on"), "{off}");
    let reply = shop.apply(1, &stage(&release(shop.cluster, 2))).await;
    assert!(matches!(reply, Reply::Rejected(Rejection::Permanent { .. })), "{reply:?}");
    assert_eq!(shop.fleet.log().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployer_without_the_repository_refuses_everything() {
    let shop = GitShop::open().await;
    let config = KubernetesConfig {
        targets: [(shop.target.clone(), shop.config().clone())].into(),
        ..KubernetesConfig::default()
    };
    let clock = std::sync::Arc::new(hotfix_engine::SystemClock);
    let bare = KubernetesDeployer::connect(config, shop.user.clone(), clock).expect("a sound configuration");
    let error = bare.observe(&shop.target).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("repository \"fleet\", and the deployer was given none of that name"), "{text}");
    assert!(shop.deployer.observe(&shop.target).await.expect("a workload").slot(&slot("main")).is_some());
}
