//! One leader among replicas: handed over, lost with the cluster, and never two at a time.

use hotfix_core::model::{Period, WorkerName};
use hotfix_k8s::{LeadershipTerm, Leases};
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster, TestNamespace};
use hotfix_testkit::http::Answer;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Config};
use tokio::time::{Duration, Instant, timeout};

use super::leased_store::{claimant, leases};

/// How long a leader leads without renewing.
const TERM: Period = Period::from_secs(3);

/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(20);

struct Replicas {
    cluster: &'static TestCluster,
    namespace: TestNamespace,
    /// What leads the user with the least rights to the cluster.
    user: Config,
}

impl Replicas {
    async fn new() -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        let namespace = cluster.namespace("leader").await.expect("a namespace");
        let user = claimant(cluster, &namespace, &[]).await;
        Self { cluster, namespace, user }
    }

    fn leases(&self) -> Leases {
        leases(&self.namespace, self.user.clone())
    }

    async fn lease(&self) -> Lease {
        let leases: Api<Lease> = Api::namespaced(self.cluster.client().expect("a client"), &self.namespace);
        leases.get("hotfix.leader").await.expect("a lease")
    }
}

fn name(text: &str) -> WorkerName {
    WorkerName::new(text).expect("a name")
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_is_handed_over_within_a_term() {
    let replicas = Replicas::new().await;
    let mut first = replicas.leases().campaign(&name("replica-1"), TERM);
    let term = soon("the first leads", first.gained()).await;
    assert_eq!((term, first.current()), (LeadershipTerm { epoch: 1 }, Some(term)));
    let mut second = replicas.leases().campaign(&name("replica-2"), TERM);
    // For longer than a term there is one leader, and it is the first.
    let lost = timeout(TERM.to_duration() * 2, async {
        tokio::select! { () = first.lost(term) => "lost", _ = second.gained() => "gained" }
    });
    assert!(lost.await.is_err());
    assert_eq!(
        replicas.lease().await.spec.and_then(|spec| spec.holder_identity).as_deref(),
        Some("replica-1")
    );

    let given_back = Instant::now();
    first.resign().await;
    assert_eq!(soon("the second leads", second.gained()).await, LeadershipTerm { epoch: 2 });
    let took = given_back.elapsed();
    assert!(took < TERM.to_duration(), "{took:?}");
    // Dropping it is enough, too.
    drop(second);
    let mut third = replicas.leases().campaign(&name("replica-3"), TERM);
    assert_eq!(soon("the third leads", third.gained()).await, LeadershipTerm { epoch: 3 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_does_not_reach_the_cluster_steps_down_before_another_leads() {
    let replicas = Replicas::new().await;
    let proxy = FaultProxy::start(&replicas.user).await.expect("a proxy");
    let mut cut_off =
        leases(&replicas.namespace, proxy.through(&replicas.user)).campaign(&name("replica-1"), TERM);
    let term = soon("the first leads", cut_off.gained()).await;
    let mut other = replicas.leases().campaign(&name("replica-2"), TERM);

    proxy.every(|_| true, Disturbance::Instead(Answer::hang()));
    let (stepped_down, (gained, next)) = soon("the lead changes", async {
        tokio::join!(
            async {
                cut_off.lost(term).await;
                Instant::now()
            },
            async {
                let next = other.gained().await;
                (Instant::now(), next)
            }
        )
    })
    .await;
    assert!(stepped_down < gained, "two led for {:?}", stepped_down - gained);
    assert!(next.epoch > term.epoch, "{next:?}");

    // It comes back as one that waits, and may lead again under a higher epoch.
    proxy.clear();
    proxy.cut_connections();
    other.resign().await;
    let again = soon("the first leads again", cut_off.gained()).await;
    assert!(again.epoch > next.epoch, "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_whose_answer_is_lost_costs_nothing() {
    let replicas = Replicas::new().await;
    let proxy = FaultProxy::start(&replicas.user).await.expect("a proxy");
    let mut leader =
        leases(&replicas.namespace, proxy.through(&replicas.user)).campaign(&name("replica-1"), TERM);
    let term = soon("it leads", leader.gained()).await;
    proxy.next(|request| request.method == "PATCH", Disturbance::LoseAnswer);
    let renewed =
        |lease: &Lease| lease.metadata.annotations.clone().unwrap_or_default()["hotfix.dev/lease"].clone();
    let before = renewed(&replicas.lease().await);
    // Two terms later it leads under the same epoch, so it was renewed in between.
    assert!(timeout(TERM.to_duration() * 2, leader.lost(term)).await.is_err());
    assert_eq!(leader.current(), Some(term));
    assert_ne!(renewed(&replicas.lease().await), before);
}
