//! A token that is taken away while a deployer is at work, and the one that takes its place in the file.

use std::path::PathBuf;

use chrono::TimeDelta;
use hotfix_core::model::{Precondition, Verb};
use hotfix_core::port::{Deployer, Probe, Reply};
use hotfix_k8s::KubernetesDeployer;
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster};
use hotfix_testkit::http::Recorded;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use tempfile::TempDir;

use super::faults::{fills, instances, stage_by};
use super::site::{Shop, call, deployer, slot, until};

/// A shop whose deployer has its token from a file.
struct Rotating {
    shop: Shop,
    proxy: FaultProxy,
    deployer: KubernetesDeployer,
    file: PathBuf,
    _folder: TempDir,
}

impl Rotating {
    async fn open() -> Self {
        let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        std::fs::write(&file, bound(&shop, "first").await).expect("written");
        let mut config = shop.user.clone();
        let token_file = Some(file.display().to_string());
        config.auth_info = AuthInfo { token_file, ..AuthInfo::default() };
        let proxy = FaultProxy::start(&config).await.expect("a proxy");
        let kubeconfig = folder.path().join("kubeconfig");
        shop.test_cluster.write_kubeconfig(&proxy.through(&config), &kubeconfig).expect("written");
        let read = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
        let deployer = deployer(&shop.namespace, &shop.target, config.expect("a configuration"));
        Self { shop, proxy, deployer, file, _folder: folder }
    }

    fn token(&self) -> String {
        std::fs::read_to_string(&self.file).expect("a token")
    }

    /// Puts another token into the place of the one that is bound to the Secret `old`, and waits until the server takes that
    /// no longer. It remembers for ten seconds whom it knew.
    async fn rotate(&self, old: &str, new: &str) {
        let before = self.token();
        let next = self.file.with_extension("next");
        std::fs::write(&next, bound(&self.shop, new).await).expect("written");
        std::fs::rename(next, &self.file).expect("replaced");
        secrets(&self.shop).delete(old, &DeleteParams::default()).await.expect("deleted");
        let mut config = self.shop.user.clone();
        config.auth_info = AuthInfo { token: Some(before.into()), ..AuthInfo::default() };
        let client = Client::try_from(config).expect("a client");
        until("the old token is refused", || async {
            let asked = Api::<Secret>::default_namespaced(client.clone()).get("any").await;
            matches!(asked, Err(kube::Error::Api(status)) if status.code == 401)
        })
        .await;
    }

    /// What was sent with a token so far.
    fn sent_with(&self, token: &str) -> Vec<Recorded> {
        let bearer = format!("Bearer {token}");
        let requests = self.proxy.happened().into_iter().map(|happened| happened.request);
        requests.filter(|request| request.header("authorization") == Some(bearer.as_str())).collect()
    }
}

fn secrets(shop: &Shop) -> Api<Secret> {
    Api::namespaced(shop.client.clone(), &shop.namespace)
}

/// A token of the deployer's user that is good for as long as a Secret is there.
async fn bound(shop: &Shop, name: &str) -> String {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let secret = Secret { metadata, ..Secret::default() };
    let made = secrets(shop).create(&PostParams::default(), &secret).await.expect("created");
    let to = BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Secret".to_owned()),
        name: Some(name.to_owned()),
        uid: made.metadata.uid,
    };
    let spec = TokenRequestSpec { bound_object_ref: Some(to), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let accounts: Api<ServiceAccount> = Api::namespaced(shop.client.clone(), &shop.namespace);
    let granted = accounts.create_token_request("hotfix", &PostParams::default(), &request).await;
    granted.expect("granted").status.and_then(|status| status.token).expect("a token")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_rotated_costs_nothing_that_is_on_its_way() {
    let rotating = Rotating::open().await;
    let Rotating { shop, proxy, deployer, .. } = &rotating;
    let first = rotating.token();
    let mut watch = deployer.watch(&shop.target).await.expect("a watch");
    let mut stage = call("stage", 1);
    stage.deadline += TimeDelta::seconds(60);
    proxy.next(fills, Disturbance::Hold);
    let meanwhile = async {
        proxy.held(1).await;
        rotating.rotate("first", "second").await;
        assert_eq!(proxy.release().await, [401]);
    };
    let (reply, ()) = tokio::join!(stage_by(deployer, shop, &stage), meanwhile);
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    let probe = deployer.probe(&shop.target, &stage.key).await;
    assert!(matches!(probe, Probe::Applied(_)), "{probe:?}");
    let second = rotating.token();
    let patch = |token: &str| rotating.sent_with(token).into_iter().rfind(fills).expect("a patch").body;
    assert_eq!(patch(&first), patch(&second), "the same was sent again");
    instances(&mut watch, (1, 1)).await;

    // Now the watches are the first to be refused.
    rotating.rotate("second", "third").await;
    proxy.cut_connections();
    let third = rotating.token();
    until("the watches go on", || async { rotating.sent_with(&third).len() >= 2 }).await;
    let (retire, anything) = (Verb::Retire { slot: slot("hotfix") }, Precondition::default());
    let reply = deployer.apply(&call("retire", 2), &shop.target, &retire, &anything).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    instances(&mut watch, (0, 0)).await;
}
