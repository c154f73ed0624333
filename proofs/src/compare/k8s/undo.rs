//! A deploy taken back: by `restore` after the intent is durable, by `kubectl rollout undo`, and by one bare patch.

use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_benches::journal::{Entries, Stored};
use hotfix_core::model::{Verb, Weights, Workload, WorkloadSnapshot};
use hotfix_core::port::Deployer as _;
use hotfix_testkit::cluster::{Behaviour, TestCluster};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::kubectl::Kubectl;
use super::seen::Seen;
use super::site::{Kind, REPLICAS, Site, image, release, slot};
use crate::compare::case::{Better, Case, Goal};
use crate::compare::clock::{Stopwatch, median_millis};

const ROUNDS: u32 = 20;

/// The Deployment that kubectl takes back.
const PLAIN: &str = "plain";

/// How long it took, from the call on, until...
#[derive(Debug, Default)]
struct Times {
    /// ...the API server held what was before.
    held: Vec<Duration>,
    /// ...the call was over.
    answered: Vec<Duration>,
    /// ...it was known that all pods of the old release are ready and take the traffic.
    known: Vec<Duration>,
}

pub(super) async fn measure(cluster: &TestCluster, kubectl: &Kubectl) -> Result<Vec<Case>, Failure> {
    let site = Site::open(cluster).await?;
    let mut ours = Ours::new(&site, cluster).await?;
    let mut peer = Peer::new(&site, cluster, kubectl.clone()).await?;
    let (mut our_times, mut peer_times) = (Times::default(), Times::default());
    for round in 0..ROUNDS {
        ours.round(round, &mut our_times).await?;
        peer.round(&mut peer_times).await?;
    }
    let floor = floor(&site, cluster).await?;
    let case = |name: &str, ours: &[Duration], peer: &[Duration], least| Case {
        name: name.to_owned(),
        ours: median_millis(ours),
        peer: Some(median_millis(peer)),
        better: Better::Less,
        goal: Goal::Ratio(least),
    };
    Ok(vec![
        case("undo-held/kubectl-rollout-undo", &our_times.held, &peer_times.held, 6.7),
        case("undo-held/bare-patch", &our_times.held, &floor, 0.33),
        case("undo-answered/kubectl-rollout-undo", &our_times.answered, &peer_times.answered, 1.0),
        case("undo-known-healthy/kubectl-rollout-status", &our_times.known, &peer_times.known, 1.1),
    ])
}

/// The shop, whose Service is switched.
struct Ours<'a> {
    site: &'a Site,
    snapshot: WorkloadSnapshot,
    next: hotfix_core::model::Release,
    service: Seen,
    store: Stored,
    _folder: tempfile::TempDir,
}

impl<'a> Ours<'a> {
    async fn new(site: &'a Site, cluster: &TestCluster) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        Ok(Self {
            site,
            snapshot: site.deployer.snapshot(&site.target).await?,
            next: release(cluster, 1, &Behaviour::default())?,
            service: Seen::follow(site.api(Kind::Service), "shop"),
            store: Stored::open(folder.path(), 1, Entries::of_a_run()?).await?,
            _folder: folder,
        })
    }

    async fn round(&mut self, round: u32, times: &mut Times) -> Result<(), Failure> {
        let (site, first, hotfix) = (self.site, 3 * round + 1, slot("hotfix")?);
        let stage = Verb::Stage { slot: hotfix.clone(), release: self.next.clone(), replicas: REPLICAS };
        site.apply(first, &stage).await?;
        let is_ready =
            |workload: &Workload| workload.slot(&hotfix).is_some_and(|held| held.ready == REPLICAS.get());
        site.until(is_ready).await?;
        site.apply(first + 1, &Verb::Shift { weights: Weights::all(hotfix.clone()) }).await?;
        self.service.until("traffic on the fix", |service| selects(service, "shop-hotfix")).await?;

        let restore = Verb::Restore { snapshot: self.snapshot.clone() };
        let watch = Stopwatch::start();
        let held = async {
            self.service.until("traffic back", |service| selects(service, "shop")).await?;
            Ok::<_, Failure>(watch.passed())
        };
        let known = async {
            self.store.append_to_each().await?;
            site.apply(first + 2, &restore).await?;
            let answered = watch.passed();
            site.until(Workload::is_healthy).await?;
            Ok((answered, watch.passed()))
        };
        let (held, (answered, known)) = tokio::try_join!(held, known)?;
        times.held.push(held);
        times.answered.push(answered);
        times.known.push(known);
        Ok(())
    }
}

fn selects(service: &Value, app: &str) -> bool {
    service["spec"]["selector"]["app"] == app
}

/// A Deployment of the same shape that nobody but kubectl takes back.
struct Peer<'a> {
    site: &'a Site,
    kubectl: Kubectl,
    deployment: Seen,
    old: String,
    new: String,
}

impl<'a> Peer<'a> {
    async fn new(site: &'a Site, cluster: &TestCluster, kubectl: Kubectl) -> Result<Self, Failure> {
        let old = release(cluster, 0, &Behaviour::default())?;
        let new = release(cluster, 1, &Behaviour::default())?;
        site.create(PLAIN, &old).await?;
        let mut deployment = Seen::follow(site.api(Kind::Deployment), PLAIN);
        deployment.until("the plain Deployment is ready", is_rolled_out).await?;
        let (old, new) = (image(&old)?.as_str().to_owned(), image(&new)?.as_str().to_owned());
        // It keeps what the server offers.
        kubectl.rollout("status", site.namespace.name(), PLAIN)?;
        Ok(Self { site, kubectl, deployment, old, new })
    }

    async fn round(&mut self, times: &mut Times) -> Result<(), Failure> {
        let containers = json!([{"name": "web", "image": &self.new}]);
        let change = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let api = self.site.api(Kind::Deployment);
        api.patch(PLAIN, &PatchParams::default(), &Patch::Strategic(change)).await?;
        let (old, new) = (self.old.as_str(), self.new.as_str());
        let is_new = |deployment: &Value| runs(deployment, new) && is_rolled_out(deployment);
        self.deployment.until("the plain Deployment rolled out", is_new).await?;

        let (kubectl, namespace) = (self.kubectl.clone(), self.site.namespace.name().to_owned());
        let watch = Stopwatch::start();
        let calls = tokio::task::spawn_blocking(move || {
            kubectl.rollout("undo", &namespace, PLAIN)?;
            let answered = watch.passed();
            kubectl.rollout("status", &namespace, PLAIN)?;
            Ok::<_, Failure>((answered, watch.passed()))
        });
        self.deployment.until("the old template", |deployment| runs(deployment, old)).await?;
        times.held.push(watch.passed());
        let (answered, known) = calls.await??;
        times.answered.push(answered);
        times.known.push(known);
        Ok(())
    }
}

fn runs(deployment: &Value, image: &str) -> bool {
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
}

fn is_rolled_out(deployment: &Value) -> bool {
    let (wanted, status) = (&deployment["spec"]["replicas"], &deployment["status"]);
    status["observedGeneration"] == deployment["metadata"]["generation"]
        && ["replicas", "updatedReplicas", "readyReplicas"].iter().all(|count| status[count] == *wanted)
}

/// The patch that moved the traffic back, sent once more by itself, to and fro, on a connection that is open.
async fn floor(site: &Site, cluster: &TestCluster) -> Result<Vec<Duration>, Failure> {
    let user = site.user_name();
    let log = site.log(cluster)?;
    let last = log.iter().rev().find(|event| {
        event.user == user && event.verb == "patch" && event.resource.as_deref() == Some("services")
    });
    let forth = last.and_then(|event| event.request.clone());
    let forth = forth.ok_or_else(|| Failure::new("the server's log has no patch of the Service"))?;
    let back = inverse(&forth)?;
    let api = site.api(Kind::Service);
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        for body in [&back, &forth] {
            let patch: Patch<()> = Patch::Json(serde_json::from_value(body.clone())?);
            let watch = Stopwatch::start();
            api.patch("shop", &PatchParams::default(), &patch).await?;
            // The first round opens the connection.
            if round > 0 {
                times.push(watch.passed());
            }
        }
    }
    Ok(times)
}

/// A patch with every value that it compares and replaces the other way round.
fn inverse(patch: &Value) -> Result<Value, Failure> {
    let operations = patch.as_array().ok_or_else(|| Failure::new("a JSON Patch is a list"))?;
    let value = |word: &str, path: &Value| {
        let found = operations.iter().find(|operation| operation["op"] == word && operation["path"] == *path);
        found.map(|operation| operation["value"].clone())
    };
    let swapped = operations.iter().map(|operation| {
        let path = &operation["path"];
        let other = if operation["op"] == "test" { "replace" } else { "test" };
        let value = value(other, path).unwrap_or_else(|| operation["value"].clone());
        json!({"op": operation["op"], "path": path, "value": value})
    });
    Ok(swapped.collect())
}
