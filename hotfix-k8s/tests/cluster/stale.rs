//! Watches that tell old news: what was told before is not told again, whatever the server repeats.

use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use hotfix_core::model::{Precondition, SlotName, Verb};
use hotfix_core::port::{Deployer, Reply, WorkloadChange, WorkloadWatch};
use hotfix_testkit::cluster::Disturbance;
use hotfix_testkit::http::{Answer, Recorded};
use serde_json::{Value, json};

use super::faults::{Behind, instances, is_watch};
use super::site::{call, slot, until};

/// How long what a watch lost may stay unnoticed, and that it went silent: it is compared with what there is after half a
/// minute.
const UNNOTICED: Duration = Duration::from_secs(50);

fn watches_pods(request: &Recorded) -> bool {
    is_watch(request) && request.path.ends_with("/pods")
}

impl Behind {
    /// The first release beside the second one, both ready and told.
    async fn watched() -> (Self, WorkloadWatch) {
        let behind = Self::open().await;
        let mut watch = behind.deployer.watch(&behind.shop.target).await.expect("a watch");
        assert!(matches!(behind.stage(&call("stage", 1)).await, Reply::Applied(_)));
        instances(&mut watch, (1, 1)).await;
        (behind, watch)
    }

    /// The pod of the hotfix slot, as the server has it.
    async fn pod(&self) -> Value {
        let pods = self.shop.pods("shop-hotfix").await;
        let mut pod = serde_json::to_value(&pods[0]).expect("JSON");
        pod["kind"] = json!("Pod");
        pod["apiVersion"] = json!("v1");
        pod
    }

    /// Answers the next watch of pods with these events, after which it ends as a watch does, and waits until whoever
    /// watches has come back.
    async fn tell(&self, events: &[Value]) {
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        let before = self.watches();
        self.proxy.next(watches_pods, Disturbance::Instead(Answer::status(200).text(lines)));
        self.proxy.cut_connections();
        until("the watch was taken up again", || async { self.watches() > before + 1 }).await;
    }

    fn watches(&self) -> usize {
        self.proxy.happened().iter().filter(|happened| watches_pods(&happened.request)).count()
    }

    fn lists(&self) -> usize {
        let lists = |request: &Recorded| request.path.ends_with("/pods") && !is_watch(request);
        self.proxy.happened().iter().filter(|happened| lists(&happened.request)).count()
    }

    /// How often all pods were listed by names and versions alone, and how often as they are.
    fn all_listed(&self) -> (usize, usize) {
        let happened = self.proxy.happened();
        let of_all = happened.iter().map(|happened| &happened.request).filter(|request| {
            request.path.ends_with("/pods") && !is_watch(request) && !request.query.contains("labelSelector")
        });
        let by_name = |request: &&Recorded| {
            let accepts = |(name, value): &(String, String)| {
                name == "accept" && value.contains("as=PartialObjectMetadataList")
            };
            request.headers.iter().any(accepts)
        };
        let (names, whole): (Vec<_>, Vec<_>) = of_all.partition(by_name);
        (names.len(), whole.len())
    }

    /// Not through the proxy: a patch on a connection that is cut is ambiguous, and rightly so.
    async fn retire(&self) {
        let retire = Verb::Retire { slot: slot("hotfix") };
        let (call, anything) = (call("retire", 2), Precondition::default());
        let reply = self.shop.deployer.apply(&call, &self.shop.target, &retire, &anything).await;
        assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    }
}

/// Returns everything that is told of the hotfix slot until it is empty.
async fn told(watch: &mut WorkloadWatch, limit: Duration) -> Vec<WorkloadChange> {
    let mut told = Vec::new();
    let reading = async {
        loop {
            let change = Pin::as_mut(watch).next().await.expect("it goes on").expect("it is whole");
            let is_ours = |found: &SlotName| *found == slot("hotfix");
            match &change {
                WorkloadChange::Instances { slot, replicas: 0, ready: 0 } if is_ours(slot) => return,
                WorkloadChange::Instances { slot, .. } | WorkloadChange::Faulty { slot, .. }
                    if is_ours(slot) =>
                {
                    told.push(change.clone());
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(limit, reading).await.expect("it is told that the slot is empty");
    told
}

fn bookmark(version: &Value) -> Value {
    let metadata = json!({"resourceVersion": version});
    json!({"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": metadata}})
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_repeated_or_older_than_others_are_not_told_again() {
    let (behind, mut watch) = Behind::watched().await;
    let now = behind.pod().await;
    let mut old = now.clone();
    // Had it been told in its time, it would have been a fault.
    old["metadata"]["resourceVersion"] = json!("2");
    let container = &mut old["status"]["containerStatuses"][0];
    container["restartCount"] = json!(7);
    container["ready"] = json!(false);
    container["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let again = json!({"type": "MODIFIED", "object": now});
    let replayed = json!({"type": "MODIFIED", "object": old});
    let deleted = json!({"type": "DELETED", "object": old});
    behind.tell(&[again.clone(), replayed, deleted, again]).await;
    behind.retire().await;
    let told = told(&mut watch, Duration::from_secs(20)).await;
    let odd: Vec<_> = told.iter().filter(|change| matches!(change, WorkloadChange::Faulty { .. })).collect();
    assert!(odd.is_empty(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_events_that_all_come_twice_nothing_is_told_twice() {
    let behind = Behind::open().await;
    behind.proxy.every(is_watch, Disturbance::RepeatLines);
    let mut watch = behind.deployer.watch(&behind.shop.target).await.expect("a watch");
    let filled_and_emptied = async {
        assert!(matches!(behind.stage(&call("stage", 1)).await, Reply::Applied(_)));
        until("it is ready", || async {
            let workload = behind.shop.deployer.observe(&behind.shop.target).await.expect("a workload");
            workload.slot(&slot("hotfix")).is_some_and(|held| held.ready == 1)
        })
        .await;
        behind.retire().await;
    };
    let (told, ()) = tokio::join!(told(&mut watch, Duration::from_secs(40)), filled_and_emptied);
    let ready = WorkloadChange::Instances { slot: slot("hotfix"), replicas: 1, ready: 1 };
    assert_eq!(told.iter().filter(|change| **change == ready).count(), 1, "{told:?}");
    assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_which_only_bookmarks_come_goes_on_where_they_say() {
    let (behind, mut watch) = Behind::watched().await;
    let version = behind.pod().await["metadata"]["resourceVersion"].clone();
    behind.tell(&[bookmark(&version), bookmark(&version)]).await;
    let asked = behind.proxy.happened().into_iter().rfind(|happened| watches_pods(&happened.request));
    let query = asked.expect("a watch").request.query;
    assert!(query.contains(&format!("resourceVersion={}", version.as_str().expect("text"))), "{query}");
    behind.retire().await;
    told(&mut watch, Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_went_silent_is_noticed_and_taken_up_again() {
    let (behind, mut watch) = Behind::watched().await;
    // One of each kind.
    for kind in ["/pods", "/deployments"] {
        let is_it = move |request: &Recorded| is_watch(request) && request.path.ends_with(kind);
        behind.proxy.next(is_it, Disturbance::Silence);
    }
    behind.proxy.cut_connections();
    until("both watches are silent", || async {
        let happened = behind.proxy.happened();
        happened.iter().filter(|it| matches!(it.disturbance, Some(Disturbance::Silence))).count() == 2
    })
    .await;
    behind.retire().await;
    told(&mut watch, UNNOTICED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_watch_told_is_compared_by_names_and_versions_alone() {
    let (behind, mut watch) = Behind::watched().await;
    let (names, whole) = behind.all_listed();
    let compared = async {
        while behind.all_listed().0 == names {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(UNNOTICED, compared).await.expect("it is compared");
    // Had something been missing, or no answer understood, everything would have been listed by the time this is told.
    behind.retire().await;
    told(&mut watch, Duration::from_secs(20)).await;
    assert_eq!(behind.all_listed().1, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_lost_is_made_up_for_when_everything_is_listed_anew() {
    let (behind, mut watch) = Behind::watched().await;
    let (pod, before) = (behind.pod().await, behind.watches());
    let name = pod["metadata"]["name"].as_str().expect("a name");
    // The next thing that happens to the pod is not told, and whatever happens later is.
    behind.proxy.every(watches_pods, Disturbance::OmitLine(format!("\"name\":\"{name}\"")));
    behind.proxy.cut_connections();
    until("the watch was taken up again", || async { behind.watches() > before }).await;
    let lists = behind.lists();
    behind.shop.fail(&slot("hotfix")).await;
    until("the server has it", || async { !is_ready(&behind.pod().await) }).await;
    behind.shop.fail(&slot("main")).await;
    told_of(&mut watch, [instances_of("main", 1, 0), instances_of("hotfix", 1, 0)]).await;
    assert!(behind.lists() > lists, "it was told without a list: the event was not lost");
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn instances_of(name: &str, replicas: u16, ready: u16) -> WorkloadChange {
    WorkloadChange::Instances { slot: slot(name), replicas, ready }
}

/// Waits until all of these are told.
async fn told_of<const N: usize>(watch: &mut WorkloadWatch, changes: [WorkloadChange; N]) {
    let mut told = Vec::new();
    let reading = async {
        while !changes.iter().all(|change| told.contains(change)) {
            told.push(Pin::as_mut(watch).next().await.expect("it goes on").expect("it is whole"));
        }
    };
    tokio::time::timeout(UNNOTICED, reading).await.expect("they are told");
}
