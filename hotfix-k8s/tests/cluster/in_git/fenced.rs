//! What the fence of the repository keeps out.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::{IdempotencyKey, ObjectId, Precondition, RefBatch, ServiceName, Stamp};
use hotfix_core::port::{
    Call, Composed, Conflict, Deployer, Probe, Recipe, Reply, Seal, SourceFacts, SourceQuery, VersionControl,
    VersionControlCapabilities,
};
use tokio::sync::Notify;

use super::super::site::{call, release, slot};
use super::shop::{FILE, GitShop, PODS, image, manifest, stage};

/// A repository whose push is held up on its way.
#[derive(Debug)]
struct Slow {
    inner: Arc<dyn VersionControl>,
    on_its_way: Notify,
    arrives: Notify,
}

#[async_trait]
impl VersionControl for Slow {
    fn capabilities(&self) -> VersionControlCapabilities {
        self.inner.capabilities()
    }
    async fn observe(&self, query: &SourceQuery) -> hotfix_core::Result<SourceFacts> {
        self.inner.observe(query).await
    }
    async fn read_file(&self, commit: &ObjectId, path: &str) -> hotfix_core::Result<Option<String>> {
        self.inner.read_file(commit, path).await
    }
    async fn compose(&self, recipe: &Recipe) -> hotfix_core::Result<Vec<Composed>> {
        self.inner.compose(recipe).await
    }
    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        self.on_its_way.notify_one();
        self.arrives.notified().await;
        self.inner.apply(call, service, batch).await
    }
    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal {
        self.inner.seal(service, stamp).await
    }
    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe {
        self.inner.probe(service, key).await
    }
}

/// Nothing on the Deployment could keep it out: the owner applies whatever is in git.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_arrives_after_the_seal_is_refused_by_the_repository() {
    let shop = GitShop::open().await;
    let slow = Arc::new(Slow {
        inner: shop.fleet.clone_for("second"),
        on_its_way: Notify::new(),
        arrives: Notify::new(),
    });
    let late = shop.deployer_with(shop.user.clone(), Arc::clone(&slow) as Arc<dyn VersionControl>);
    let (sent, target, verb) = (call("late", 10), shop.target.clone(), stage(&release(shop.cluster, 2)));
    let key = sent.key.clone();
    let sending =
        tokio::spawn(async move { late.apply(&sent, &target, &verb, &Precondition::default()).await });
    slow.on_its_way.notified().await;
    let seal = Stamp::new(1, 11);
    assert!(matches!(shop.deployer.seal(&shop.target, seal).await, Seal::Sealed(_)));
    assert_eq!(shop.deployer.probe(&shop.target, &key).await, Probe::NotApplied);
    slow.arrives.notify_one();
    let reply = sending.await.expect("an answer");
    assert_eq!(reply, Reply::Conflict(Conflict::Fenced { current: seal }));

    assert_eq!(shop.fleet.log().len(), 1);
    assert_eq!(shop.fleet.show(FILE), manifest(image(&release(shop.cluster, 1)), PODS));
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!((workload.live.clone(), workload.slot(&slot("hotfix"))), (Some(slot("main")), None));
    assert_eq!(workload.stamp, seal);
}

/// A push whose answer is lost may have happened: the seal and the probe tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_happened_is_found_by_the_probe() {
    let shop = GitShop::open().await;
    let fix = release(shop.cluster, 2);
    let slow = Arc::new(Slow {
        inner: shop.fleet.clone_for("second"),
        on_its_way: Notify::new(),
        arrives: Notify::new(),
    });
    let cut = shop.deployer_with(shop.user.clone(), Arc::clone(&slow) as Arc<dyn VersionControl>);
    let (sent, target, verb) = (call("cut", 10), shop.target.clone(), stage(&fix));
    let key = sent.key.clone();
    let sending =
        tokio::spawn(async move { cut.apply(&sent, &target, &verb, &Precondition::default()).await });
    slow.on_its_way.notified().await;
    slow.arrives.notify_one();
    super::super::site::until("it was pushed", || async { shop.fleet.log().len() == 2 }).await;
    sending.abort();
    assert!(matches!(shop.deployer.seal(&shop.target, Stamp::new(1, 11)).await, Seal::Sealed(_)));
    assert!(matches!(shop.deployer.probe(&shop.target, &key).await, Probe::Applied(_)));
    shop.until_ready("hotfix").await;
}
