//! StatefulSets and DaemonSets that a GitOps controller owns: rolled in place while its sync is off, which it gets back.

use hotfix_core::execute::Outcome;
use hotfix_core::model::Period;
use hotfix_core::port::Deployer;
use hotfix_core::request::Strategy;
use hotfix_k8s::rights::{self, ServiceAccount};
use hotfix_k8s::{OnGitOps, TargetConfig, WorkloadKind};
use hotfix_testkit::cluster::{Behaviour, Gateway, Load, LoadPlan, Readiness, TestNamespace};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::PostParams;

use super::acceptance::verdict;
use super::gitops_controller::{Controller, Tool};
use super::in_place::one_by_one;
use super::pods::image;
use super::set::{PODS, SetShop, cluster_for};
use super::site::{pushed, release};
use super::stage::{end, quick};

/// A shop that is under control, in a namespace apart from that of its owner.
struct Owned {
    shop: SetShop,
    controller: Controller,
    _place: TestNamespace,
}

impl Owned {
    async fn open(tool: Tool, kind: WorkloadKind) -> Self {
        let cluster = cluster_for(kind).await;
        cluster.install_gitops().await.expect("kinds of GitOps");
        let place = cluster.namespace("gitops").await.expect("a namespace");
        let on_gitops = OnGitOps::Pause([tool.owner(&place)].into());
        let shop = SetShop::configured(kind, on_gitops.clone(), &tool.labels(&place)).await;
        let account =
            ServiceAccount { namespace: shop.namespace.name().to_owned(), name: "hotfix".to_owned() };
        let config = TargetConfig { on_gitops, ..TargetConfig::default() };
        for (namespace, features) in config.owner_features() {
            let role = serde_json::from_value(rights::role(&namespace, "hotfix", &features)).expect("a Role");
            let roles: Api<Role> = Api::namespaced(shop.client.clone(), &namespace);
            roles.create(&PostParams::default(), &role).await.expect("created");
            let binding = rights::role_binding(&namespace, "hotfix", &account);
            let bindings: Api<RoleBinding> = Api::namespaced(shop.client.clone(), &namespace);
            let binding = serde_json::from_value(binding).expect("a RoleBinding");
            bindings.create(&PostParams::default(), &binding).await.expect("created");
        }
        let controller = Controller::start(tool, &shop.client, &shop.namespace, kind, &place).await;
        shop.deployer.adopt(&shop.target).await.expect("adopted");
        Self { shop, controller, _place: place }
    }

    async fn notices(&self) -> Vec<String> {
        self.shop.deployer.observe(&self.shop.target).await.expect("a workload").notices
    }
}

async fn goes_through(tool: Tool, kind: WorkloadKind) {
    let owned = Owned::open(tool, kind).await;
    let Owned { shop, controller, .. } = &owned;
    let said = owned.notices().await;
    assert!(said.len() == 1 && said[0].contains("is off during a run"), "{said:?}");
    let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
    let load = Load::start(LoadPlan::to(gateway.address(), "shop"));
    let fix = release(shop.cluster, 2);
    let outcome = end(shop.deploy(&fix, Strategy::Rolling, one_by_one()).await).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    assert_eq!(shop.running(&fix).await, (PODS, PODS));
    assert_eq!((controller.reverts(), controller.is_on().await), (0, false));
    let said = owned.notices().await;
    assert!(said.len() == 1 && said[0].contains("give the sync back with resume_sync"), "{said:?}");

    let report = load.stop().await;
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));

    controller.commit(image(&fix));
    shop.deployer.resume_sync(&shop.target).await.expect("given back");
    assert!(controller.is_as_made().await, "{}", controller.owner().await);
    assert_eq!((controller.reverts(), shop.running(&fix).await), (0, (PODS, PODS)));
}

async fn is_taken_back(tool: Tool, kind: WorkloadKind) {
    let owned = Owned::open(tool, kind).await;
    let Owned { shop, controller, .. } = &owned;
    let before = shop.read().await["spec"].clone();
    let bad = pushed(shop.cluster, 9, &Behaviour { readiness: Readiness::Never, ..Behaviour::default() });
    let mut settings = quick();
    settings.rollout.rolling_batch = 1;
    settings.rollout.ready_deadline = Period::from_secs(5);
    verdict(end(shop.deploy(&bad, Strategy::Rolling, settings).await).await);
    shop.until_ready(&release(shop.cluster, 1)).await;
    assert!(controller.is_as_made().await, "{}", controller.owner().await);
    assert_eq!(controller.reverts(), 0, "nothing was left to take back");
    assert_eq!(shop.read().await["spec"], before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_is_rolled_while_the_sync_is_off() {
    goes_through(Tool::ArgoCd, WorkloadKind::StatefulSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_is_rolled_while_the_sync_is_off() {
    goes_through(Tool::Kustomize, WorkloadKind::DaemonSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_that_is_taken_back_is_as_git_says_and_synced_again() {
    is_taken_back(Tool::Helm, WorkloadKind::StatefulSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_that_is_taken_back_is_as_git_says_and_synced_again() {
    is_taken_back(Tool::ArgoCd, WorkloadKind::DaemonSet).await;
}
