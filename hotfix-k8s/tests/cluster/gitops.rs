//! What a GitOps controller owns: refused, or changed while its sync is off, which it gets back.

use std::num::NonZeroU16;

use hotfix_core::ErrorKind;
use hotfix_core::model::{Precondition, Release, Verb, Weights, WorkloadSnapshot};
use hotfix_core::port::{Conflict, Deployer, Rejection, Reply};
use hotfix_k8s::rights::{self, ServiceAccount};
use hotfix_k8s::{KubernetesDeployer, OnGitOps, TargetConfig, WorkloadKind};
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster, TestNamespace};
use hotfix_testkit::http::Recorded;
use serde_json::{Value, json};

use super::gitops_controller::{Controller, Tool};
use super::pods::image;
use super::site::{Kind, Shop, call, config, deployer_with, deployment, is_patch, release, slot, until};

/// A shop that is under control, in a namespace apart from that of its owner.
pub(crate) struct Owned {
    pub(crate) shop: Shop,
    pub(crate) controller: Controller,
    config: TargetConfig,
    pub(crate) place: TestNamespace,
}

impl Owned {
    pub(crate) async fn open(tool: Tool) -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        cluster.install_gitops().await.expect("kinds of GitOps");
        let place = cluster.namespace("gitops").await.expect("a namespace");
        let mut labelled = deployment(cluster, 1);
        for (name, value) in tool.labels(&place).as_object().expect("labels") {
            labelled["metadata"]["labels"][name] = value.clone();
        }
        let on_gitops = OnGitOps::Pause([tool.owner(&place)].into());
        let change = |config| TargetConfig { on_gitops: on_gitops.clone(), ..config };
        let shop = Shop::configured(cluster, change, &labelled, &[]).await;
        let config = TargetConfig { on_gitops, ..config(&shop.namespace) };
        let account =
            ServiceAccount { namespace: shop.namespace.name().to_owned(), name: "hotfix".to_owned() };
        for (namespace, features) in config.owner_features() {
            shop.create_any(&rights::role(&namespace, "hotfix", &features)).await;
            shop.create_any(&rights::role_binding(&namespace, "hotfix", &account)).await;
        }
        let kind = WorkloadKind::Deployment;
        let controller = Controller::start(tool, &shop.client, &shop.namespace, kind, &place).await;
        shop.adopt().await.expect("adopted");
        Self { shop, controller, config, place }
    }

    pub(crate) async fn apply(&self, seq: u32, verb: &Verb) -> String {
        apply(&self.shop.deployer, &self.shop, seq, verb).await
    }

    pub(crate) async fn snapshot(&self) -> WorkloadSnapshot {
        self.shop.deployer.snapshot(&self.shop.target).await.expect("a snapshot")
    }

    /// Everything up to the end of a run that goes well, and what the last verb says.
    async fn succeed(&self, fix: &Release) -> String {
        self.apply(1, &stage("hotfix", fix)).await;
        self.shop.until_ready("hotfix").await;
        self.go_home(fix).await
    }

    /// The same from the shift on.
    async fn go_home(&self, fix: &Release) -> String {
        self.apply(2, &shift("hotfix")).await;
        self.apply(3, &Verb::Promote { slot: slot("hotfix") }).await;
        self.apply(4, &stage("main", fix)).await;
        self.shop.until_ready("main").await;
        self.apply(5, &shift("main")).await;
        self.apply(6, &Verb::Promote { slot: slot("main") }).await;
        self.apply(7, &Verb::Retire { slot: slot("hotfix") }).await
    }

    pub(crate) async fn notices(&self) -> Vec<String> {
        self.shop.deployer.observe(&self.shop.target).await.expect("a workload").notices
    }

    /// What runs on the main Deployment.
    async fn image(&self) -> Value {
        self.shop.read(Kind::Deployment, "shop").await["spec"]["template"]["spec"]["containers"][0]["image"]
            .clone()
    }

    /// A deployer as another process has it, behind a proxy.
    pub(crate) async fn behind_a_proxy(&self) -> (FaultProxy, KubernetesDeployer) {
        let proxy = FaultProxy::start(&self.shop.user).await.expect("a proxy");
        let deployer = deployer_with(self.config.clone(), &self.shop.target, proxy.through(&self.shop.user));
        (proxy, deployer)
    }
}

async fn apply(deployer: &KubernetesDeployer, shop: &Shop, seq: u32, verb: &Verb) -> String {
    let call = call(&format!("k{seq}"), seq);
    match deployer.apply(&call, &shop.target, verb, &Precondition::default()).await {
        Reply::Applied(receipt) => receipt.0,
        reply => panic!("{verb}: {reply:?}"),
    }
}

pub(crate) fn stage(name: &str, release: &Release) -> Verb {
    Verb::Stage { slot: slot(name), release: release.clone(), replicas: NonZeroU16::MIN }
}

pub(crate) fn shift(to: &str) -> Verb {
    Verb::Shift { weights: Weights::all(slot(to)) }
}

pub(crate) fn is_pause(request: &Recorded) -> bool {
    is_patch(request, "/applications/store")
}

/// Whether a request changes the target.
pub(crate) fn is_change(request: &Recorded) -> bool {
    request.method == "PATCH" && !is_pause(request)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_not_named_is_refused_with_its_name_and_the_mend() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let Owned { shop, controller, .. } = &owned;
    let refuse = deployer_with(config(&shop.namespace), &shop.target, shop.user.clone());
    let error = refuse.observe(&shop.target).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("belongs to Argo CD application store (by its label"), "{error}");
    let other = OnGitOps::Pause([Tool::ArgoCd.owner("elsewhere"), Tool::Helm.owner("elsewhere")].into());
    let other = TargetConfig { on_gitops: other, ..config(&shop.namespace) };
    let other = deployer_with(other, &shop.target, shop.user.clone());
    assert!(other.observe(&shop.target).await.is_err(), "it may not read there");
    // Without a pause it is as the controller is said to be.
    let edit = json!({"spec": {"selector": {"app": "shop-hotfix"}}});
    shop.edit(Kind::Service, "shop", &edit).await;
    controller.until_reverted().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_through_and_the_sync_comes_back_when_git_names_the_release() {
    for tool in Tool::ALL {
        let owned = Owned::open(tool).await;
        let fix = release(owned.shop.test_cluster, 2);
        let said = owned.notices().await;
        assert!(said.len() == 1 && said[0].contains("is off during a run"), "{tool:?}: {said:?}");
        let said = owned.succeed(&fix).await;
        assert!(said.contains("stays off, because git does not name what runs"), "{tool:?}: {said}");
        assert_eq!((owned.controller.reverts(), owned.controller.is_on().await), (0, false), "{tool:?}");
        let said = owned.notices().await;
        assert!(said.len() == 1 && said[0].contains("give the sync back with resume_sync"), "{said:?}");

        owned.controller.commit(image(&fix));
        owned.shop.deployer.resume_sync(&owned.shop.target).await.expect("given back");
        assert!(owned.controller.is_as_made().await, "{tool:?}: {}", owned.controller.owner().await);
        assert_eq!(owned.image().await, image(&fix));
        assert_eq!(owned.controller.reverts(), 0, "{tool:?}");
        owned.shop.deployer.resume_sync(&owned.shop.target).await.expect("nothing to do");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_would_take_nothing_back_comes_back_with_the_end_of_the_run() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let fix = release(owned.shop.test_cluster, 2);
    owned.apply(1, &stage("hotfix", &fix)).await;
    owned.controller.commit(image(&fix));
    owned.shop.until_ready("hotfix").await;
    let said = owned.go_home(&fix).await;
    assert!(said.ends_with("is given back"), "{said}");
    assert!(owned.controller.is_as_made().await, "{}", owned.controller.owner().await);
    assert_eq!((owned.controller.reverts(), owned.image().await), (0, image(&fix).into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_gives_the_sync_back_as_it_was() {
    for tool in Tool::ALL {
        let owned = Owned::open(tool).await;
        let (before, snapshot) = (owned.image().await, owned.snapshot().await);
        owned.apply(1, &stage("hotfix", &release(owned.shop.test_cluster, 2))).await;
        owned.shop.until_ready("hotfix").await;
        owned.apply(2, &shift("hotfix")).await;
        assert!(!owned.controller.is_on().await, "{tool:?}");
        let error = owned.shop.deployer.resume_sync(&owned.shop.target).await.expect_err("a run").to_string();
        assert!(error.contains("a run is under way at production/shop; wait for its end"), "{error}");
        let said = owned.apply(3, &Verb::Restore { snapshot }).await;
        assert!(said.ends_with("is given back"), "{tool:?}: {said}");
        assert!(owned.controller.is_as_made().await, "{tool:?}: {}", owned.controller.owner().await);
        assert_eq!((owned.controller.reverts(), owned.image().await), (0, before), "{tool:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_to_what_git_does_not_name_leaves_the_sync_off() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let [first, second] = [2, 3].map(|patch| release(owned.shop.test_cluster, patch));
    owned.succeed(&first).await;
    let snapshot = owned.snapshot().await;
    owned.apply(8, &stage("hotfix", &second)).await;
    owned.shop.until_ready("hotfix").await;
    owned.apply(9, &shift("hotfix")).await;
    let said = owned.apply(10, &Verb::Restore { snapshot }).await;
    assert!(said.contains("stays off, because git does not name what runs"), "{said}");
    let found = (owned.controller.is_on().await, owned.controller.reverts(), owned.image().await);
    assert_eq!(found, (false, 0, image(&first).into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_switches_the_sync_on_again_wins_and_is_told_of() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let (shop, snapshot) = (&owned.shop, owned.snapshot().await);
    owned.apply(1, &stage("hotfix", &release(shop.test_cluster, 2))).await;
    shop.until_ready("hotfix").await;
    let theirs = json!({"selfHeal": false, "prune": false});
    owned.controller.edit(&json!({"spec": {"syncPolicy": {"automated": theirs}}})).await;
    let reply =
        shop.deployer.apply(&call("k2", 2), &shop.target, &shift("hotfix"), &Precondition::default()).await;
    let Reply::Conflict(Conflict::Drifted { expected, found }) = &reply else { panic!("{reply:?}") };
    assert!(expected.starts_with("the sync of Application") && found.contains("on again"), "{reply:?}");
    assert_eq!(shop.read(Kind::Service, "shop").await["spec"]["selector"]["app"], "shop");
    let said = owned.apply(3, &Verb::Restore { snapshot }).await;
    assert!(said.ends_with("was changed by somebody else, and stays so"), "{said}");
    assert_eq!(owned.controller.owner().await["spec"]["syncPolicy"]["automated"], theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_refused_leaves_no_sync_off() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let (shop, tree) = (&owned.shop, stage("main", &release(owned.shop.test_cluster, 2)));
    let reply = shop.deployer.apply(&call("k1", 1), &shop.target, &tree, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Rejected(_)), "the live slot is not staged over: {reply:?}");
    let (proxy, deployer) = owned.behind_a_proxy().await;
    let forbidden =
        hotfix_testkit::http::Answer::json(403, &json!({"kind": "Status", "code": 403, "message": "no"}));
    proxy.next(is_change, Disturbance::Instead(forbidden.clone()));
    let verb = stage("hotfix", &release(shop.test_cluster, 2));
    let reply = deployer.apply(&call("k2", 2), &shop.target, &verb, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Rejected(_)), "{reply:?}");
    assert!(proxy.happened().iter().any(|happened| is_pause(&happened.request)), "it was paused");
    assert!(owned.controller.is_as_made().await, "{}", owned.controller.owner().await);
    // An attempt that never heard that it had paused, and the next one is refused.
    proxy.next(is_pause, Disturbance::LoseAnswer);
    let (verb, precondition) = (stage("hotfix", &release(shop.test_cluster, 3)), Precondition::default());
    let mut replies = Vec::new();
    for seq in [3, 4] {
        proxy.next(is_change, Disturbance::Instead(forbidden.clone()));
        replies.push(deployer.apply(&call("k3", seq), &shop.target, &verb, &precondition).await);
    }
    assert!(matches!(replies[1], Reply::Rejected(_)), "{replies:?}");
    assert!(owned.controller.is_as_made().await, "{}", owned.controller.owner().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_at_work_is_waited_for_and_nothing_is_changed_before_its_end() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let shop = &owned.shop;
    owned.controller.edit(&json!({"status": {"operationState": {"phase": "Running"}}})).await;
    let mut hasty = call("k1", 1);
    hasty.deadline -= chrono::TimeDelta::seconds(18);
    let verb = stage("hotfix", &release(shop.test_cluster, 2));
    let reply = shop.deployer.apply(&hasty, &shop.target, &verb, &Precondition::default()).await;
    let Reply::Rejected(Rejection::Busy { reason, .. }) = &reply else { panic!("{reply:?}") };
    assert!(reason.ends_with("/store is being synced; wait for its end"), "{reason}");
    assert!(owned.controller.is_as_made().await, "{}", owned.controller.owner().await);
    owned.controller.edit(&json!({"status": {"operationState": {"phase": "Succeeded"}}})).await;
    owned.apply(2, &verb).await;
    assert!(!owned.controller.is_on().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_with_an_owner_is_refused_before_anything_is_changed() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let shop = &owned.shop;
    owned.controller.edit(&json!({"metadata": {"labels": {"argocd.argoproj.io/instance": "root"}}})).await;
    let error = shop.deployer.observe(&shop.target).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let expected = "/store is applied by Argo CD application root (by its label argocd.argoproj.io/instance), which \
                    would switch its sync on again";
    assert!(error.to_string().contains(expected), "{error}");
    let verb = stage("hotfix", &release(shop.test_cluster, 2));
    let reply = shop.deployer.apply(&call("k1", 1), &shop.target, &verb, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Rejected(_)), "{reply:?}");
    assert!(owned.controller.is_as_made().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_is_not_taken_for_the_owner_s_own() {
    for tool in Tool::ALL {
        let owned = Owned::open(tool).await;
        let copy = owned.shop.read(Kind::Deployment, "shop-hotfix").await;
        assert_eq!(copy["metadata"]["labels"], json!({"app": "shop-hotfix", "hotfix.dev/slot": "hotfix"}));
        until("the sync is on", || owned.controller.is_on()).await;
    }
}
